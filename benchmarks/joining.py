"""Predictions and their late labels, joined and summarised by DuckDB: our whole query against one written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from benchmarks import clock, data
from calibrant.streams import declaration

if TYPE_CHECKING:
    import duckdb

    from calibrant.joining import joined

#: Joins of 10,000,000 rows take minutes on two cores; the ratio is what counts.
ROWS = 3_000_000
TITLE = f"{ROWS:,} predictions joined with late labels"
START = 1_700_000_000_000_000
HORIZON = timedelta(hours=2)
#: The least that answers the question: the latest label of each prediction within the horizon, summed by cell.
BY_HAND = f"""
WITH latest AS (
  SELECT p.id, any_value(p.score) AS score, arg_max(l.value, (l.revision, l.at_us, l.source)) AS value
  FROM predictions p JOIN labels l ON l.prediction = p.id
  WHERE l.at_us <= p.at_us + {HORIZON // timedelta(microseconds=1)} GROUP BY p.id
)
SELECT floor(score * 3000) AS cell, count(*) AS n, sum(value) AS wy, sum(score) AS wp, sum(score * score) AS wpp,
  sum(score * value) AS wpy, sum(-ln(CASE WHEN value = 1 THEN score ELSE 1 - score END)) AS loss
FROM latest GROUP BY cell
"""
#: Less than the question: every label counts, so that a prediction with two revisions counts twice.
NAIVE = f"""
SELECT floor(score * 3000) AS cell, count(*) AS n, sum(value) AS wy, sum(score) AS wp, sum(score * score) AS wpp,
  sum(score * value) AS wpy, sum(-ln(CASE WHEN value = 1 THEN score ELSE 1 - score END)) AS loss
FROM predictions p JOIN labels l ON l.prediction = p.id
WHERE l.at_us <= p.at_us + {HORIZON // timedelta(microseconds=1)} GROUP BY cell
"""


def run(stream: data.Stream) -> Iterator[clock.Line]:
    if not clock.installed("duckdb", "sqlglot"):
        return
    import duckdb

    from calibrant.integrations import duckdb as engine
    from calibrant.joining import tables

    with duckdb.connect(":memory:") as connection:
        fill(connection, stream.first(ROWS))
        source = declaration.TableSource("duckdb", "predictions", "labels")

        def ours(*, unique_ids: bool) -> joined.Joined:
            return tables.join(
                source, engine=engine.DuckDB(connection), rule=declaration.LabelContract(HORIZON),
                as_of_us=START + 10**15, unique_ids=unique_ids,
            )  # fmt: skip

        hand = clock.median(lambda: connection.execute(BY_HAND).fetchall(), times=3)
        naive = clock.median(lambda: connection.execute(NAIVE).fetchall(), times=3)
        pairs = sum(row[1] for row in connection.execute(BY_HAND).fetchall())
        found = ours(unique_ids=True)
        agreement = f"pairs {'equal' if found.counts.labelled == pairs else 'DIFFER'}: {pairs:,}"
        whole = clock.median(lambda: ours(unique_ids=True), times=3)
        checked = clock.median(lambda: ours(unique_ids=False), times=3)
        what = "join, maturity, revisions, summary and all counts"
        by_hand = "DuckDB's own join + GROUP BY of the latest label"
        yield clock.Line(
            what, whole, by_hand, hand, clock.Goal("within", 1.5), agreement,
            note="the query by hand counts nothing, and keeps no prediction without a label",
        )  # fmt: skip
        yield clock.Line(
            f"{what}, and a check that no id comes twice", checked, by_hand, hand,
            note="the check is one more GROUP BY of all ids; tables with a key of their own can leave it out",
        )  # fmt: skip
        yield clock.Line(
            what, whole, "DuckDB's join + GROUP BY of every label", naive,
            note="counts a prediction once for each of its revisions: a wrong answer, shown for its speed",
        )  # fmt: skip


def fill(connection: duckdb.DuckDBPyConnection, stream: data.Stream) -> None:
    """Nine in ten predictions have a label, one in ten a later revision, in order of arrival; an eighth come late."""
    import pyarrow

    connection.register("given", pyarrow.table({"score": stream.scores, "label": stream.labels}))
    connection.execute(
        f"""CREATE TABLE predictions AS SELECT 'prediction-' || lpad((row_number() OVER ())::VARCHAR, 9, '0') AS id,
        {START} + (row_number() OVER ()) * 1000 AS at_us, score, label FROM given"""
    )
    connection.execute("SELECT setseed(0.5)")
    connection.execute(
        """CREATE TABLE labels AS
        SELECT id AS prediction, at_us + (random() * 8e9)::BIGINT AS at_us, label::DOUBLE AS value, 0 AS revision,
          'desk' AS source FROM predictions WHERE random() < 0.9
        UNION ALL
        SELECT id, at_us + (random() * 8e9)::BIGINT, (1 - label)::DOUBLE, 1, 'desk' FROM predictions
        WHERE random() < 0.1
        ORDER BY at_us"""
    )
    connection.execute("ALTER TABLE predictions DROP label")
