"""Tables: the fixed schema, other columns by a mapping, types that mean what they say."""

from __future__ import annotations

import decimal
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from calibrant import errors
from calibrant.events import wire_arrow
from calibrant.events.prediction import Prediction
from calibrant.streams import declaration

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
STREAM = declaration.Stream(
    "fraud",
    declaration.LabelContract(timedelta(days=9)),
    cohorts=(declaration.CohortField("country"),),
    context=declaration.ContextPolicy(allow=("amount",)),
)
UTC_TIME = pa.timestamp("us", tz="UTC")


def table(**changes: Any) -> pa.Table:
    return pa.table({"id": ["a", "b"], "at": pa.array([AT, AT], UTC_TIME), "score": [0.25, 0.5]} | changes)


def read(source: pa.Table, **options: Any) -> Any:
    [part] = wire_arrow.read_predictions(source, stream=STREAM, **options)
    return part


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"id": pa.array(["a", "b"], pa.large_string())},
        {"id": pa.array(["a", "b"]).dictionary_encode()},
        {"score": pa.array([0.25, 0.5], pa.float32())},
        {"score": pa.array([decimal.Decimal("0.25"), decimal.Decimal("0.50")])},
        {"at": pa.array([AT, AT], pa.timestamp("ns", tz="Europe/Berlin"))},
        {"at": ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00"]},
        {"model": pa.nulls(2)},
        {"cohorts": pa.nulls(2, pa.string()), "context": ["{}", None]},
    ],
)
def test_columns_of_any_type_that_means_the_same(changes: dict[str, Any]) -> None:
    """Dictionaries, decimals, other units and zones: the same events and digests."""
    part = read(table(**changes))
    assert part.rejected == ()
    assert list(part.batch.events()) == [Prediction("a", AT, 0.25), Prediction("b", AT, 0.5)]


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"score": [True, False]}, "score"),
        ({"score": ["0.25", "0.5"]}, "score"),
        ({"at": pa.array([AT, AT], pa.timestamp("us"))}, "at"),
        ({"at": [1_769_860_800, 1_769_860_801]}, "at"),
        ({"id": [1.0, 2.0]}, "id"),
        ({"model": [1, 2]}, "model"),
        ({"cohorts": [1, 2]}, "cohorts"),
    ],
)
def test_a_column_of_a_wrong_type_is_an_error_of_the_table(changes: dict[str, Any], member: str) -> None:
    """Nothing is guessed: no text as a number, no time without its zone, no seconds or milliseconds."""
    with pytest.raises(errors.ColumnError, match=f"CAL-223.*{member}"):
        read(table(**changes))


def test_a_bad_row_is_refused_alone() -> None:
    """Nulls, NaN, infinities and ranges, each with its member; the good row stays at its place."""
    nan = float("nan")
    source = pa.table(
        {
            "id": ["a", None, "c", "d", "e", "f"],
            "at": pa.array([AT, AT, None, AT, AT, AT], UTC_TIME),
            "score": [0.5, 0.5, 0.5, nan, float("inf"), 0.5],
            "served": [None, None, None, None, None, nan],
        }
    )
    part = read(source)
    assert [(one.index, one.code, one.path) for one in part.rejected] == [
        (1, "CAL-374", "id"),
        (2, "CAL-374", "at"),
        (3, "CAL-376", "score"),
        (4, "CAL-376", "score"),
        (5, "CAL-376", "served"),
    ]
    assert part.positions.tolist() == [0]


def test_a_mapping_reads_the_columns_of_a_warehouse() -> None:
    """Members and single cohorts and context members; whole numbers as identifiers; other columns are left alone."""
    source = pa.table(
        {
            "txn": [17, 18],
            "ts": pa.array([AT, AT], UTC_TIME),
            "p": [0.25, 0.5],
            "land": ["DE", None],
            "eur": [1.5, None],
            "unrelated": [b"x", b"y"],
        }
    )
    columns = {"id": "txn", "at": "ts", "score": "p", "cohorts.country": "land", "context.amount": "eur"}
    assert list(read(source, columns=columns).batch.events()) == [
        Prediction("17", AT, 0.25, cohorts={"country": "DE"}, context={"amount": 1.5}),
        Prediction("18", AT, 0.5),
    ]


@pytest.mark.parametrize("form", ["text", "map", "struct"])
def test_cohorts_come_as_text_map_or_struct(form: str) -> None:
    """Three ways to hold a mapping in a column."""
    made = {
        "text": pa.array(['{"country":"DE"}', '{"country":1}']),
        "map": pa.array([[("country", "DE")], [("land", "DE")]], pa.map_(pa.string(), pa.string())),
        "struct": pa.array([{"country": "DE", "land": None}, {"country": "DE", "land": "x"}]),
    }[form]
    part = read(table(cohorts=made))
    assert [event.cohorts for event in part.batch.events()] == [{"country": "DE"}]
    assert [(one.index, one.path) for one in part.rejected] == [(1, "cohorts")]


@pytest.mark.parametrize(
    ("source", "columns", "code"),
    [
        (table(scroe=[1, 2]), None, "CAL-222"),
        (table().drop(["score"]), None, "CAL-221"),
        (table(), {"score": "p"}, "CAL-222"),
        (table(), {"skore": "score"}, "CAL-222"),
        (table().append_column("id", pa.array(["x", "y"])), None, "CAL-222"),
    ],
)
def test_a_table_with_the_wrong_columns_is_an_error(
    source: pa.Table, columns: dict[str, str] | None, code: str
) -> None:
    """Missing, unknown, doubled, mapped to nothing."""
    with pytest.raises(errors.ColumnError, match=code):
        read(source, columns=columns)


def test_large_tables_come_in_parts_with_places_over_the_whole() -> None:
    """Tables and record batches alike; labels too."""
    n = wire_arrow.ROWS + 10
    source = pa.table(
        {
            "prediction": [str(row) for row in range(n)],
            "at_us": pa.array([1_000_000] * n, pa.int64()),
            "value": [2.0 if row == n - 1 else 1.0 for row in range(n)],
            "revision": pa.array([0] * n, pa.int32()),
        }
    )
    for given in (source, source.to_batches(max_chunksize=n - 3)):
        parts = list(wire_arrow.read_labels(given, stream=STREAM))
        assert sum(len(part.batch) for part in parts) == n - 1
        assert parts[-1].rejected[0].index == n - 1
        assert parts[-1].positions[-1] == n - 2
