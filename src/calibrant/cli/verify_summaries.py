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
Exit codes: 0 equal, 1 a summary differs from its events or a file is damaged, 2 wrong use or nothing ingested yet.""",
)
@streams.NAME
@streams.STORE
@options.JSON
def command(stream: str, store: str | None, as_json: bool) -> int:
    """Compare the kept summaries of a stream with its events: counts exactly, sums to 1e-9 of their size.

    First the bytes of all its events with the digests under which they were kept.

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
                "damaged": list(found.damaged),
                "differences": [{"partition": at, "what": what} for at, what in differences],
            }
        )
    else:
        click.echo(
            f"{found.checked:,} partitions with {found.predictions:,} predictions checked, {found.pending:,} pending, "
            f"{len(differences):,} differ"
        )
        for name in found.damaged:
            click.echo(f"damaged: {name}; restore it from a backup")
        for at, what in differences:
            click.echo(f"{at}  {what}")
    return console.FINDINGS if differences or found.damaged else console.FINE
