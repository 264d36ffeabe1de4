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
            nw.from_native(
                self.engine.connection.sql(sql.selection(one, sql.wanted_columns(names, one), dialect="duckdb"))
            )
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


#: DuckDB plans each of these queries for seconds: two of them on every push, all of them every night.
QUICK = {"duckdb": (0, 3), "duckdb relations": (1,)}
CASES = [
    pytest.param(
        name,
        rule,
        id=f"{name}-{place}-{rule.conflicts}",
        marks=() if place in QUICK.get(name, range(len(CONTRACTS))) else pytest.mark.theory,
    )
    for name in ENGINES
    for place, rule in enumerate(CONTRACTS)
]


@pytest.mark.parametrize(("name", "rule"), CASES)
def test_engines_agree(name: str, rule: declaration.LabelContract) -> None:
    """All policies, with caps, revisions, repeats, conflicts, orphans, late and early labels, and bad numbers."""
    feeds = events.make(400, seed=11)
    expected = reference.join(*feeds, rule=rule, as_of_us=AS_OF, cohorts=COHORTS)
    found = tables.join(SOURCE, engine=engine_of(name, feeds), rule=rule, as_of_us=AS_OF, cohorts=COHORTS)
    assert_same(found, expected)
    assert found.counts.conflicting_labels > 0
    assert found.counts.overflow["country"] > 0


@pytest.mark.parametrize("name", ["duckdb", "polars"])
def test_windows_scales_weights_and_rates(name: str) -> None:
    """A window with pinned values, percent, rates, inverse propensities: as the reference."""
    feeds = events.make(300, seed=5, rates=True)
    percent = feeds.predictions.set_column(3, "score", pa.array(feeds.predictions["score"].to_numpy() * 100.0))
    feeds = events.Feeds(percent, feeds.labels)
    options: dict[str, Any] = {
        "rule": CONTRACTS[0], "as_of_us": AS_OF, "cohorts": COHORTS, "scale": Scale("percent"), "target": "rate",
        "weighting": "inverse_propensity", "start_us": events.START + 10 * events.HOUR,
        "end_us": events.START + 40 * events.HOUR, "kept": {"country": ("CH", "US"), "kind": None},
    }  # fmt: skip
    expected = reference.join(*feeds, **options)
    found = tables.join(SOURCE, engine=engine_of(name, feeds), **options)
    assert_same(found, expected)
    assert found.counts.orphans is None
    assert found.counts.labelled > 20


def test_ids_that_are_known_to_be_unique_need_no_check() -> None:
    """Without repeated ids both ways give the same."""
    feeds = events.make(200, seed=6)
    once = feeds.predictions.slice(0, 200)
    engine = engine_of("duckdb", events.Feeds(once, feeds.labels))
    first, second = (
        tables.join(SOURCE, engine=engine, rule=CONTRACTS[3], as_of_us=AS_OF, cohorts=COHORTS, unique_ids=unique)
        for unique in (True, False)
    )
    assert_same(first, second)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_files_where_they_lie(ending: str, tmp_path: Path) -> None:
    """Patterns of Parquet and CSV files, with timestamps instead of whole numbers, on DuckDB and polars."""
    feeds = events.make(200, seed=8)
    expected = reference.join(*feeds, rule=CONTRACTS[1], as_of_us=AS_OF, cohorts=COHORTS)
    for name, table in (("predictions", flat(feeds.predictions)), ("labels", feeds.labels)):
        for column in ("at_us", "received_us"):
            place = table.column_names.index(column)
            stamps = table[column].cast(pa.timestamp("us"))
            table = table.set_column(place, column.removesuffix("_us"), stamps)
        for part, rows in enumerate((table.slice(0, 50), table.slice(50))):
            file = str(tmp_path / f"{name}-{part}.{ending}")
            if ending == "parquet":
                parquet.write_table(rows, file)
            else:
                polars.from_arrow(rows).write_csv(file)
    source = declaration.TableSource(
        "files", str(tmp_path / f"predictions-*.{ending}"), str(tmp_path / f"labels-*.{ending}"),
        {"predictions.cohorts.country": "land"},
    )  # fmt: skip
    for engine in (duckdb_engine.DuckDB(), polars_engine.Polars()):
        assert_same(tables.join(source, engine=engine, rule=CONTRACTS[1], as_of_us=AS_OF, cohorts=COHORTS), expected)


def test_what_is_missing_is_named() -> None:
    """A column or table that is not there is refused with a code and a fix."""
    feeds = events.make(20)
    engine = engine_of("duckdb", feeds)
    with pytest.raises(errors.ColumnError, match="CAL-215"):
        tables.selected(
            declaration.TableSource("duckdb", "predictions", "labels", {"predictions.score": "p"}), engine=engine
        )
    with pytest.raises(errors.ColumnError, match="CAL-214"):
        tables.selected(declaration.TableSource("duckdb", "labels", "labels"), engine=engine)
    with pytest.raises(errors.ColumnError, match="CAL-216"):
        tables.selected(SOURCE, engine=engine, fields=["colour"])
    with pytest.raises(errors.SourceError, match="CAL-112"):
        engine.columns("nowhere")
    with pytest.raises(errors.SourceError, match="CAL-113"):
        polars_engine.Polars().columns("nowhere")
    with pytest.raises(errors.UsageError, match="CAL-476"):
        engine.columns("a.b.c.d")


def test_a_hostile_table_name_is_only_a_name() -> None:
    """Quotes and semicolons stay inside the quoted name or path."""
    engine = duckdb_engine.DuckDB()
    engine.connection.execute("CREATE TABLE precious (x INT)")
    for name in ('precious"; DROP TABLE precious; --', "x'); DROP TABLE precious; --.parquet"):
        with pytest.raises(errors.SourceError, match="CAL-112"):
            engine.columns(name)
    assert engine.columns("precious") == {"x": True}
