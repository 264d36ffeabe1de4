"""JSON text of tables equals what the json module would write."""

from __future__ import annotations

import datetime
import decimal
import json

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.frames import json_text

TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
ROW = st.fixed_dictionaries(
    {
        "text": TEXT,
        "real": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
        "truth": st.none() | st.booleans(),
        'odd "name"\n': st.none() | st.lists(st.integers(0, 9), max_size=2),
    }
)
TYPES = pa.schema(
    {
        "text": pa.string(),
        "real": pa.float64(),
        "whole": pa.int64(),
        "truth": pa.bool_(),
        'odd "name"\n': pa.list_(pa.int64()),
    }
)


@settings(deadline=None)
@given(st.lists(ROW, min_size=1))
def test_every_value_comes_back(rows: list[dict[str, object]]) -> None:
    """Text, reals to the last bit, 64-bit integers, booleans, lists and nulls survive, names included."""
    found = json_text.objects(pa.Table.from_pylist(rows, TYPES))
    assert [json.loads(line) for line in found] == rows


def test_values_that_json_lacks() -> None:
    """Not a number is null; times, days and decimals are text; categories are their words."""
    table = pa.table(
        {
            "nan": [float("nan"), float("inf")],
            "at": [datetime.datetime(2026, 1, 2, 3, 4), None],  # noqa: DTZ001  # a column without a zone
            "day": [datetime.date(2026, 1, 2), None],
            "exact": [decimal.Decimal("1.50"), None],
            "raw": [b"\x01", None],
            "word": pa.array(["a", None]).dictionary_encode(),
        }
    )
    first, second = map(json.loads, json_text.objects(table))
    assert first == {
        "nan": None,
        "at": "2026-01-02T03:04:00",
        "day": "2026-01-02",
        "exact": "1.50",
        "raw": "01",
        "word": "a",
    }
    assert set(second.values()) == {None}
