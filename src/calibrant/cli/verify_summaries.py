"""``calibrant verify-summaries``: every kept number again from the events."""

from __future__ import annotations

import click

from calibrant.cli import console, options, streams


@click.command(
    "verify-summaries",
    epilog="""\b
Examples:
  calibrant verify-summaries fraud
  calibrant verify-summaries fraud --json

\b
Exit codes: 0 equal, 1 a kept summary differs from its events, 2 wrong use or nothing ingested yet.""",
)
@streams.NAME
@streams.STORE
@options.JSON
def command(stream: str, store: str | None, as_json: bool) -> int:
    """Compare the kept summaries of a stream with its events: counts exactly, sums to 1e-9 of their size.

    Partitions that changed since they were summarised are pending: the next check makes them again.
    """
    from calibrant import wiring
    from calibrant.workflow import verify

    project = wiring.project(store)
    declared = project.stream(stream)
    with project.open_reader() as reader, streams.steps("verifying") as progress:
        found = verify.verify(reader, declared, progress=progress)
    differences = [(streams.time_text(one.partition_us), one.what) for one in found.differences]
    if as_json:
        console.emit_json(
            {
                "schema": "calibrant.verify-summaries/1",
                "stream": stream,
                "checked": found.checked,
                "pending": found.pending,
                "predictions": found.predictions,
                "differences": [{"partition": at, "what": what} for at, what in differences],
            }
        )
    else:
        click.echo(
            f"{found.checked:,} partitions with {found.predictions:,} predictions checked, {found.pending:,} pending, "
            f"{len(differences):,} differ"
        )
        for at, what in differences:
            click.echo(f"{at}  {what}")
    return console.FINDINGS if differences else console.FINE
