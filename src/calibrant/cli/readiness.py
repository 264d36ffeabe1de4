"""``calibrant readiness``: is a stream ready for production, and for the day on which something goes wrong?"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import console, options, streams

if TYPE_CHECKING:
    from calibrant.wiring import Project
    from calibrant.workflow.readiness.checklist import Readiness
    from calibrant.workflow.readiness.facts import Known

_MARKS = {"passed": "ok", "failed": "NO", "undecided": "?"}
#: There is no such store yet, which is what the items then say.
_NOT_YET = ("CAL-111", "CAL-116")


@click.command(
    "readiness",
    epilog="""\b
Examples:
  calibrant readiness fraud
  calibrant readiness fraud --environment staging --json
  calibrant readiness fraud --confirm backup --confirm chk-756

\b
Exit codes: 0 ready, 1 not ready, 2 wrong use, 3 only what a person must say is missing.""",
)
@streams.NAME
@click.option("--environment", default="production", show_default=True, help="Whose binding serves the stream.")
@click.option(
    "--confirm", "confirmed", metavar="ITEM", multiple=True, help="You say that it is so: for what no data can tell."
)
@streams.STORE
@options.JSON
def command(stream: str, environment: str, confirmed: tuple[str, ...], store: str | None, as_json: bool) -> int:
    """Hold the checklists before production, in production and for incidents against what really is.

    An item has passed, failed, or cannot be decided by data: then a person must say. Changes nothing, and shows no
    secret.
    """
    from calibrant import wiring
    from calibrant.workflow.readiness import checklist

    project = wiring.project(store)
    found = checklist.check(known(project, stream, environment), confirmed=confirmed)
    if as_json:
        console.emit_json(document(found))
    else:
        show(found)
    return {"passed": console.FINE, "failed": console.FINDINGS, "undecided": console.INCONCLUSIVE}[found.outcome]


def known(project: Project, stream: str, environment: str) -> Known:
    """Everything that the items look at; what is not there yet is left out."""
    from calibrant import wiring
    from calibrant.workflow.doctor import files
    from calibrant.workflow.readiness import facts

    declared, now_us = project.stream(stream), wiring.clock().now_us()
    office = project.office()
    with ExitStack() as opened:
        events = decided = None
        try:
            reader, _ = opened.enter_context(project.answering())
            events = facts.events(reader, declared, now_us=now_us)
        except errors.SourceError as error:
            _demand_absent(error)
        try:
            control_reader = opened.enter_context(project.control_reader())
            decided = facts.decisions(
                control_reader, project.contents(), wiring.working_reader(control_reader), declared, environment,
                now_us=now_us,
            )  # fmt: skip
        except errors.SourceError as error:
            _demand_absent(error)
    disk = files.look_at_disk(project.folder, project.copy_folder(), server=project.server is not None)
    return facts.Known(
        declared, environment, now_us, events, decided, office.declared, office.broken, disk.same_as_copy
    )


def _demand_absent(error: errors.SourceError) -> None:
    """Only a store that is not there is an answer; one that cannot be read is an error."""
    if error.code not in _NOT_YET:
        raise error


def document(found: Readiness) -> dict[str, Any]:
    """The answers as plain data, times as text."""
    plain = found.to_dict()
    return {**plain, "at": streams.time_text(plain.pop("at_us"))}


def show(found: Readiness) -> None:
    """The answers for people, list by list."""
    from calibrant.workflow.readiness import checklist

    said = {"passed": "ready", "failed": "not ready", "undecided": "nothing failed; a person must say the rest"}
    console.out().print(f"{found.stream} in {found.environment}: {said[found.outcome]}", style="bold")
    for name in checklist.LISTS:
        mine = [one for one in found.items if one.item.list == name]
        click.echo()
        console.out().print(name, style="bold")
        for one in mine:
            click.echo(f"  {_MARKS[one.answer.outcome]:<3}{one.item.name:<16} {one.item.title}")
            lines = [one.answer.reason, *([f"→ {one.answer.do}"] if one.answer.do else [])]
            for line in lines:
                click.echo(click.wrap_text(line, 108, " " * 22, " " * 24))
