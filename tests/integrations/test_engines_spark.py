"""Spark in local mode: slow to start and large to install, so it has a job of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from calibrant import errors

pytestmark = [
    pytest.mark.theory,
    # of Spark about pandas, and of the sockets that it leaves to the collector
    pytest.mark.filterwarnings("ignore"),
]


def _module(place: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"engines_{place.stem}", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    if importlib.util.find_spec("pyspark") is None or shutil.which("java") is None:
        assert os.environ.get("CI_SPARK") != "true", "pyspark and Java must be there in this job"
        pytest.skip("pyspark or Java is not installed")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("calibrant")
    for key, value in {
        "spark.sql.session.timeZone": "UTC", "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2",
        "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
        # small tables: compiling every plan twice costs more than running it
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }.items():  # fmt: skip
        builder = builder.config(key, value)
    made = builder.getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    yield made
    made.stop()


@pytest.mark.parametrize(("text", "places"), [(False, (1, 3)), (True, (2,))], ids=["data frames", "SQL"])
def test_spark_agrees(session: Any, text: bool, places: tuple[int, ...]) -> None:
    """Both as data frames by narwhals and as compiled text: three policies, all that goes wrong."""
    from calibrant.integrations import spark

    engines = _module(Path(__file__).with_name("test_engines.py"))
    events = engines.events
    feeds = events.make(400, seed=11)
    session.createDataFrame(engines.flat(feeds.predictions)).createOrReplaceTempView("predictions")
    session.createDataFrame(feeds.labels).createOrReplaceTempView("labels")
    for rule in (events.CONTRACTS[place] for place in places):
        options: dict[str, Any] = {"rule": rule, "as_of_us": events.AS_OF, "cohorts": events.COHORTS}
        found = engines.tables.join(engines.SOURCE, engine=spark.Spark(session, text=text), **options)
        engines.assert_same(found, engines.reference.join(*feeds, **options))


def test_another_time_zone_is_refused(session: Any) -> None:
    """Timestamps without a zone would move."""
    from calibrant.integrations import spark

    session.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        with pytest.raises(errors.UsageError, match="CAL-477"):
            spark.Spark(session)
    finally:
        session.conf.set("spark.sql.session.timeZone", "UTC")
