"""How long it takes to read rows into a summary, against the least that any reading costs, and against engines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks import clock, data
from calibrant.stats import grid, summary

TITLE = "Rows to a summary"


def run(stream: data.Stream) -> Iterator[clock.Line]:
    p, y = stream.scores, stream.labels
    keys = (p * 3000.0).astype(np.int64)
    least = clock.median(lambda: (np.log(p), np.bincount(keys)))
    least_name = "one np.log pass + one np.bincount"
    counts = clock.median(lambda: summary.summarise(p, y, detail="counts"))
    goal = clock.Goal("within", 1.5)
    yield clock.Line(
        "basic sums (n and label sum per cell: enough for every fit)", counts, least_name, least, goal
    )  # fmt: skip
    full = clock.median(lambda: summary.summarise(p, y))
    yield clock.Line(
        "all nine sums", full, least_name, least, goal,
        note="reads the cell, the score, its square and the log loss: four tallies and one logarithm a row",
    )  # fmt: skip
    yield from engines(stream, full)


def engines(stream: data.Stream, ours: float) -> Iterator[clock.Line]:
    """The same cells, ready-made, grouped and summed by an engine: it is spared the work of finding the cell."""
    p, y = stream.scores, stream.labels
    cell = np.concatenate([grid.cells(part).copy() for part in np.array_split(p, max(len(p) // 32_768, 1))])
    loss = -np.log(np.where(y == 1, p, 1.0 - p))
    found = summary.summarise(p, y)
    if clock.installed("polars"):
        import polars

        frame = polars.DataFrame({"cell": cell, "y": y, "p": p, "loss": loss})
        sums = [
            polars.len().alias("n"), polars.col("y").cast(polars.Int64).sum().alias("wy"),
            polars.col("p").sum().alias("wp"), (polars.col("p") ** 2).sum().alias("wpp"),
            (polars.col("p") * polars.col("y")).sum().alias("wpy"), polars.col("loss").sum(),
        ]  # fmt: skip
        grouped = frame.group_by("cell").agg(sums).sort("cell")
        yield clock.Line(
            "all nine sums",
            ours,
            "polars group_by on ready-made cells and losses, all cores",
            clock.median(lambda: frame.group_by("cell").agg(sums), times=3),
            agreement=_agreement(found, grouped["n"].to_numpy(), grouped["wp"].to_numpy()),
        )
    if clock.installed("duckdb"):
        import duckdb
        import pyarrow

        connection = duckdb.connect()
        connection.register("rows", pyarrow.table({"cell": cell, "y": y, "p": p, "loss": loss}))
        connection.execute("create table stored as select * from rows")
        query = (
            "select cell, count(*) n, sum(y) wy, sum(p) wp, sum(p * p) wpp, sum(p * y) wpy, sum(loss) loss "
            "from stored group by cell order by cell"
        )
        answer = connection.execute(query).fetchnumpy()
        yield clock.Line(
            "all nine sums",
            ours,
            "DuckDB GROUP BY on ready-made cells and losses, all cores",
            clock.median(lambda: connection.execute(query).fetchnumpy(), times=3),
            agreement=_agreement(found, answer["n"], answer["wp"]),
        )
        connection.close()


def _agreement(found: summary.Summary, n: np.ndarray, wp: np.ndarray) -> str:
    same = bool(np.array_equal(found.n, n))
    largest = float(np.max(np.abs(found.sums[3] / wp - 1.0)))
    return f"counts {'equal' if same else 'DIFFER'}, score sums within {largest:.1e} (relative)"
