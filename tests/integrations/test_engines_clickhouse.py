"""ClickHouse's own engine in this process (chDB) runs the compiled text: large, so it has a job of its own."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from calibrant.calibrators.scales import Scale
from calibrant.integrations import warehouses
from calibrant.streams import declaration

pytestmark = pytest.mark.theory


def _module(place: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"engines_{place.stem}", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


engines = _module(Path(__file__).with_name("test_engines.py"))
events = engines.events
SOURCE = declaration.TableSource(
    "clickhouse", "shop.predictions", "shop.labels", {"predictions.cohorts.country": "land"}
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if importlib.util.find_spec("chdb") is None:
        assert os.environ.get("CI_CLICKHOUSE") != "true", "chDB must be there in this job"
        pytest.skip("chDB is not installed")
    from chdb.session import Session

    made = Session(str(tmp_path_factory.mktemp("clickhouse")))
    yield made
    made.close()


def engine_of(session: Any, feeds: Any, folder: Path, *, timestamps: bool) -> warehouses.Warehouse:
    """The two tables as a client would see them, with times as timestamps or as whole microseconds."""
    known: dict[str, dict[str, bool]] = {}
    session.query("DROP DATABASE IF EXISTS shop")
    session.query("CREATE DATABASE shop")
    for name, table in (("predictions", engines.flat(feeds.predictions)), ("labels", feeds.labels)):
        for column in ("at_us", "received_us") if timestamps else ():
            stamps = table[column].cast(pa.timestamp("us", "UTC"))
            table = table.set_column(table.column_names.index(column), column.removesuffix("_us"), stamps)
        file = folder / f"{name}.parquet"
        parquet.write_table(table, file)
        session.query(
            f"CREATE TABLE shop.{name} ENGINE = MergeTree ORDER BY tuple() AS SELECT * FROM file('{file}', 'Parquet')"
        )
        known[f"shop.{name}"] = {field.name: pa.types.is_integer(field.type) for field in table.schema}

    def run(text: str) -> pa.Table:
        return parquet.read_table(pa.BufferReader(session.query(text, "Parquet").bytes()))

    return warehouses.Warehouse("clickhouse", run, known)


@pytest.mark.parametrize("place", range(len(events.CONTRACTS)))
def test_clickhouse_agrees(session: Any, place: int, tmp_path: Path) -> None:
    """All policies, and all that goes wrong."""
    feeds = events.make(400, seed=11)
    engine = engine_of(session, feeds, tmp_path, timestamps=False)
    options: dict[str, Any] = {"rule": events.CONTRACTS[place], "as_of_us": events.AS_OF, "cohorts": events.COHORTS}
    found = engines.tables.join(SOURCE, engine=engine, **options)
    engines.assert_same(found, engines.reference.join(*feeds, **options))


def test_windows_timestamps_and_rates(session: Any, tmp_path: Path) -> None:
    """A window of timestamps with pinned values, percent, rates and inverse propensities."""
    feeds = events.make(300, seed=5, rates=True)
    percent = feeds.predictions.set_column(3, "score", pa.array(feeds.predictions["score"].to_numpy() * 100.0))
    feeds = events.Feeds(percent, feeds.labels)
    options: dict[str, Any] = {
        "rule": events.CONTRACTS[0], "as_of_us": events.AS_OF, "cohorts": events.COHORTS, "scale": Scale("percent"),
        "target": "rate", "weighting": "inverse_propensity", "start_us": events.START + 10 * events.HOUR,
        "end_us": events.START + 40 * events.HOUR, "kept": {"country": ("CH", "US"), "kind": None},
    }  # fmt: skip
    found = engines.tables.join(SOURCE, engine=engine_of(session, feeds, tmp_path, timestamps=True), **options)
    engines.assert_same(found, engines.reference.join(*feeds, **options))
    assert found.counts.labelled > 20
