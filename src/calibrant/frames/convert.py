"""Arrow columns to numpy, value by value checked; what is wrong goes into the ledger, never out of sight.

``besides`` are rows that are bad already: a row is counted once, for the first thing that is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from calibrant import errors
from calibrant.frames import files
from calibrant.frames.chunks import Chunk
from calibrant.frames.ledger import Bits, Ledger, Problem

Floats = NDArray[np.float64]
MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "null", "none"})
TRUTH = {"true": 1.0, "false": 0.0}


def scores(chunk: Chunk, name: str, ledger: Ledger) -> tuple[Floats, Bits]:
    """Raw scores, shape (n,), and which rows are bad."""
    values, unreadable = _numbers(chunk, name, words={})
    show = _shower(chunk, name)
    missing = ~np.isfinite(values) & ~unreadable
    low, high = ledger.scale.range
    with np.errstate(invalid="ignore"):
        outside = (values < low) | (values > high)
    outside &= ~missing
    usable = values[~(missing | unreadable)] if missing.any() or unreadable.any() else values
    if len(usable):
        ledger.low, ledger.high = min(ledger.low, float(usable.min())), max(ledger.high, float(usable.max()))
        ledger.score_bits_only &= bool(np.all((usable == 0.0) | (usable == 1.0)))
    ledger.note(Problem.UNREADABLE, name, unreadable, chunk, show)
    ledger.note(Problem.MISSING, name, missing, chunk, show)
    ledger.note(Problem.OUTSIDE, name, outside, chunk, show)
    return values, unreadable | missing | outside


def labels(chunk: Chunk, name: str, ledger: Ledger, *, besides: Bits) -> tuple[Floats, Bits]:
    """Labels, shape (n,), and which rows are bad: text, missing, or not 0 or 1 (for rates: outside [0, 1])."""
    column = _plain(chunk.table[name])
    if not chunk.untyped and _is_text(column.type):
        seen = compute.unique(column.drop_null()).slice(0, 3).to_pylist()
        raise errors.ColumnError(
            "CAL-203",
            f"column {name!r} holds text, labels are 0 or 1",
            cause=f"{chunk.place.name} has values such as {files.shorten(', '.join(map(repr, seen)), 80)}",
            fix="make the column numbers or booleans: 1 for yes and 0 for no",
        )
    values, unreadable = _numbers(chunk, name, words=TRUTH)
    show = _shower(chunk, name)
    missing = np.isnan(values) & ~unreadable
    known = ~(missing | unreadable)
    with np.errstate(invalid="ignore"):
        whole = (values == 0.0) | (values == 1.0)
        wrong = ~whole if ledger.target == "binary" else ~((values >= 0.0) & (values <= 1.0))
    wrong &= known
    if not whole.all() and known.any():
        ledger.label_low = min(ledger.label_low, float(values[known].min()))
        ledger.label_high = max(ledger.label_high, float(values[known].max()))
        ledger.label_fractions += int(np.count_nonzero(known & (values > 0.0) & (values < 1.0)))
    ledger.note(Problem.LABEL_TEXT, name, unreadable & ~besides, chunk, show)
    ledger.note(Problem.LABEL_MISSING, name, missing & ~besides, chunk, show)
    ledger.note(Problem.LABEL_VALUE, name, wrong & ~besides, chunk, show)
    return values, unreadable | missing | wrong


def weights(chunk: Chunk, name: str, ledger: Ledger, *, besides: Bits) -> tuple[Floats, Bits]:
    """Weights, shape (n,), and which rows are bad: negative, missing, infinite or not numbers."""
    values, unreadable = _numbers(chunk, name, words={})
    with np.errstate(invalid="ignore"):
        bad = unreadable | ~np.isfinite(values) | (values < 0.0)
    ledger.note(Problem.WEIGHT, name, bad & ~besides, chunk, _shower(chunk, name))
    return values, bad


def times(chunk: Chunk, name: str, ledger: Ledger, *, besides: Bits) -> tuple[NDArray[np.datetime64], Bits]:
    """Times as datetime64[us], shape (n,): with a zone in UTC, without one as they stand."""
    column = _plain(chunk.table[name])
    if not (_is_text(column.type) or pa.types.is_temporal(column.type) or pa.types.is_null(column.type)):
        raise errors.ColumnError(
            "CAL-206",
            f"column {name!r} cannot be read as time",
            cause=f"its type is {column.type}: the unit and the origin of numbers are not known",
            fix="write ISO 8601 text or a timestamp column",
        )
    stamps = _stamps(column)
    values = stamps.to_numpy(zero_copy_only=False).astype("datetime64[us]")
    bad: Bits = np.isnat(values)
    ledger.note(Problem.TIME, name, bad & ~besides, chunk, _shower(chunk, name))
    return values, bad


def _stamps(column: pa.Array) -> pa.Array:
    naive, zoned = pa.timestamp("us"), pa.timestamp("us", "UTC")
    if not _is_text(column.type):
        return compute.cast(column, zoned if getattr(column.type, "tz", None) else naive, safe=False)
    for kind in (naive, zoned):
        try:
            return compute.cast(column, kind)
        except pa.ArrowInvalid:
            continue
    return pa.array([_stamp(value) for value in column.to_pylist()], naive)


def _stamp(text: str | None) -> Any:
    """One value without a zone, or None: a zone in some rows only would make their order a guess."""
    try:
        return compute.cast(pa.scalar(text, pa.string()), pa.timestamp("us")).as_py()
    except pa.ArrowInvalid:
        return None


def cohorts(chunk: Chunk, name: str) -> pa.DictionaryArray:
    """Cohort values as text, dictionary-encoded; a missing value is the empty text, a cohort of its own."""
    column = _plain(chunk.table[name])
    kind = column.type
    if pa.types.is_nested(kind):
        raise errors.ColumnError(
            "CAL-209",
            f"column {name!r} cannot name cohorts",
            cause=f"its type is {kind}",
            fix="name a column of text, whole numbers or booleans",
        )
    encoded = compute.dictionary_encode(compute.fill_null(column, pa.scalar("", kind)) if _is_text(kind) else column)
    words = pa.array([_word(value) for value in encoded.dictionary.to_pylist()], pa.string())
    if encoded.null_count:
        words = pa.concat_arrays([words, pa.array([""])])
        return pa.DictionaryArray.from_arrays(compute.fill_null(encoded.indices, len(words) - 1), words)
    return pa.DictionaryArray.from_arrays(encoded.indices, words)


def _word(value: Any) -> str:
    """The text of a cohort value, the same for 1, 1.0 and "1", for a date and its midnight, for True and "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).removesuffix(" 00:00:00")


