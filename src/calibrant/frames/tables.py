"""Data frames of any library, through narwhals, and mappings of arrays; the same kind back."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
from narwhals import exceptions as nw_exceptions
from numpy.typing import NDArray

from calibrant import errors
from calibrant.frames import json_lines
from calibrant.frames.chunks import Chunk, Place, Source


def open_source(frame: Any) -> Source:
    """Any eager or lazy frame that narwhals knows, or a mapping of column names to one-dimensional arrays."""
    if isinstance(frame, Mapping):
        return _from_mapping(frame)
    wrapped, kind = _wrap(frame)
    place = Place(f"the {kind} frame")

    def chunks(wanted: Sequence[str] | None) -> Generator[Chunk]:
        picked = wrapped if wanted is None else wrapped.select(*wanted)
        if isinstance(picked, nw.LazyFrame):
            picked = picked.collect(backend="pyarrow")
        yield Chunk(_to_arrow(picked, place), place, 1)

    return Source(place, tuple(wrapped.collect_schema().names()), chunks, 0)


def like(frame: Any, columns: Mapping[str, NDArray[Any]]) -> Any:
    """The frame with columns added (or replaced), as the kind that came in: lazy stays lazy, an index stays."""
    if isinstance(frame, Mapping):
        return {**frame, **columns}
    wrapped, _ = _wrap(frame)
    if isinstance(wrapped, nw.DataFrame):
        space = nw.get_native_namespace(wrapped)
        made = [nw.new_series(name, values, backend=space) for name, values in columns.items()]
        return wrapped.with_columns(*made).to_native()
    if wrapped.implementation is nw.Implementation.POLARS:
        return like(wrapped.collect().to_native(), columns).lazy()
    table = wrapped.collect(backend="pyarrow").to_native()
    for name, values in columns.items():
        kept = table.drop_columns([name]) if name in table.column_names else table
        table = kept.append_column(name, pa.array(values))
    if wrapped.implementation is nw.Implementation.DUCKDB:
        import duckdb

        return duckdb.from_arrow(table)
    raise errors.SourceError(
        "CAL-109",
        f"columns cannot be added to a lazy {wrapped.implementation.name.lower()} frame here",
        cause="its rows live in another engine",
        fix="collect it first, or join the result by key",
    )


def _wrap(frame: Any) -> tuple[nw.DataFrame[Any] | nw.LazyFrame[Any], str]:
    try:
        wrapped = nw.from_native(frame)
    except TypeError as error:
        raise errors.SourceError(
            "CAL-109",
            f"cannot read data from {type(frame).__name__}",
            cause="it is no path, no data frame that narwhals knows and no mapping of arrays",
            fix="pass a path, a pandas, polars, Arrow or DuckDB table, or a dict of arrays",
        ) from error
    except (nw_exceptions.DuplicateError, ValueError) as error:
        raise errors.ColumnError(
            "CAL-202", "column names of the frame come twice", cause=str(error).split("\n")[0], fix="rename one of them"
        ) from error
    return wrapped, wrapped.implementation.name.lower()


def _to_arrow(frame: nw.DataFrame[Any], place: Place) -> pa.Table:
    try:
        return frame.to_arrow()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        for name in frame.columns:
            values = frame[name].to_list()
            if len({type(value) for value in values}) > 1:
                raise json_lines.mixed(name, values, place, 1) from error
        raise errors.ColumnError(
            "CAL-205",
            "a column has a type that cannot be read",
            cause=str(error).split("\n")[0],
            fix="give the columns plain types: numbers, booleans, text, times",
        ) from error


def _from_mapping(columns: Mapping[str, Any]) -> Source:
    place = Place("the mapping")
    arrays = {str(name): np.asarray(values) for name, values in columns.items()}
    lengths = {name: array.shape for name, array in arrays.items()}
    if any(array.ndim != 1 for array in arrays.values()) or len(set(lengths.values())) > 1:
        raise errors.ColumnError(
            "CAL-212",
            "the arrays of the mapping do not make a table",
            cause=f"their shapes are {lengths}",
            fix="pass one-dimensional arrays of one length",
        )

    def chunks(wanted: Sequence[str] | None) -> Generator[Chunk]:
        names = list(arrays) if wanted is None else wanted
        yield Chunk(pa.table({name: _array(name, arrays[name], place) for name in names}), place, 1)

    return Source(place, tuple(arrays), chunks, 0)


def _array(name: str, values: NDArray[Any], place: Place) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise json_lines.mixed(name, values.tolist(), place, 1) from error
