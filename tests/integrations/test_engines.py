"""Every engine that runs here gives the summary of the reference join: counts exactly, sums within 1e-9."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import narwhals as nw
import numpy as np
import polars
import pyarrow as pa
import pytest
from pyarrow import parquet

from calibrant import errors
from calibrant.calibrators.scales import Scale
from calibrant.integrations import duckdb as duckdb_engine
from calibrant.integrations import polars as polars_engine
from calibrant.joining import expression, joined, reference, sql, tables
from calibrant.streams import declaration


def _events() -> ModuleType:
    place = Path(__file__).parents[1] / "joining" / "conftest.py"
    spec = importlib.util.spec_from_file_location("joining_events", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


events = _events()
CONTRACTS, COHORTS, AS_OF = events.CONTRACTS, events.COHORTS, events.AS_OF
SOURCE = declaration.TableSource("duckdb", "predictions", "labels", {"predictions.cohorts.country": "land"})


def flat(predictions: pa.Table) -> pa.Table:
    """Cohort fields as columns of their own, one of them under another name."""
    parsed = [json.loads(text) for text in predictions["cohorts"].to_pylist()]
    for column, field in (("land", "country"), ("kind", "kind")):
        predictions = predictions.append_column(column, pa.array([one.get(field) for one in parsed], pa.string()))
    return predictions.drop_columns(["cohorts"])


class Frames:
    """Any frame that narwhals knows and that is held in memory."""

    def __init__(self, frames: Mapping[str, Any]) -> None:
        self.frames = frames

    def columns(self, table: str) -> Mapping[str, bool]:
        return {name: kind.is_integer() for name, kind in nw.from_native(self.frames[table]).schema.items()}

    def answer(self, question: sql.Question, predictions: sql.Selected, labels: sql.Selected) -> pa.Table:
        made = (
            tables.mapped(self.frames[one.table], one, sql.wanted_columns(names, one))
            for names, one in ((expression.PREDICTIONS, predictions), (expression.LABELS, labels))
        )
        return question(*made).to_arrow()


class Relations:
    """narwhals on DuckDB's relations, without the detour through text."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.engine = duckdb_engine.DuckDB(connection)
        self.columns = self.engine.columns

    def answer(self, question: sql.Question, predictions: sql.Selected, labels: sql.Selected) -> pa.Table:
        made = (
            nw.from_native(self.engine.connection.sql(sql.selection(one, sql.wanted_columns(names, one), dialect="duckdb")))
            for names, one in ((expression.PREDICTIONS, predictions), (expression.LABELS, labels))
        )
        return question(*made).to_native().to_arrow_table()


def engine_of(name: str, feeds: Any) -> tables.Engine:
    predictions, labels = flat(feeds.predictions), feeds.labels
    match name:
        case "duckdb" | "duckdb relations":
            connection = duckdb.connect(":memory:")
            for table, rows in (("predictions", predictions), ("labels", labels)):
                connection.register("given", rows)
                connection.execute(f"CREATE TABLE {table} AS SELECT * FROM given")
            return duckdb_engine.DuckDB(connection) if name == "duckdb" else Relations(connection)
        case "polars":
            return polars_engine.Polars(
                {"predictions": polars.from_arrow(predictions), "labels": polars.from_arrow(labels)}
            )
        case "polars eager":
            return Frames({"predictions": polars.from_arrow(predictions), "labels": polars.from_arrow(labels)})
        case "pandas":
            return Frames({"predictions": predictions.to_pandas(), "labels": labels.to_pandas()})
        case _:
            return Frames({"predictions": predictions, "labels": labels})


ENGINES = ("duckdb", "duckdb relations", "polars", "polars eager", "pyarrow", "pandas")


def assert_same(found: joined.Joined, expected: joined.Joined) -> None:
    """Counts, cohorts and cells exactly; sums within 1e-9 of the sum."""
    assert found.counts == expected.counts
    assert found.kept == expected.kept
    assert found.cohorts.fields == expected.cohorts.fields
    assert found.cohorts.keys == expected.cohorts.keys
    for name in ("keys", "n", "starts"):
        np.testing.assert_array_equal(getattr(found.cohorts.summary, name), getattr(expected.cohorts.summary, name))
    np.testing.assert_allclose(found.cohorts.summary.sums, expected.cohorts.summary.sums, rtol=1e-9, atol=0)


@pytest.mark.parametrize("rule", CONTRACTS, ids=lambda rule: rule.conflicts)
@pytest.mark.parametrize("name", ENGINES)
def test_engines_agree(name: str, rule: declaration.LabelContract) -> None:
    """All policies, with caps, revisions, repeats, conflicts, orphans, late and early labels, and bad numbers."""
    feeds = events.make(400, seed=11)
    expected = reference.join(*feeds, rule=rule, as_of_us=AS_OF, cohorts=COHORTS)
    found = tables.join(SOURCE, engine=engine_of(name, feeds), rule=rule, as_of_us=AS_OF, cohorts=COHORTS)
    assert_same(found, expected)
    assert found.counts.conflicting_labels > 0
    assert found.counts.overflow["country"] > 0
