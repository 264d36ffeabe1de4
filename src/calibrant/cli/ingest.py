"""``calibrant ingest``: predictions into the store, counted exactly, resumed where they were acknowledged."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from calibrant import errors
from calibrant.cli import console, options, streams

if TYPE_CHECKING:
    from calibrant.workflow.ingest import Ingested

COUNTS = ("items", "accepted", "duplicate", "conflicting", "rejected", "expired")
FILE = click.argument("file", metavar="FILE")
COLUMN = click.option(
    "--column",
    "columns",
    metavar="MEMBER=COL",
    multiple=True,
    help="Parquet: which column holds a member, id=txn or cohorts.country=land; others are ignored then.",
)


@click.command(
    "ingest",
    epilog="""\b
Examples:
  calibrant ingest fraud predictions.jsonl
  calibrant ingest fraud scores.parquet --column id=txn --column at=scored_at --column score=p --json

\b
Exit codes: 0 all taken or there already, 1 some were rejected, conflicting or expired (the others are
kept), 2 wrong use or bad input.""",
)
@streams.NAME
@FILE
@COLUMN
@streams.STORE
@options.JSON
def command(stream: str, file: str, columns: tuple[str, ...], store: str | None, as_json: bool) -> int:
    """Take in predictions: each one is checked, kept once, and durable when it is counted.

    FILE is JSON lines (.jsonl), CSV (.csv), both also as .gz, Parquet (.parquet), a CloudEvents batch (.json), or -
    for JSON lines on standard input. Sending a file again changes nothing and says so; a run that was killed goes on.
    """
    return take(stream, file, columns=columns, store=store, kind="predictions", as_json=as_json)


def take(
    name: str,
    file: str,
    *,
    columns: tuple[str, ...],
    store: str | None,
    kind: Literal["predictions", "labels"],
    as_json: bool,
) -> int:
    """Ingest one input, tell what became of it, and return the exit code."""
    from calibrant import wiring
    from calibrant.workflow import feeds, ingest

    project = wiring.project(store)
    stream = project.stream(name)
    key = project.hmac_key(stream)
    piped = file == "-"
    feed = (
        feeds.standard_input(sys.stdin.buffer, stream, kind, hmac_key=key)
        if piped
        else feeds.open_feed(file, stream, kind, columns=_mapping(columns), hmac_key=key)
    )
    with project.open_store() as opened, console.progress(f"ingesting {kind}") as progress:
        found = ingest.ingest(
            opened,
            stream,
            feed,
            kind=kind,
            time=wiring.clock(),
            name=str(Path(file).resolve()),
            kept=None if piped else project.checkpoints(),
            progress=progress,
        )
        forgotten = ingest.house(opened, stream, time=wiring.clock())
    if as_json:
        console.emit_json(_document(found, name, file, kind=kind, forgotten=forgotten))
    else:
        console.table("", (kind, "count"), [(count, f"{getattr(found, count):,}") for count in COUNTS])
    tell(found, forgotten, kind)
    return console.FINE if found.clean else console.FINDINGS


def _document(found: Ingested, name: str, file: str, *, kind: str, forgotten: int) -> dict[str, Any]:
    named = [{"place": one.place, "code": one.code, "path": one.path, "reason": one.reason} for one in found.named]
    return {
        "schema": "calibrant.ingest/1",
        "stream": name,
        "kind": kind,
        "source": file,
        **{count: getattr(found, count) for count in COUNTS},
        "resumed": found.resumed,
        "forgotten": forgotten,
        "named": named,
    }


def _mapping(columns: tuple[str, ...]) -> dict[str, str] | None:
    """MEMBER=COL, several of them."""
    pairs = [one.partition("=") for one in columns]
    for (member, sign, column), written in zip(pairs, columns, strict=True):
        if not (member and sign and column):
            raise errors.UsageError(
                "CAL-498",
                f"--column {written!r} maps nothing",
                cause="it is not MEMBER=COL",
                fix="write --column id=txn",
            )
    return {member: column for member, _, column in pairs} or None


def tell(found: Ingested, forgotten: int, kind: str) -> None:
    """What people should know, on standard error."""
    if found.resumed:
        console.talk(f"went on after {found.resumed:,} items that an earlier run had counted")
    if found.items and found.duplicate == found.items:
        console.talk(f"nothing new: all {found.items:,} {kind} were there already")
    if forgotten:
        console.talk(f"{forgotten:,} events were deleted: older than the stream's retention, or orphans for too long")
    for one in found.named[:4]:
        where = f"{one.path}: " if one.path else ""
        console.talk(f"item {one.place:,}: {one.code} {where}{one.reason}")
    refused = found.rejected + found.conflicting + found.expired
    if refused > 4:
        console.talk(f"… {refused:,} items were not taken; calibrant status counts them by reason")
