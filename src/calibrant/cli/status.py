"""``calibrant status``: what came in, how late labels are, how much has matured, what was not taken."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from calibrant.cli import console, options, streams

if TYPE_CHECKING:
    from calibrant.workflow.status import Status


@click.command(
    "status",
    epilog="""\b
Examples:
  calibrant status fraud
  calibrant status fraud --from 2026-03-01 --json

\b
Exit codes: 0 done, 2 wrong use or nothing ingested yet.""",
)
@streams.NAME
@streams.WINDOW
@streams.STORE
@options.JSON
def command(stream: str, begin: str | None, end: str | None, store: str | None, as_json: bool) -> int:
    """How is a stream doing? Lag and completeness of labels, maturity, orphans, quarantine, refusals."""
    from calibrant import wiring
    from calibrant.workflow import status

    project = wiring.project(store)
    declared = project.stream(stream)
    with project.open_reader() as reader, streams.steps("reading") as progress:
        found = status.status(
            reader,
            declared,
            now_us=wiring.clock().now_us(),
            start_us=streams.moment(begin, "--from"),
            end_us=streams.moment(end, "--to"),
            progress=progress,
        )
    if as_json:
        console.emit_json(document(found))
    else:
        show(found)
    return console.FINE


def document(found: Status) -> dict[str, Any]:
    """The status as plain data."""
    counts = dataclasses.asdict(found.counts)
    for name in ("first_at_us", "last_at_us", "last_label_us"):
        held = counts.pop(name)
        counts[name.removesuffix("_us")] = None if held is None else streams.time_text(held)
    join = dataclasses.asdict(found.join)
    return {
        "schema": "calibrant.status/1",
        "stream": found.stream,
        "as_of": streams.time_text(found.as_of_us),
        "counts": counts,
        "join": {name: n for name, n in join.items() if n is not None},
        "matured_share": found.join.matured_share,
        "label_lag_seconds": {f"{quantile:g}": us / 1e6 for quantile, us in found.lag},
        "maturity": [
            {"age_seconds": one.age_us / 1e6, "old_enough": one.old_enough, "labelled": one.labelled}
            for one in found.maturity
        ],
        "quarantined": found.quarantined,
        "rejected_by_code": dict(found.refused),
        "partitions": found.partitions,
        "partitions_to_summarise": found.dirty,
    }


def show(found: Status) -> None:
    """The status as tables for people."""
    counts, join = found.counts, found.join
    console.out().print(f"{found.stream}  as of {streams.time_text(found.as_of_us)}", style="bold")
    events = [
        ("predictions", counts.predictions, _span(counts.first_at_us, counts.last_at_us)),
        ("labels", counts.labels, f"the last dated {streams.time_text(counts.last_label_us)}"),
        ("  orphans", counts.orphans, "labels whose prediction has not come"),
        ("duplicates", counts.duplicates, "came again, changed nothing"),
        ("conflicting", counts.conflicting, f"same identity, other body; {found.quarantined:,} kept to look at"),
        ("rejected", counts.rejected, ", ".join(f"{code}: {n:,}" for code, n in found.refused[:4])),
        ("expired", counts.expired, "older than retention, or sent again after waiting too long"),
        ("orphans expired", counts.orphans_expired, "waited too long for their prediction"),
        ("erased", counts.erased, "on request"),
    ]
    console.table("", ("events", "", "count"), [(name, note, f"{n:,}") for name, n, note in events], text_columns=2)
    click.echo()
    states = [
        ("matured", join.matured, "their outcome can no longer change"),
        ("  labelled", join.labelled, "pairs"),
        ("  implicit", join.implicit, "pairs: no label by the horizon means no"),
        ("  unlabelled", join.unlabelled, "no outcome by the horizon"),
        ("  unresolved", join.unresolved, "labels disagree"),
        ("immature", join.immature, "their horizon has not passed"),
        ("future", join.future, "dated after now"),
        ("late labels", join.late, "given after the horizon: they count for nothing"),
        ("early labels", join.early, "dated before their prediction: see leakage"),
    ]
    console.table(
        f"{streams.share_text(join.matured_share)} of {join.predictions:,} predictions have matured",
        ("predictions", "", "count"),
        [(name, note, f"{n:,}") for name, n, note in states if n or not name.startswith(" ")],
        text_columns=2,
    )
    click.echo()
    lag = "  ".join(f"{_quantile(quantile)} {streams.length_text(us)}" for quantile, us in found.lag)
    click.echo(f"label lag  {lag or 'no label yet'}")
    curve = "  ".join(f"{streams.length_text(one.age_us)} {streams.share_text(one.share)}" for one in found.maturity)
    click.echo(f"labelled by age  {curve}")
    click.echo(f"summaries  {found.dirty:,} of {found.partitions:,} partitions changed since they were made")


def _span(first: int | None, last: int | None) -> str:
    return "" if first is None else f"{streams.time_text(first)} to {streams.time_text(last)}"


def _quantile(share: float) -> str:
    return "longest" if share == 1.0 else "median" if share == 0.5 else f"{100 * share:g} %"
