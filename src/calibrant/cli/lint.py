"""``calibrant lint``: everything that is wrong with a stream's declaration, with its line, before it is used."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from calibrant.cli import console, options


@click.command(
    "lint",
    epilog="""\b
Examples:
  calibrant lint calibrant.d/streams/fraud.yaml
  calibrant lint calibrant.d/streams/*.yaml --json

\b
Exit codes: 0 no errors (there may be warnings), 1 errors, 2 a file that cannot be read.""",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@options.JSON
def command(files: tuple[str, ...], as_json: bool) -> int:
    """Check declarations of streams and alerts.yaml: errors keep a file from being used, warnings will be regretted."""
    from calibrant.streams import channels_file, yaml_file

    found = [
        (name, channels_file.lint_file(name) if Path(name).name == "alerts.yaml" else yaml_file.lint_file(name))
        for name in files
    ]
    wrong = sum(one.severity == "error" for _, findings in found for one in findings)
    if as_json:
        listed: list[dict[str, Any]] = [
            {"file": name, **dataclasses.asdict(one)} for name, findings in found for one in findings
        ]
        console.emit_json({"schema": "calibrant.lint/1", "files": len(found), "errors": wrong, "findings": listed})
    else:
        for name, findings in found:
            for one in findings:
                click.echo(f"{name}: {one}")
        warned = sum(len(findings) for _, findings in found) - wrong
        console.talk(f"{len(found):,} files: {wrong:,} errors, {warned:,} warnings")
    return console.FINDINGS if wrong else console.FINE
