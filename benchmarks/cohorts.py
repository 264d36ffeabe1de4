"""Many cohorts: the full check, the table of 100,000 of them, and their shrunk maps."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks import clock, data
from calibrant.evidence import assess
from calibrant.fitting import cohorts as cohort_maps
from calibrant.fitting import platt
from calibrant.frames import columns, summaries
from calibrant.stats import cohorts, summary

TITLE = "Cohorts"


def run(stream: data.Stream) -> Iterator[clock.Line]:
    yield from full_check(stream)
    yield from very_many(stream)


def full_check(stream: data.Stream) -> Iterator[clock.Line]:
    """From arrays in memory, and from a Parquet file with the cohort as text."""
    p, y, codes = stream.scores, stream.labels, stream.cohorts
    count = int(codes.max()) + 1
    keys = tuple((f"{number:05d}",) for number in range(count))

    def check() -> object:
        by_cohort = summary.summarise(p, y, groups=codes, group_count=count)
        stacked = cohorts.Cohorts(("cohort",), keys, by_cohort)
        return assess.assess(stacked.pooled(), stacked, seed=1)

    goal = clock.Goal("at_most", 3.0)
    what = f"full check of all rows and {count:,} cohorts"
    yield clock.Line(f"{what}, from arrays", clock.median(check, times=3), goal=goal)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        names = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), [key[0] for key in keys])
        parquet.write_table(pa.table({"score": p, "label": y, "cohort": names}), file)

        def check_file() -> object:
            rows = columns.read(str(file), score="score", label="label", cohorts=["cohort"])
            made = summaries.summarise_rows(rows)
            return assess.assess(made.overall, made.cohorts, seed=1)

        yield clock.Line(
            f"{what}, from a Parquet file", clock.median(check_file, times=1), goal=goal,
            note="reads, decompresses and checks every value of the file first",
        )  # fmt: skip


def very_many(stream: data.Stream) -> Iterator[clock.Line]:
    rng = np.random.default_rng(3)
    count = min(100_000, len(stream.scores) // 50)
    codes = rng.integers(0, count, len(stream.scores))
    codes[:count] = np.arange(count)
    keys = tuple((f"{number:06d}",) for number in range(count))

    def made() -> cohorts.Cohorts:
        by_cohort = summary.summarise(stream.scores, stream.labels, groups=codes, group_count=count)
        return cohorts.Cohorts(("cohort",), keys, by_cohort)

    taken, stacked = clock.timed(made)
    yield clock.Line(f"summary of {count:,} cohorts", taken)
    table, _ = clock.timed(lambda: assess.assess(stacked.pooled(), stacked, seed=1))
    yield clock.Line(f"table of {count:,} cohorts, from that summary", table)
    pooled = platt.fit(stacked.pooled())
    shrunk, _ = clock.timed(lambda: cohort_maps.fit(stacked.summary, keys, ("cohort",), pooled=pooled))
    yield clock.Line(f"shrunk maps of {count:,} cohorts, from that summary", shrunk)
