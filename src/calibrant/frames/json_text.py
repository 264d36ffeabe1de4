"""Tables as JSON objects, one a row, column by column: text that needs no escaping never meets Python."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from typing import Any

import pyarrow as pa
from pyarrow import compute

#: What a JSON text may not hold as it is.
SPECIAL = r'[\x00-\x1f"\\]'


def objects(table: pa.Table) -> list[bytes]:
    """One JSON object a row: NaN and infinity become null, times ISO 8601, exact decimals text."""
    if not table.num_columns:
        return [b"{}"] * table.num_rows
    parts: list[Any] = []
    for index, name in enumerate(table.column_names):
        head = ("," if index else "{") + json.dumps(name, ensure_ascii=False) + ":"
        parts += [pa.scalar(head), _words(table[name].combine_chunks())]
    joined = compute.binary_join_element_wise(*parts, pa.scalar("}"), "")
    return [word.encode() for word in joined.to_pylist()]


def _words(column: pa.Array) -> pa.Array:
    """The JSON text of every value."""
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _words(column.dictionary_decode())
    if pa.types.is_floating(kind):
        finite = compute.is_finite(column)
        words = compute.cast(compute.if_else(finite, column, pa.scalar(None, kind)), pa.string())
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        words = compute.cast(column, pa.string())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        words = _quoted(compute.cast(column, pa.string()))
    else:
        words = pa.array([json.dumps(_plain(value), ensure_ascii=False) for value in column.to_pylist()], pa.string())
    return compute.fill_null(words, "null")


def _quoted(column: pa.Array) -> pa.Array:
    if compute.any(compute.match_substring_regex(column, SPECIAL)).as_py():
        rows = column.to_pylist()
        return pa.array([None if row is None else json.dumps(row, ensure_ascii=False) for row in rows], pa.string())
    return compute.binary_join_element_wise(pa.scalar('"'), column, pa.scalar('"'), "")


def _plain(value: Any) -> Any:
    """A value that JSON has."""
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case float():
            return value if math.isfinite(value) else None
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case decimal.Decimal() | datetime.timedelta():
            return str(value)
        case bytes():
            return value.hex()
        case _:
            return value
