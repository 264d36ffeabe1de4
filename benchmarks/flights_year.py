"""`python -m benchmarks.flights_year`: the loop on the packaged year next to maps made by hand, for docs/loop.md.

Nothing here is timed. It takes minutes, and gives the same table whenever it runs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibrant.cli import demo_project, demo_story
from calibrant.fitting import platt
from calibrant.stats import summary as summaries
from calibrant.workflow import baselines, replaying

Floats = NDArray[np.float64]

#: After so many days a label counts half for the daily map.
HALF_LIFE = 7.0
HEADS = {
    "frozen": "frozen scores",
    "first_platt": "Platt of February",
    "last_isotonic": "last month's isotonic",
    "daily": "daily Platt, ungoverned",
    "governed": "the loop",
    "oracle": "oracle",
}


def daily_platt(raw: Floats, outcome: Floats, at_us: NDArray[np.int64]) -> Floats:
    """A Platt map fitted anew each midnight to all labels of days before, weighted by age: no gate, no horizon."""
    day = at_us // replaying.DAY_US
    answers = raw.copy()
    kept: summaries.Summary | None = None
    for each in np.unique(day):
        mine = day == each
        if kept is not None:
            answers[mine] = platt.fit(kept).apply(raw[mine])
        age = (each - day[day <= each]).astype(np.float64)
        few = age <= 10.0 * HALF_LIFE
        earlier = day <= each
        kept = summaries.summarise(
            raw[earlier][few], outcome[earlier][few], weights=0.5 ** (age[few] / HALF_LIFE)
        )  # fmt: skip
    return answers


def measure(replayed: replaying.Replayed) -> tuple[baselines.Month, ...]:
    """Losses by month of everything in ``HEADS``."""
    known = ~np.isnan(replayed.outcome)
    at, outcome, raw = replayed.at_us[known], replayed.outcome[known], replayed.raw[known]
    month = replaying.months(at)
    found = baselines.answers(raw, replayed.served[known], outcome, month)
    found["daily"] = daily_platt(raw, outcome, at)
    return baselines.table(found, outcome, month)


def markdown(months: tuple[baselines.Month, ...], measure_: str) -> str:
    """One table of docs/loop.md."""
    lines = ["| month | flights | " + " | ".join(HEADS.values()) + " |", "|---" + "|---:" * (len(HEADS) + 1) + "|"]
    for one in months:
        found = getattr(one, measure_)
        name = "**March to December**" if one.name == "all" else f"{one.name[:4]}-{one.name[4:]}"
        lines.append(f"| {name} | {one.rows:,} | " + " | ".join(f"{found[key]:.4f}" for key in HEADS) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flights_year", description=__doc__)
    parser.add_argument("--days", type=int, help="only the first days of the year")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = demo_project.prepare(Path(folder) / "project")
        year = demo_project.read_year(project.stream("flights"), days=options.days)
        replayed = demo_project.replay(
            project, year, progress=lambda day, days: None if day % 30 else print(day, "of", days, file=sys.stderr)
        )
    months = measure(replayed)
    for name in ("log_loss", "brier"):
        print(f"\n{name}\n\n{markdown(months, name)}")
    print()
    for line in demo_story.story(replayed.seen):
        print(line)


if __name__ == "__main__":
    main()
