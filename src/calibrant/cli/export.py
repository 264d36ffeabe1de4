"""``calibrant export``: a map as Python, SQL or ONNX, proved equal to the map it came from."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from calibrant import errors
from calibrant.cli import calibrator_files, console, options

if TYPE_CHECKING:
    from calibrant.calibrators.export import Target

SUFFIX = {"python": ".py", "sql": ".sql", "onnx": ".onnx"}


@click.command(
    "export",
    epilog="""\b
Examples:
  calibrant export calibrator.json --to python -o calibrate.py
  calibrant export calibrator.json --to sql --dialect snowflake

\b
Exit codes: 0 done, 2 wrong use or bad input; then nothing is written.""",
)
@click.argument("calibrator", metavar="CALIBRATOR")
@click.option("--to", "target", required=True, type=click.Choice(list(SUFFIX)), help="Language of the export.")
@click.option("--dialect", metavar="NAME", help="Dialect of SQL, as sqlglot names it: duckdb, postgres, snowflake …")
@click.option("--score", default="score", show_default=True, metavar="COL", help="Score column of the SQL.")
@click.option("-o", "--output", metavar="OUT", help="File to write; without it text goes to standard output.")
@options.JSON
def command(
    calibrator: str, target: Target, dialect: str | None, score: str, output: str | None, as_json: bool
) -> None:
    """Write a calibrator as Python, SQL or ONNX.

    The export is run against the map before it is written, and carries the largest difference found.
    """
    from calibrant.calibrators import export
    from calibrant.frames import atomic

    if dialect is not None and target != "sql":
        raise errors.UsageError(
            "CAL-427", "--dialect is for SQL", cause=f"--to {target} was given", fix="leave --dialect out"
        )
    if target == "onnx" and output is None:
        raise errors.UsageError(
            "CAL-428", "ONNX is binary and needs a file", cause="no -o was given", fix="add -o calibrator.onnx"
        )
    made = export.export(calibrator_files.load(calibrator), to=target, dialect=dialect or "duckdb", score=score)
    if output is not None:
        with atomic.replacing(Path(output)) as file:
            file.write(made.content)
        console.talk(f"wrote {output}; largest difference from the map: {made.proof.largest_difference:.2g}")
    if as_json:
        text = None if target == "onnx" else made.text
        proof = dataclasses.asdict(made.proof)
        console.emit_json(
            {"schema": "calibrant.export/1", "to": target, "output": output, "proof": proof, "text": text}
        )
    elif output is None:
        click.echo(made.text, nl=False)
