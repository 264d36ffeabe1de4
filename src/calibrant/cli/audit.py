"""``calibrant audit``: what was decided, whether the record of it is whole, and proofs for others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from calibrant import errors
from calibrant.cli import console, control, options, streams

if TYPE_CHECKING:
    from calibrant.artifacts.keys import PublicKey
    from calibrant.audit.verification import Fault, Findings, Problem
    from calibrant.ports.control_store import ControlReader
    from calibrant.wiring import Project
    from calibrant.workflow.audit_log import Line

_KEY = click.option(
    "--key", "key_files", metavar="FILE", multiple=True, type=click.Path(path_type=Path),
    help="A public key (PEM) that signs this log; by default the trust policy's and the one that lies here.",
)  # fmt: skip
#: What to do about each fault.
_FIXES: Final[dict[Fault, str]] = {
    "entry": "restore the control store from a backup; the second place has the entry as it was",
    "order": "somebody moved, removed or put in entries: compare with the second place from this entry on",
    "chain": "somebody removed or put in an entry about this resource: compare with the second place",
    "hash": "if the entry is as the second place has it, only the tree is damaged: restore it from a backup",
    "end": "the last changes were cut off, or an old backup was restored: the second place has them",
    "checkpoint": "find out who can sign checkpoints or change the store; an older checkpoint says when it began",
    "copy": "the journal of the second place says what this entry was; whoever can write the store changed it",
    "resource": "what is in force is not what was decided: look at calibrant audit log for this resource",
}


@click.group(
    "audit",
    epilog="""\b
Examples:
  calibrant audit log fraud --since 2026-03-01
  calibrant audit log binding/fraud/production --json
  calibrant audit verify
  calibrant audit prove 17 -o proof.json
  calibrant audit prove --check proof.json --key audit.pub

