"""The part of the demo that needs no loop: a map per carrier fitted on early months and judged on later ones."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

#: Earlier rows fit, later rows judge.
CUT: Final = "2013-09-01"
COLUMNS: Final = "--score score --label label --time predicted_at --cohort carrier"
FILES: Final = ("report.html", "calibrator.json", "flights.parquet")


@dataclass(frozen=True, slots=True)
class Made:
    """What was found, as plain data."""

    evidence: Mapping[str, Any]
    recommendation: Mapping[str, Any]
    drift: Mapping[str, Any]


def make(folder: Path, seed: int) -> Made:
    """Measure September to December, fit on what was before, and write the files."""
    import numpy as np

    from calibrant import datasets
    from calibrant.calibrators import codec
    from calibrant.cli import check, pages
    from calibrant.decisions import costs
    from calibrant.evidence import assess, drift, recommend
    from calibrant.frames import atomic, columns, summaries

    with atomic.replacing(folder / "flights.parquet") as file:
        file.write(datasets.flights().read_bytes())
    rows = columns.read(datasets.flights(), score="score", label="label", cohorts=["carrier"], time="predicted_at")
    assert rows.times is not None
    later = rows.times >= np.datetime64(CUT)
    judged = rows.where(later)
    summed = summaries.summarise_rows(judged)
    evidence = assess.assess(summed.overall, summed.cohorts, seed=seed, about=check.about(judged))
    found = recommend.recommend(
        rows, objective=costs.Costs(false_positive=1.0, false_negative=4.0), judged=later, seed=seed
    )
    with atomic.replacing(folder / "calibrator.json") as file:
        file.write(codec.dumps(found.document))
    change = drift.compare(summaries.summarise_rows(rows.where(~later), by=()).overall, summed.overall, seed=seed)
    page = pages.compose(
        judged,
        summed,
        evidence,
        title="Late arrivals from New York, September to December 2013",
        advice=found,
        change=change,
        next_steps=next_steps(folder),
        made_at=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    )
    pages.write(page, str(folder / "report.html"))
    return Made(evidence.to_dict(), found.to_dict(), change.to_dict())


def next_steps(folder: Path) -> tuple[str, ...]:
    """Commands to type next; each works as it stands."""
    data, calibrator = folder / "flights.parquet", folder / "calibrator.json"
    return (
        f"calibrant check {data} {COLUMNS}",
        f"calibrant transform {calibrator} {data} --score score -o {folder / 'calibrated.parquet'}",
        f"calibrant export {calibrator} --to sql --dialect duckdb",
    )