def _numbers(chunk: Chunk, name: str, *, words: dict[str, float]) -> tuple[Floats, Bits]:
    """Values as float64, NaN where missing, and which rows hold something that is no number."""
    column = _plain(chunk.table[name])
    if chunk.untyped:
        return _parse(column, words)
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_null(kind) or pa.types.is_integer(kind) or _is_real(kind):
        values = compute.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return values, np.zeros(len(values), bool)
    raise errors.ColumnError(
        "CAL-204",
        f"column {name!r} must hold numbers",
        cause=f"its type in {chunk.place.name} is {kind}, for example {_shower(chunk, name)(0)}",
        fix="name another column, or convert this one to numbers",
    )


def _parse(column: pa.Array, words: dict[str, float]) -> tuple[Floats, Bits]:
    try:
        values = compute.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
        return values, np.zeros(len(values), bool)
    except pa.ArrowInvalid:
        pass  # some value is no number: look at each, to count them and to name the first
    values, unreadable = np.full(len(column), np.nan), np.zeros(len(column), bool)
    for index, raw in enumerate(column.to_pylist()):
        text = (raw or "").strip().lower()
        if text in MISSING_WORDS:
            continue
        try:
            values[index] = words[text] if text in words else float(text.replace("_", "?"))
        except ValueError:
            unreadable[index] = True
    return values, unreadable


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """One array, decoded if it came dictionary-encoded."""
    joined = column.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        joined = pa.concat_arrays(joined.chunks) if joined.num_chunks else pa.array([], joined.type)
    return joined.dictionary_decode() if pa.types.is_dictionary(joined.type) else joined


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_real(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _shower(chunk: Chunk, name: str) -> Callable[[int], str]:
    return lambda row: files.shorten(repr(chunk.table[name][row].as_py()), 40)
