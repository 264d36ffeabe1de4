"""``calibrant transform``: apply a calibrator file to any number of rows, batch by batch."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

import click

from calibrant import errors
from calibrant.cli import calibrator_files, console, options


@click.command(
    "transform",
    epilog="""\b
Examples:
  calibrant transform calibrator.json preds.parquet --score p -o calibrated.parquet
  cat preds.csv | calibrant transform calibrator.json - --score p -o - > calibrated.csv

\b
Columns keep their order and values. From CSV to Parquet or JSON lines, whole numbers, numbers and
true/false get a type by what the first 4 MB hold, if no digit is lost (007 stays text).
Exit codes: 0 done, 2 wrong use or bad input; then nothing is written.""",
)
@click.argument("calibrator", metavar="CALIBRATOR")
@options.FILES
@click.option("--score", required=True, metavar="COL", help="Column of raw scores, on the scale of the map.")
@click.option(
    "-o", "--output", required=True, metavar="OUT", help=".csv, .tsv, .jsonl or .parquet; - for CSV on stdout."
)
@click.option("--skip-bad-rows", is_flag=True, help="Keep rows without a usable score, with no calibrated value.")
@options.JSON
def command(
    calibrator: str, files: tuple[str, ...], score: str, output: str, skip_bad_rows: bool, as_json: bool
) -> None:
    """Add the column `calibrated` to FILE; streams, so any size will do.

    A map by cohort reads its cohort columns under the names that it was fitted with.
    """
    from calibrant.frames import batches, transform, writers

    if as_json and output == "-":
        raise errors.UsageError(
            "CAL-424",
            "--json and the rows cannot both go to standard output",
            cause="-o - was given together with --json",
            fix="write the rows to a file",
        )
    document = calibrator_files.load(calibrator)
    reads = transform.reader(document.calibrator)
    format_ = writers.output_format(output)
    rows = skipped = 0
    with console.progress("transforming") as update, _output(output) as file:
        writer = writers.open_writer(file, format_, adding=transform.ADDED)
        for batch in batches.batches(
            list(files),
            score=score,
            cohorts=reads.cohorts,
            scale=reads.scale,
            adding=transform.ADDED,
            skip_bad_rows=skip_bad_rows,
            progress=update,
        ):
            writer.write(batch, reads.apply(batch))
            rows, skipped = rows + len(batch.scores), skipped + int(batch.bad.sum())
        writer.close()
    if skipped:
        console.talk(f"{skipped:,} of {rows:,} rows have no usable score: their {transform.ADDED} value is empty")
    if as_json:
        console.emit_json(
            {"schema": "calibrant.transform/1", "output": output, "rows": rows, "rows_without_score": skipped}
        )
    elif output != "-":
        console.talk(f"wrote {rows:,} rows to {output}")


def _output(name: str) -> AbstractContextManager[IO[bytes]]:
    from calibrant.frames import atomic

    return nullcontext(sys.stdout.buffer) if name == "-" else atomic.replacing(Path(name))