\b
Every command takes --json. Exit codes: 0 fine, 1 something was changed, 2 wrong use.""",
)
def command() -> None:
    """The record of every change: read it, verify it, prove what is in it."""


@command.command("log")
@click.argument("subject", metavar="[STREAM|KIND/NAME]", required=False)
@click.option("--since", metavar="TIME", help="Only entries at or after: 2026-03-01 or RFC 3339.")
@click.option("--until", metavar="TIME", help="Only entries before.")
@click.option("--actor", metavar="NAME", help="Only what this principal did.")
@click.option("--action", metavar="VERB", help="Only this action, such as binding.promote.")
@control.READS
def log(
    subject: str | None,
    since: str | None,
    until: str | None,
    actor: str | None,
    action: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """Who did what, when and why: of everything, of one stream, or of one resource. Oldest first."""
    from calibrant.workflow import audit_log

    wanted = audit_log.Wanted(
        subject, streams.moment(since, "--since"), streams.moment(until, "--until"), actor, action
    )
    with control.looking(store, action="audit.read") as (_, reader):
        found = list(audit_log.lines(reader, wanted))
    if as_json:
        every = [{**line.entry.to_dict(), "said": line.said} for line in found]
        console.emit_json({"schema": "calibrant.audit-log/1", "entries": every})
    elif found:
        head = ("entry", "time", "who", "what", "about", "why")
        rows = [_row(line) for line in found]
        console.table("", head, rows, text_columns=len(head), whole=("entry", "time"))
    else:
        console.talk("no entry is like this")
    return console.FINE


@command.command("verify")
@_KEY
@click.option(
    "--checkpoint", "kept", metavar="FILE", multiple=True, type=click.Path(path_type=Path),
    help="A checkpoint that you kept: the log must begin with what it was signed for.",
)  # fmt: skip
@control.STORE
@options.JSON
def verify(key_files: tuple[Path, ...], kept: tuple[Path, ...], store: str | None, as_json: bool) -> int:
    """Compute every hash again from the entries, and compare: stored hashes, checkpoints, second place, resources.

    Needs no key of a principal: who can read the store can verify it. Exit code 1 names the first bad entry.
    """
    from calibrant import wiring
    from calibrant.workflow import audit_log

    project = wiring.project(store)
    with project.control_reader() as reader:
        keys = _keys(project, reader, key_files)
        notes = [_read(path).decode(errors="replace") for path in kept]
        found = audit_log.verify(reader, project.audit_copy(), keys=keys, kept=notes)
    if as_json:
        console.emit_json(_document(found))
    else:
        _tell(found)
    return console.FINE if found.sound else console.FINDINGS


@command.command("prove")
@click.argument("index", type=click.IntRange(min=0), required=False)
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Write the proof here.")
@click.option("--check", "proof", metavar="FILE", type=click.Path(path_type=Path), help="Check a proof instead.")
@_KEY
@control.STORE
def prove(
    index: int | None, output: Path | None, proof: Path | None, key_files: tuple[Path, ...], store: str | None
) -> int:
    """Prove that entry INDEX is in the signed log, or --check such a proof, which needs the file and a key alone."""
    if (index is None) == (proof is None) or (proof is not None and output is not None):
        raise errors.UsageError(
            "CAL-886",
            "either an entry is proved or a proof is checked",
            cause="INDEX makes a proof, --check FILE checks one, and --output goes with INDEX",
            fix="write calibrant audit prove 17 -o proof.json, or calibrant audit prove --check proof.json",
        )
    if proof is not None:
        return _check(proof, key_files, store)
    from calibrant.audit import proof_file
    from calibrant.workflow import audit_log

    assert index is not None
    with control.looking(store, action="audit.read") as (_, reader):
        data = proof_file.dumps(audit_log.prove(reader, index))
    _write(output, data)
    return console.FINE


@command.command("checkpoint")
@click.option("--export", "output", metavar="FILE", type=click.Path(path_type=Path), help="Write the note here.")
@control.STORE
def checkpoint(output: Path | None, store: str | None) -> int:
    """Sign the log as it is now, and show the note. Keep it elsewhere: no later log can hide what it was signed for."""
    from calibrant.registry import policy

    with control.deciding(store) as desk:
        policy.demand("audit.checkpoint", desk.who.roles, who=desk.who.name)
        made = desk.ledger.checkpoint()
    if made is None:
        raise errors.UsageError(
            "CAL-887",
            "there is no checkpoint and none can be signed here",
            cause="the key of the audit log is not on this machine, or nothing was decided yet",
            fix="run this where keys/audit.key of the project lies",
        )
    _write(output, made.note.encode())
    return console.FINE


def _check(proof: Path, key_files: tuple[Path, ...], store: str | None) -> int:
    from calibrant import wiring
    from calibrant.audit import proof_file

    found = proof_file.loads(_read(proof))
    if key_files:
        keys = _keys(None, None, key_files)
    else:
        project = wiring.project(store)
        with project.control_reader() as reader:
            keys = _keys(project, reader, ())
    try:
        entry, said = proof_file.check(found, keys)
    except errors.ArtifactError as error:
        console.fail(error)
        return console.FINDINGS
    click.echo(
        f"proved: entry {entry.index:,} of {said.origin} with {said.size:,} entries. {control.moment(entry.at_us)} "
        f"{entry.actor} {entry.action} {entry.kind}/{entry.name} revision {entry.revision}"
    )
    return console.FINE


def _keys(project: Project | None, reader: ControlReader | None, files: tuple[Path, ...]) -> list[PublicKey]:
    """The keys that are given, or else those that this installation trusts."""
    from calibrant.artifacts import keys
    from calibrant.workflow import audit_log

    if files or project is None or reader is None:
        return [keys.load_public(path) for path in files]
    found = audit_log.trusted_keys(reader)
    if (project.folder / "keys" / "audit.key").exists():
        found.append(project.key("audit").public)
    return found


def _row(line: Line) -> tuple[str, ...]:
    entry = line.entry
    why = line.said if line.said is not None else ("" if entry.reason is None else "(erased)")
    about = f"{entry.kind}/{entry.name} r{entry.revision}"
    return f"{entry.index}", control.moment(entry.at_us), entry.actor, entry.action, about, why


def _tell(found: Findings) -> None:
    newest = f"the newest covers {found.covered:,}" if found.checkpoints else "none is signed yet"
    click.echo(f"{found.entries:,} entries, {found.checkpoints:,} checkpoints ({newest}), root {found.root.hex()[:16]}")
    if found.sound:
        click.echo("sound: entries, hashes, checkpoints, second place and resources agree")
        return
    first = found.first_bad()
    click.echo("NOT sound" if first is None else f"NOT sound: the first bad entry is {first:,}")
    for one in found.problems.values():
        click.echo(f"\n{_where(one)}: {one.text}\n  what to do: {_FIXES[one.fault]}")


def _where(problem: Problem) -> str:
    if problem.index is None or problem.end is None:
        return problem.fault
    if problem.end - problem.index == 1:
        return f"entry {problem.index:,}"
    return f"entries {problem.index:,} to {problem.end - 1:,}"


def _document(found: Findings) -> dict[str, Any]:
    return {
        "schema": "calibrant.audit-verify/1",
        "sound": found.sound,
        "entries": found.entries,
        "root": found.root.hex(),
        "checkpoints": found.checkpoints,
        "covered": found.covered,
        "first_bad": found.first_bad(),
        "problems": [
            {"fault": one.fault, "from": one.index, "before": one.end, "what": one.text, "fix": _FIXES[one.fault]}
            for one in found.problems.values()
        ],
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.SourceError(
            "CAL-101", f"cannot read {str(path)!r}", cause=error.strerror or str(error), fix="check the name"
        ) from error


def _write(path: Path | None, data: bytes) -> None:
    from calibrant.frames import atomic

    if path is None:
        click.echo(data.decode(), nl=False)
        return
    with atomic.replacing(path) as file:
        file.write(data)
    console.talk(f"wrote {path}")
