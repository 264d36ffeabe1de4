"""JSON lines, block by block: fast with Arrow, and once more in plain Python where Arrow refuses, to say why."""

from __future__ import annotations

import io
import itertools
import json
import zlib
from collections.abc import Generator, Iterator, Sequence
from typing import IO, Any

import pyarrow as pa
from pyarrow import json as arrow_json

from calibrant import errors
from calibrant.frames import files
from calibrant.frames.chunks import Chunk, Place, Source

BLOCK = 1 << 22


def open_source(opened: files.Opened) -> Source:
    """Read the first block, which names the columns; the rest comes when ``chunks`` is called."""
    place = Place(opened.name, opened.path, opened.format)
    blocks = _blocks(opened.stream, place)
    lines = next(blocks, None)
    if not lines:
        raise files.empty(opened.name)
    columns = tuple(_fast(lines).column_names if _fast_or_none(lines) is not None else _names(lines, place))

    def chunks(wanted: Sequence[str] | None) -> Generator[Chunk]:
        first = 1
        for block in itertools.chain([lines], blocks):
            table = _table(block, place, first, wanted)
            yield Chunk(table, place, first, False, tuple(block), opened.tape.done)
            first += len(block)

    return Source(place, columns, chunks, opened.size, "jsonl")


def _blocks(stream: IO[bytes], place: Place) -> Iterator[list[bytes]]:
    """Lists of whole lines without the blank ones."""
    rest = b""
    try:
        while block := stream.read(BLOCK):
            whole, newline, tail = (rest + block).rpartition(b"\n")
            rest = tail if newline else whole + tail
            if lines := [line for line in whole.split(b"\n") if line.strip()] if newline else []:
                yield lines
    except (OSError, EOFError, zlib.error) as error:
        raise files.damaged(place.name, error) from error
    if rest.strip():
        yield [rest]


def _fast(lines: Sequence[bytes]) -> pa.Table:
    whole = b"\n".join(lines)
    return arrow_json.read_json(io.BytesIO(whole), read_options=arrow_json.ReadOptions(block_size=len(whole) + 1))


def _fast_or_none(lines: Sequence[bytes]) -> pa.Table | None:
    try:
        return _fast(lines)
    except pa.ArrowInvalid:
        return None


def _table(lines: Sequence[bytes], place: Place, first: int, wanted: Sequence[str] | None) -> pa.Table:
    table = _fast_or_none(lines)
    if table is not None:
        names = table.column_names if wanted is None else wanted
        missing = pa.nulls(len(lines))
        return pa.table({name: table[name] if name in table.column_names else missing for name in names})
    rows = [_object(line, place, first + index) for index, line in enumerate(lines)]
    names = list(dict.fromkeys(name for row in rows for name in row)) if wanted is None else wanted
    return pa.table({name: _column(name, [row.get(name) for row in rows], place, first) for name in names})


def _names(lines: Sequence[bytes], place: Place) -> list[str]:
    rows = [_object(line, place, index) for index, line in enumerate(lines, 1)]
    return list(dict.fromkeys(name for row in rows for name in row))


def _object(line: bytes, place: Place, row: int) -> dict[str, Any]:
    def no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            double = next(name for name in names if names.count(name) > 1)
            raise errors.ColumnError(
                "CAL-202",
                f"the field {double!r} comes twice",
                cause=f"in {place.describe(row)}",
                fix="write every field once in each object",
            )
        return found

    try:
        value = json.loads(line, object_pairs_hook=no_doubles)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.SourceError(
            "CAL-106",
            f"{place.name} is not JSON lines",
            cause=f"{place.describe(row)}: {files.shorten(str(error), 80)}",
            fix="write one complete JSON object a line",
        ) from error
    if not isinstance(value, dict):
        raise errors.SourceError(
            "CAL-106",
            f"{place.name} is not JSON lines",
            cause=f"{place.describe(row)} holds {type(value).__name__}, not an object",
            fix="write one complete JSON object a line",
        )
    return value


def _column(name: str, values: list[Any], place: Place, first: int) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise mixed(name, values, place, first) from error


def mixed(name: str, values: Sequence[Any], place: Place, first: int) -> errors.ColumnError:
    """The error for a column of several types: names the first row that differs from the first value."""
    kinds = [type(value) for value in values]
    known = next((kind for kind in kinds if kind is not type(None)), type(None))
    others = [index for index, kind in enumerate(kinds) if kind not in (known, type(None), *_FRIENDS.get(known, ()))]
    at = others[0] if others else 0
    return errors.ColumnError(
        "CAL-205",
        f"the column {name!r} mixes types",
        cause=f"{len(others) or 1:,} rows differ from the first {known.__name__}; "
        f"{place.describe(first + at)} holds {files.shorten(repr(values[at]), 40)}",
        fix="give all rows of the column one type",
    )


_FRIENDS: dict[type, tuple[type, ...]] = {int: (float,), float: (int,)}
