"""Columns of tables with names of their own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from calibrant.joining import tables
from calibrant.streams import declaration

duckdb = pytest.importorskip("duckdb")


def test_the_time_of_receipt_may_have_any_name() -> None:
    """Mapped, it decides what was known when; not mapped, the times that rows carry do."""
    from calibrant.integrations.duckdb import DuckDB

    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE p AS SELECT 'a' AS id, 0::BIGINT AS at, 0.5 AS score, 5::BIGINT AS loaded")
        connection.execute(
            "CREATE TABLE l AS SELECT 'a' AS prediction, 1::BIGINT AS at, 1 AS value, 9::BIGINT AS booked"
        )
        found = {}
        for name, mapped in {
            "own": {},
            "mapped": {"predictions.received": "loaded", "labels.received": "booked"},
        }.items():
            source = declaration.TableSource("duckdb", "p", "l", mapped)
            rule = declaration.LabelContract(timedelta(microseconds=3))
            every = [tables.join(source, engine=DuckDB(connection), rule=rule, as_of_us=at).counts for at in (4, 8, 10)]
            found[name] = [(counts.predictions, counts.labelled) for counts in every]
    assert found == {"own": [(1, 1)] * 3, "mapped": [(0, 0), (1, 0), (1, 1)]}
