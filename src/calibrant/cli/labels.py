"""``calibrant labels``: outcomes into the store, before, with or long after their predictions."""

from __future__ import annotations

import click

from calibrant.cli import ingest, options, streams


@click.command(
    "labels",
    epilog="""\b
Examples:
  calibrant labels fraud chargebacks.csv
  calibrant labels fraud outcomes.jsonl.gz --json

\b
Exit codes: 0 all taken or there already, 1 some were rejected, conflicting or expired (the others are
kept), 2 wrong use or bad input.""",
)
@streams.NAME
@ingest.FILE
@ingest.COLUMN
@streams.STORE
@options.JSON
def command(stream: str, file: str, columns: tuple[str, ...], store: str | None, as_json: bool) -> int:
    """Take in labels: prediction, value, at, and if there are several: source and revision.

    A label may come before its prediction, late, twice, or revised; the stream's label contract says which counts.
    FILE is as for calibrant ingest; a list from calibrant label-tasks with its value and at filled in will do.
    """
    return ingest.take(stream, file, columns=columns, store=store, kind="labels", as_json=as_json)
