"""Predictions and late labels in Parquet files, summarised by an engine: the scan grows, all that comes after does not.

``python -m benchmarks.engines --duckdb 1e6 1e7 1e8 --spark 1e6 1e7`` chooses the rows; ``make bench`` takes ``ROWS``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import clock, data, table
from calibrant.evidence import assess
from calibrant.fitting import isotonic, platt
from calibrant.joining import joined, tables
from calibrant.stats import cohorts
from calibrant.streams import declaration

TITLE = "One day in Parquet files, summarised by an engine"
#: What `make bench` measures; Spark runs where PySpark and Java are installed.
ROWS: Mapping[str, tuple[int, ...]] = {"duckdb": (1_000_000, 10_000_000), "spark": (1_000_000,)}
#: Of each engine; what does not fit is spilled to disk.
MEMORY = "8g"
START, DAY = 1_700_000_000_000_000, 86_400_000_000
HORIZON = timedelta(hours=2)
COHORTS = (declaration.CohortField("segment", 10),)
#: All segments are kept: nothing has to be counted beforehand.
KEPT = {"segment": None}


def run(_stream: data.Stream) -> Iterator[clock.Line]:
    yield from measured(ROWS)


def measured(rows: Mapping[str, Sequence[int]]) -> Iterator[clock.Line]:
    """Two lines for each engine and number of rows; where two engines read the same rows, how far they agree."""
    if not clock.installed("duckdb", "sqlglot"):
        return
    with tempfile.TemporaryDirectory(prefix="calibrant-bench-") as place:
        folder = Path(place)
        for count in sorted({count for counts in rows.values() for count in counts}):
            generate(folder, count)
            first: joined.Joined | None = None
            for name, opened in ENGINES.items():
                if count not in rows.get(name, ()) or not available(name):
                    continue
                with opened(folder) as (join, spent):
                    # the second run of a small table is told: its first is mostly start
                    if count < 10_000_000:
                        join()
                    before = spent()
                    seconds, found = clock.timed(join)
                    core_seconds = spent() - before
                yield _query(name, count, seconds, core_seconds, found, first)
                yield _after(name, count, found.cohorts)
                first = first or found


def available(name: str) -> bool:
    return name == "duckdb" or (clock.installed("pyspark") and shutil.which("java") is not None)


def _query(
    name: str, count: int, seconds: float, core_seconds: float, found: joined.Joined, first: joined.Joined | None
) -> clock.Line:
    events = count + (found.counts.labels or 0)
    return clock.Line(
        f"{name}, {count:,} predictions: join, maturity, revisions, summary and all counts",
        seconds,
        agreement="" if first is None else agreement(first, found),
        note=f"{events:,} events in {core_seconds:,.1f} core-seconds: {events / core_seconds:,.0f} in each",
    )


def _after(name: str, count: int, made: cohorts.Cohorts) -> clock.Line:
    def everything() -> object:
        pooled = made.pooled()
        return assess.assess(pooled, made, seed=1), platt.fit(pooled), isotonic.fit(pooled)

    cells = len(made.summary.keys)
    return clock.Line(
        f"{name}, {count:,} predictions: all measures, intervals and verdicts of {len(made)} cohorts, and two fits",
        clock.median(everything, times=3),
        note=f"from {cells:,} cells",
    )


def agreement(first: joined.Joined, second: joined.Joined) -> str:
    """Whether counts, cohorts and cells are the same, and how far the sums differ."""
    one, two = first.cohorts.summary, second.cohorts.summary
    same = first.counts == second.counts and first.cohorts.keys == second.cohorts.keys
    same = same and all(np.array_equal(getattr(one, name), getattr(two, name)) for name in ("keys", "n", "starts"))
    if not same:
        return "counts DIFFER between the engines"
    scale = np.where(one.sums == 0.0, 1.0, np.abs(one.sums))
    apart = float(np.max(np.abs(one.sums - two.sums) / scale))
    return f"engines agree: counts equal, sums within {apart:.1e}" if apart <= 1e-9 else f"sums DIFFER by {apart:.1e}"


# ---------------------------------------------------------------------------------- the two tables


def generate(folder: Path, rows: int) -> None:
    """A day of predictions in order of time and their labels in order of arrival: pure functions of the row number.

    Nine in ten have a label, one in ten a later revision that contradicts it; delays are up to 2.2 hours.
    """
    import duckdb

    def uniform(salt: int) -> str:
        return f"((hash(i, {salt}) >> 11)::DOUBLE + 0.5) / 9007199254740992.0"

    made = f"""(
      SELECT i, 'prediction-' || lpad(i::VARCHAR, 11, '0') AS id, {START} + (i * {DAY}) // {rows} AS at_us, odds,
        1.0 / (1.0 + exp(-odds)) AS score, 'segment-' || (hash(i, 1) % 10)::VARCHAR AS segment
      FROM (SELECT range AS i, -1.0 + 1.5 * sqrt(-2.0 * ln({uniform(2)})) * cos(2.0 * pi() * {uniform(3)}) AS odds
            FROM range({rows}))
    )"""
    outcome = f"({uniform(4)} < 1.0 / (1.0 + exp(-0.3 - 0.8 * odds)))"

    def labels(revision: int, value: str, share: str) -> str:
        delay = f"({uniform(6 + revision)} * 8e9)::BIGINT"
        return f"""SELECT id AS prediction, at_us + {delay} AS at_us, ({value})::DOUBLE AS value,
          {revision} AS revision, 'desk' AS source FROM {made} WHERE {share}"""

    with duckdb.connect(":memory:", config=_limits(folder)) as connection:
        for name, query in (
            ("predictions", f"SELECT id, at_us, score, segment FROM {made}"),
            ("labels", f"""{labels(0, outcome, f"{uniform(5)} < 0.9")} UNION ALL
              {labels(1, f"NOT {outcome}", f"{uniform(8)} < 0.1")} ORDER BY at_us"""),
        ):  # fmt: skip
            connection.execute(f"COPY ({query}) TO '{folder / name}.parquet' (FORMAT parquet)")


def _limits(folder: Path) -> dict[str, str]:
    return {"memory_limit": f"{MEMORY}b", "temp_directory": str(folder / "spilled")}


# ---------------------------------------------------------------------------------- the engines

#: What asks the engine, and what tells the seconds of processor that it and we have spent so far.
Opened = tuple[Callable[[], joined.Joined], Callable[[], float]]


@contextmanager
def duckdb_engine(folder: Path) -> Iterator[Opened]:
    import duckdb

    from calibrant.integrations import duckdb as engine

    with duckdb.connect(":memory:", config=_limits(folder)) as connection:
        source = declaration.TableSource(
            "duckdb", *(str(folder / f"{name}.parquet") for name in ("predictions", "labels"))
        )
        yield lambda: _joined(source, engine.DuckDB(connection)), time.process_time


@contextmanager
def spark_engine(folder: Path) -> Iterator[Opened]:
    from pyspark.sql import SparkSession

    from calibrant.integrations import spark as engine

    builder = SparkSession.builder.master("local[*]").appName("calibrant-bench")
    for key, value in {
        "spark.sql.session.timeZone": "UTC", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": MEMORY,
        "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
        "spark.local.dir": str(folder / "spilled"), "spark.sql.shuffle.partitions": "64",
    }.items():  # fmt: skip
        builder = builder.config(key, value)
    session: Any = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        for name in ("predictions", "labels"):
            session.read.parquet(str(folder / f"{name}.parquet")).createOrReplaceTempView(name)
        source = declaration.TableSource("spark", "predictions", "labels")
        java = Path(f"/proc/{session.sparkContext._gateway.proc.pid}/stat")
        yield lambda: _joined(source, engine.Spark(session)), lambda: time.process_time() + _spent(java)
    finally:
        session.stop()


def _spent(stat: Path) -> float:
    """Seconds of processor of another process, of the user and of the system."""
    ticks = stat.read_text().rpartition(")")[2].split()[11:13]
    return sum(int(one) for one in ticks) / os.sysconf("SC_CLK_TCK")


def _joined(source: declaration.TableSource, engine: tables.Engine) -> joined.Joined:
    return tables.join(
        source, engine=engine, rule=declaration.LabelContract(HORIZON), as_of_us=START + 2 * DAY, cohorts=COHORTS,
        kept=KEPT, unique_ids=True,
    )  # fmt: skip


ENGINES: Mapping[str, Callable[[Path], AbstractContextManager[Opened]]] = {
    "duckdb": duckdb_engine,
    "spark": spark_engine,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    for name in ENGINES:
        told = {"type": lambda text: int(float(text)), "nargs": "*", "default": [], "metavar": "ROWS"}
        parser.add_argument(f"--{name}", help=f"numbers of rows for {name}", **told)
    chosen = vars(parser.parse_args())
    rows = chosen if any(chosen.values()) else ROWS
    lines = []
    for line in measured(rows):
        print(f"{line.what}: {clock.seconds(line.ours)}; {line.note} {line.agreement}", file=sys.stderr, flush=True)
        lines.append(line)
    print(table.render({TITLE: lines}, rows=max(count for counts in rows.values() for count in counts)))


if __name__ == "__main__":
    main()
