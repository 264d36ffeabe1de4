"""``calibrant label-tasks``: a list of cases that are worth a person's time."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import console, options, streams

if TYPE_CHECKING:
    from calibrant.workflow.label_tasks import LabelTask

#: What a spreadsheet would take for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@click.command(
    "label-tasks",
    epilog="""\b
Examples:
  calibrant label-tasks fraud -n 200 -o tasks.csv
  calibrant label-tasks triage -n 50 --threshold .8 -o tasks.jsonl --seed 7

\b
Fill in value and at, then: calibrant labels STREAM tasks.csv, and calibrant check --stream STREAM
--weighting inverse-propensity.
Exit codes: 0 done, 2 wrong use, or no case left to label.""",
)
@streams.NAME
@click.option("-n", "--count", type=click.IntRange(1), default=200, show_default=True, help="How many cases.")
@click.option("-o", "--output", required=True, metavar="OUT", help="The list to write: .csv or .jsonl.")
@click.option(
    "--threshold",
    type=click.FloatRange(0.0, 1.0),
    help="What served scores are compared with, where the events do not say it; .5 by default.",
)
@click.option("--from", "begin", metavar="TIME", help="Only predictions made at or after.")
@streams.STORE
@options.SEED
@options.JSON
def command(
    stream: str,
    count: int,
    output: str,
    threshold: float | None,
    begin: str | None,
    store: str | None,
    seed: int,
    as_json: bool,
) -> int:
    """Choose unlabelled cases to label: near the threshold, in bands with few labels, and at random.

    Every case carries the propensity with which it was chosen, so that labels can be weighted back to the whole.
    Only cases whose label would still come in time are chosen. Equal events, time and seed give equal lists.
    """
    from calibrant import wiring
    from calibrant.frames import atomic
    from calibrant.workflow import label_tasks

    project = wiring.project(store)
    declared = project.stream(stream)
    with project.open_reader() as reader:
        found = label_tasks.label_tasks(
            reader,
            declared,
            count,
            now_us=wiring.clock().now_us(),
            seed=seed,
            threshold=threshold,
            start_us=streams.moment(begin, "--from"),
        )
    content = render([row(task, declared.cohort_fields) for task in found.tasks], output)
    with atomic.replacing(Path(output)) as file:
        file.write(content)
    by_reason = dict(Counter(task.reason for task in found.tasks).most_common())
    console.talk(f"wrote {len(found.tasks):,} of {found.pool:,} unlabelled cases to {output}")
    if as_json:
        console.emit_json(
            {
                "schema": "calibrant.label-tasks/1",
                "stream": stream,
                "output": output,
                "tasks": len(found.tasks),
                "pool": found.pool,
                "by_reason": by_reason,
                "seed": seed,
            }
        )
    return console.FINE


def row(task: LabelTask, fields: tuple[str, ...]) -> dict[str, Any]:
    """One line of the list: first what a label needs, then what a person needs."""
    return {
        "prediction": task.prediction,
        "value": None,
        "at": None,
        "propensity": task.propensity,
        "reason": task.reason,
        "priority": round(task.priority, 4),
        "score": task.score,
        "model": task.model,
        "predicted_at": streams.time_text(task.at_us),
        "label_by": streams.time_text(task.label_by_us),
        **{f"cohorts.{name}": task.cohorts.get(name, "") for name in fields},
    }


def render(rows: list[dict[str, Any]], output: str) -> bytes:
    """The list in the form that the suffix asks for."""
    suffix = Path(output).suffix.lower()
    if suffix == ".jsonl":
        return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in rows)
    if suffix != ".csv":
        raise errors.UsageError(
            "CAL-492", f"tasks cannot be written to {output!r}", cause="its suffix is unknown", fix="use .csv or .jsonl"
        )
    for each in rows:
        for name, value in each.items():
            if isinstance(value, str) and value.startswith(FORMULA):
                raise errors.UsageError(
                    "CAL-493",
                    f"{name} of a case begins like a formula",
                    cause="a spreadsheet would run it, and changed it would no longer be the same case",
                    fix="write -o tasks.jsonl",
                )
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
