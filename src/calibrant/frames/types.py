"""Types for columns that came as text, when they leave as Parquet or JSON: only where nothing can be lost."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import compute

from calibrant import errors
from calibrant.frames import batches, files

#: Leading zeros, and more digits than a real has: names rather than quantities.
NAMES = r"^[+-]?(0\d|\d{16,}$)"


class Types:
    """Decides on the first batch, and holds all later ones to it."""

    def __init__(self) -> None:
        self.known: dict[str, pa.DataType] | None = None

    def apply(self, batch: batches.Batch) -> pa.Table:
        """The table with typed columns; a table that has types already is returned as it is."""
        if not batch.untyped:
            return batch.table
        if self.known is None:
            self.known = {name: _infer(batch.table[name]) for name in batch.table.column_names}
        try:
            typed = {name: _cast(batch.table[name], self.known[name]) for name in batch.table.column_names}
        except (pa.ArrowInvalid, KeyError) as error:
            raise errors.ColumnError(
                "CAL-211",
                "a later part of the input does not have the types of the first",
                cause=files.shorten(str(error)),
                fix="write .csv, which has no types, or make the column one type",
            ) from error
        return pa.table(typed)


def _infer(column: pa.ChunkedArray) -> pa.DataType:
    filled = column.filter(compute.not_equal(column, ""))
    if not len(filled):
        return pa.string()
    for kind in (pa.int64(), pa.bool_(), pa.float64()):
        try:
            values = compute.cast(filled, kind)
        except pa.ArrowInvalid:
            continue
        if compute.all(_same(values, filled)).as_py():
            return kind
    return pa.string()


def _same(values: pa.ChunkedArray, text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which values hold all that was read: whole numbers and booleans digit by digit, reals up to rounding."""
    if pa.types.is_floating(values.type):
        return compute.invert(compute.match_substring_regex(text, NAMES))
    word = compute.cast(values, pa.string())
    return compute.equal(word, compute.utf8_lower(text) if pa.types.is_boolean(values.type) else text)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_string(kind):
        return column
    filled = compute.if_else(compute.equal(column, ""), pa.scalar(None, pa.string()), column)
    values = compute.cast(filled, kind)
    if not compute.all(_same(values, filled), skip_nulls=True).as_py():
        raise pa.ArrowInvalid(f"a column of {kind} later holds values such as leading zeros")
    return values
