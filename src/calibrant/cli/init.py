"""``calibrant init``: a commented declaration to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from calibrant import errors
from calibrant.cli import console, options, streams


@click.command(
    "init",
    epilog="""\b
Examples:
  calibrant init fraud
  calibrant init triage --store /srv/calibrant

\b
Exit codes: 0 done, 2 wrong name, or there is a declaration already (it stays as it is).""",
)
@click.argument("name", metavar="NAME")
@streams.STORE
@options.JSON
def command(name: str, store: str | None, as_json: bool) -> int:
    """Write a commented example of a stream's declaration, to be changed and linted."""
    from calibrant import wiring
    from calibrant.frames import atomic
    from calibrant.streams import template

    text = template.example(name)
    target = wiring.project(store).path_of(name)
    if target.exists():
        raise errors.UsageError(
            "CAL-496", f"{str(target)!r} is there already", cause="a declaration is never overwritten", fix="edit it"
        )
    _folder(target.parent)
    with atomic.replacing(target) as file:
        file.write(text.encode())
    console.talk(f"wrote {target}")
    console.talk(f"next: change it, then calibrant lint {target}, then calibrant ingest {name} FILE")
    if as_json:
        console.emit_json({"schema": "calibrant.init/1", "stream": name, "declaration": str(target)})
    return console.FINE


def _folder(folder: Path) -> None:
    from calibrant.frames import atomic

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise atomic.refused(folder, error) from error
