"""``calibrant incident``: a window of a stream for the postmortem."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from calibrant import errors
from calibrant.cli import console, control, streams

if TYPE_CHECKING:
    from calibrant.workflow.incident import Incident


@click.command(
    "incident",
    epilog="""\b
Examples:
  calibrant incident fraud --from 2026-03-01 --to 2026-03-08
  calibrant incident fraud --from 2026-03-01 --to 2026-03-08 -o incident.html
  calibrant incident fraud --from 2026-03-01T08:00:00Z --to 2026-03-01T20:00:00Z --json

\b
Exit codes: 0 written, 2 wrong use, refused, or nothing was ingested or decided yet.""",
)
@streams.NAME
@click.option("--from", "begin", metavar="TIME", required=True, help="When it began: 2026-03-01 or RFC 3339.")
@click.option("--to", "end", metavar="TIME", required=True, help="When it was over.")
@click.option("--environment", default="production", show_default=True, help="Whose binding served the stream.")
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="FILE.html or FILE.md."
)
@control.READS
def command(
    stream: str, begin: str, end: str, environment: str, output: Path | None, store: str | None, as_json: bool
) -> int:  # fmt: skip
    """What happened from one moment to another: timeline, numbers made again from events, and a postmortem draft.

    Numbers are those of the scores that acted, for the window and for the one before, as known then and now. Without a
    file the draft is printed as Markdown. What people said is in it, unless it was erased.
    """
    if output is not None and output.suffix not in (".html", ".md"):
        raise errors.UsageError(
            "CAL-420",
            "the kind of file is not clear",
            cause=f"{output.name!r} ends in neither .html nor .md",
            fix="name a file that ends in one of them",
        )
    found = review(stream, begin, end, environment, store)
    if as_json:
        console.emit_json(found.to_dict())
    if output is not None:
        _write(found, output)
        console.talk(f"wrote {output}")
    elif not as_json:
        from calibrant.charts import incident_page
        from calibrant.workflow import postmortem

        click.echo(incident_page.markdown(postmortem.page(found)), nl=False)
    return console.FINE


def review(stream: str, begin: str, end: str, environment: str, store: str | None) -> Incident:
    """The incident, read as the principal whose key is in CALIBRANT_KEY."""
    from calibrant import wiring
    from calibrant.workflow import incident

    start_us, end_us = streams.moment(begin, "--from"), streams.moment(end, "--to")
    assert start_us is not None
    assert end_us is not None
    with control.looking(store) as (project, reader), project.answering() as (events, _):
        return incident.review(
            events, reader, project.contents(), project.stream(stream), environment, start_us=start_us, end_us=end_us,
            now_us=wiring.clock().now_us(),
        )  # fmt: skip


def _write(found: Incident, output: Path) -> None:
    from calibrant.charts import incident_page
    from calibrant.frames import atomic
    from calibrant.workflow import postmortem

    page = postmortem.page(found)
    text = incident_page.html(page) if output.suffix == ".html" else incident_page.markdown(page)
    with atomic.replacing(output) as file:
        file.write(text.encode())
