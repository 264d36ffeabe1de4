"""``calibrant diagnose``: why a stream is off, in the order in which to look."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import console, options, streams

if TYPE_CHECKING:
    from calibrant.ports.control_store import ControlReader
    from calibrant.wiring import Project
    from calibrant.workflow.diagnosis import Diagnosis


@click.command(
    "diagnose",
    epilog="""\b
Examples:
  calibrant diagnose fraud
  calibrant diagnose fraud --environment staging --json

\b
Exit codes: 0 nothing found, 1 findings, 2 wrong use or nothing ingested yet, 3 nothing found and too few outcomes.""",
)
@streams.NAME
@click.option("--environment", default="production", show_default=True, help="Whose binding serves the stream.")
@streams.STORE
@options.JSON
def command(stream: str, environment: str, store: str | None, as_json: bool) -> int:
    """Why is a stream off? Causes in order, what each check saw, what it means and what to do about it.

    Looks at the window of policies.watch, at the window before it, and at what the registry recorded. explain tells
    more about each code.
    """
    from calibrant import wiring
    from calibrant.workflow import diagnosis

    project = wiring.project(store)
    declared = project.stream(stream)
    with project.answering() as (reader, keep), _decisions(project) as control:
        found = diagnosis.diagnose(
            reader,
            declared,
            now_us=wiring.clock().now_us(),
            control=control,
            kept=project.contents(),
            state=None if control is None else wiring.working_reader(control),
            environment=environment,
            keep=keep,
        )
    if as_json:
        console.emit_json(document(found))
    else:
        show(found)
    if found.looked.findings:
        return console.FINDINGS
    return console.FINE if found.verdict == "calibrated" else console.INCONCLUSIVE


@contextlib.contextmanager
def _decisions(project: Project) -> Iterator[ControlReader | None]:
    """What was decided; None where nothing was yet."""
    with contextlib.ExitStack() as opened:
        try:
            reader = opened.enter_context(project.control_reader())
        except errors.SourceError:
            reader = None
        yield reader


def document(found: Diagnosis) -> dict[str, Any]:
    """The diagnosis as plain data, times as text."""
    plain = found.to_dict()
    window = plain.pop("window_us")
    return {
        **plain,
        "as_of": streams.time_text(plain.pop("as_of_us")),
        "window": [streams.time_text(one) for one in window],
    }


def show(found: Diagnosis) -> None:
    """The diagnosis for people."""
    begin, end = (streams.time_text(one) for one in (found.start_us, found.end_us))
    console.out().print(f"{found.stream}  {begin} to {end}  {found.verdict or 'no outcome yet'}", style="bold")
    if not found.looked.findings:
        click.echo("nothing was found")
    if found.causes:
        click.echo()
        console.table(
            "causes, the one to look at first in front",
            ("cause", "checks", "what to do", "explains"),
            [
                (
                    one.cause,
                    " ".join(each.check.code for each in one.findings),
                    one.remedy,
                    "" if one.explains is None else streams.share_text(one.explains),
                )
                for one in found.causes
            ],
            text_columns=3,
        )
    for one in found.looked.findings:
        click.echo()
        console.out().print(f"{one.check.code} {one.check.title} ({one.check.severity})", style="bold")
        for name, text in (("seen", one.text), ("why", one.check.why), ("fix", one.check.fix)):
            click.echo(click.wrap_text(text, 98, f"  {name + ':':<6} ", " " * 9))
    click.echo()
    _unknown(found)


def _unknown(found: Diagnosis) -> None:
    """What was not looked at: no data is no good news."""
    lacking = sorted({name for _, lacks in found.looked.unknown for name in lacks})
    if lacking:
        codes = " ".join(one.code for one, _ in found.looked.unknown)
        text = f"not looked at, for want of {', '.join(lacking)}: {codes}"
        click.echo(click.wrap_text(text, 98, "", "  "))
    click.echo(f"{len(found.looked.asked)} questions no data can answer: calibrant explain lists them (asked)")
