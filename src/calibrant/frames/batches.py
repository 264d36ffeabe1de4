"""Rows that stream: any number of them, batch by batch, whole tables with the scores checked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from calibrant import errors
from calibrant.calibrators.scales import Scale
from calibrant.frames import columns, convert, files, sources
from calibrant.frames.chunks import Chunk, Format, Source
from calibrant.frames.ledger import Bits, Ledger, Skipped

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Some rows on their way through ``transform``: the whole table, the raw scores, the cohorts as text.

    ``scores`` are NaN in the rows of ``bad``, which is all False unless the caller chose to skip bad rows.
    """

    table: pa.Table
    scores: Floats
    cohorts: tuple[NDArray[np.object_], ...]
    bad: Bits
    lines: tuple[bytes, ...] | None
    untyped: bool
    format: Format | None
    skipped: tuple[Skipped, ...]


def batches(
    source: Any,
    *,
    score: str,
    cohorts: Sequence[str] = (),
    scale: Scale | None = None,
    adding: str = "calibrated",
    skip_bad_rows: bool = False,
    progress: columns.Progress | None = None,
) -> Iterator[Batch]:
    """Stream whole rows, with the scores checked, to where a column ``adding`` is added.

    Raises at the first chunk that holds a bad score; with ``skip_bad_rows`` such rows pass with the score NaN.
    """
    with contextlib.closing(sources.open_sources(source)) as every:
        for opened in every:
            _addable(opened, adding)
            sources.require([score, *cohorts], opened)
            ledger, some = Ledger(scale or Scale(), "binary"), False
            with contextlib.closing(opened.chunks(None)) as chunks:
                for chunk in chunks:
                    some = some or chunk.table.num_rows > 0
                    yield _batch(chunk, opened.format, score, tuple(cohorts), ledger, skip_bad_rows)
                    if progress is not None:
                        progress(chunk.done, opened.size)
            if not some:
                raise files.empty(opened.place.name)


def _batch(
    chunk: Chunk, kind: Format | None, score: str, cohorts: tuple[str, ...], ledger: Ledger, skip: bool
) -> Batch:
    ledger.rows += chunk.table.num_rows
    ledger.found.clear()
    values, bad = convert.scores(chunk, score, ledger)
    if ledger.found and not skip:
        raise ledger.error()
    if bad.any():
        values = np.where(bad, np.nan, values)
    words = tuple(_decoded(convert.cohorts(chunk, field)) for field in cohorts)
    return Batch(chunk.table, values, words, bad, chunk.lines, chunk.untyped, kind, ledger.skipped())


def _addable(opened: Source, adding: str) -> None:
    """Raise unless the column to add is new and no name comes twice."""
    if adding in opened.columns:
        raise errors.ColumnError(
            "CAL-210",
            f"{opened.place.name} already has a column {adding!r}",
            cause="the result would have two of that name",
            fix="rename or remove it first",
        )
    for name in opened.columns:
        if opened.columns.count(name) > 1:
            raise sources.doubled(name, opened.place)


def _decoded(column: pa.DictionaryArray) -> NDArray[np.object_]:
    words = np.array(column.dictionary.to_pylist(), dtype=np.object_)
    decoded: NDArray[np.object_] = words[column.indices.to_numpy()]
    return decoded
