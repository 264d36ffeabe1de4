"""``calibrant doctor``: what is wrong with an installation, why it matters, how to mend it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import console, control, options

if TYPE_CHECKING:
    from calibrant.ports.contents import Contents
    from calibrant.ports.control_store import ControlReader
    from calibrant.ports.event_log import EventReader
    from calibrant.streams.declaration import Stream
    from calibrant.wiring import Project
    from calibrant.workflow.doctor import Finding

#: There is no such store yet, which is nobody's fault.
_NOT_YET = ("CAL-111", "CAL-116")


@click.command(
    "doctor",
    epilog="""\b
Examples:
  calibrant doctor
  calibrant doctor --full --json

\b
Exit codes: 0 nothing to mend (notes do not count), 1 findings, 2 there is nothing that can be looked at.""",
)
@click.option("--full", is_flag=True, help="Read every entry of the audit log and every byte of the event store.")
@control.STORE
@options.JSON
def command(full: bool, store: str | None, as_json: bool) -> int:
    """Look at keys, files, clock, audit log, what is bound, people, streams and events. Changes nothing.

    Needs no key of a principal: whoever may read the files may run it. No secret is shown.
    """
    from calibrant import wiring

    project = wiring.project(store)
    if project.server is None and not project.folder.is_dir():
        raise errors.SourceError(
            "CAL-129",
            f"there is no installation in {str(project.folder)!r}",
            cause="the folder is not there",
            fix="name the project's folder: --store, or begin with calibrant people init",
        )
    found, missing = _examine(project, full=full)
    (_emit if as_json else _tell)(found, missing, full)
    return console.FINDINGS if any(one.check.level == "finding" for one in found) else console.FINE


def _examine(project: Project, *, full: bool) -> tuple[tuple[Finding, ...], list[str]]:
    """What was found, and what is not there yet."""
    import os

    from calibrant import wiring
    from calibrant.workflow import doctor, fitted_artifacts
    from calibrant.workflow.doctor import files

    unreadable: list[Finding] = []
    with ExitStack() as opened:
        decisions = _decisions(project, opened, unreadable)
        events = _events(project, opened, unreadable)
        place = doctor.Installation(
            project.folder,
            files.look_at_disk(project.folder, project.copy_folder(), server=project.server is not None),
            decisions,
            events,
            _contents(project, unreadable),
            project.audit_copy(),
            _streams(project, unreadable),
            fitted_artifacts.code(),
            bool(os.environ.get(wiring.KEY_VARIABLE)),
            wiring.clock().now_us(),
            full,
            tuple(unreadable),
        )
        found = doctor.examine(place)
    absent = [name for name, part in (("decisions", decisions), ("events", events)) if part is None]
    return found, absent


def _decisions(project: Project, opened: ExitStack, unreadable: list[Finding]) -> ControlReader | None:
    try:
        reader = opened.enter_context(project.control_reader())
        reader.size()  # a schema that is not ours says so when it is read
    except (errors.CalibrantError, OSError) as error:
        _note(project, "decisions", error, unreadable)
        return None
    return reader


def _events(project: Project, opened: ExitStack, unreadable: list[Finding]) -> EventReader | None:
    try:
        reader = opened.enter_context(project.open_reader())
        return opened.enter_context(reader.snapshot())
    except (errors.CalibrantError, OSError) as error:
        _note(project, "events", error, unreadable)
        return None


def _note(project: Project, part: str, error: errors.CalibrantError | OSError, unreadable: list[Finding]) -> None:
    """A part that is not there yet is nobody's fault; without the server there is nothing to look at."""
    from calibrant.workflow import doctor

    if project.server is not None and isinstance(error, errors.StoreFaultError):
        raise error
    if isinstance(error, OSError) or error.code not in _NOT_YET:
        unreadable.append(doctor.unreadable(part, error))


def _contents(project: Project, unreadable: list[Finding]) -> Contents | None:
    """Where contents lie; opening a folder would make it."""
    import os

    from calibrant import wiring
    from calibrant.workflow import doctor

    if not os.environ.get(wiring.CONTENTS_VARIABLE) and not (project.folder / "contents").is_dir():
        return None
    try:
        return project.contents()
    except errors.CalibrantError as error:
        unreadable.append(doctor.unreadable("contents", error))
        return None


def _streams(project: Project, unreadable: list[Finding]) -> tuple[Stream, ...]:
    from calibrant.workflow.doctor import findings

    streams = []
    for name in project.declared():
        try:
            streams.append(project.stream(name))
        except errors.CalibrantError as error:
            unreadable.append(findings.BAD_DECLARATION.saw(f"{name}: {error.code}, {error.what}"))
    return tuple(streams)


def _tell(found: tuple[Finding, ...], missing: list[str], full: bool) -> None:
    rows = [(one.check.code, one.check.level, one.seen, one.check.cause, one.check.fix) for one in found]
    if rows:
        head = ("code", "kind", "what was seen", "why it matters", "how to mend it")
        console.table("", head, rows, text_columns=len(head))
    notes = sum(one.check.level == "note" for one in found)
    click.echo(f"{len(found) - notes:,} findings, {notes:,} notes")
    for name in missing:
        click.echo(f"not looked at: {name}, which are not here or cannot be read")
    if not full:
        console.talk("only the last entries of the audit log were read, and no sealed events: --full reads everything")


def _emit(found: tuple[Finding, ...], missing: list[str], full: bool) -> None:
    every: list[dict[str, Any]] = [
        {
            "code": one.check.code,
            "level": one.check.level,
            "what": one.check.what,
            "seen": one.seen,
            "why": one.check.cause,
            "fix": one.check.fix,
        }
        for one in found
    ]
    console.emit_json({"schema": "calibrant.doctor/1", "full": full, "findings": every, "not_looked_at": missing})
