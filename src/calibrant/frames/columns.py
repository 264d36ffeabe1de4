"""The door itself: all rows of a source at once, checked. ``frames.batches`` lets them stream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from calibrant import errors
from calibrant.calibrators.scales import Scale
from calibrant.frames import convert, files, sources
from calibrant.frames.chunks import Chunk
from calibrant.frames.ledger import Ledger, Skipped

Floats = NDArray[np.float64]
Target = Literal["binary", "rate"]
#: Called with how much was read and how much there is (0: not known), in bytes of the files.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False, slots=True)
class Encoded:
    """A cohort column: ``codes`` of shape (n,), int32, into the sorted ``values``."""

    codes: NDArray[np.int32]
    values: tuple[str, ...]

    def decode(self) -> NDArray[np.object_]:
        """The text of every row, shape (n,)."""
        return np.array(self.values, object)[self.codes]


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """Checked columns of one length n.

    ``scores`` are raw, on ``scale``; ``labels`` are int8 for a binary target and float64 for rates; ``times`` are
    datetime64[us]. ``read`` counts the rows that came in, ``skipped`` those of them that were left out on request.
    """

    scores: Floats
    labels: NDArray[Any]
    weights: Floats | None
    cohorts: dict[str, Encoded]
    times: NDArray[np.datetime64] | None
    scale: Scale
    target: Target
    source: str
    read: int
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def probabilities(self) -> Floats:
        """The scores as numbers in [0, 1]."""
        return self.scale.to_probability(self.scores)

    def where(self, rows: NDArray[Any]) -> Rows:
        """Some of the rows, by mask or index."""
        return Rows(
            self.scores[rows],
            self.labels[rows],
            None if self.weights is None else self.weights[rows],
            {field: Encoded(column.codes[rows], column.values) for field, column in self.cohorts.items()},
            None if self.times is None else self.times[rows],
            self.scale,
            self.target,
            self.source,
            self.read,
            self.skipped,
        )


def read(
    source: Any,
    *,
    score: str,
    label: str,
    weight: str | None = None,
    cohorts: Sequence[str] = (),
    time: str | None = None,
    scale: Scale | None = None,
    target: Target = "binary",
    skip_bad_rows: bool = False,
    progress: Progress | None = None,
) -> Rows:
    """Read and check all rows of a path, pattern, list of paths, ``"-"``, data frame or mapping of arrays.

    With ``skip_bad_rows`` the rows that fail a check are left out and counted in ``Rows.skipped``; when they are
    more than half of all rows the declaration is wrong, not the rows, and the error is raised all the same.

    >>> rows = read({"p": [0.2, 0.9], "y": [0, 1]}, score="p", label="y")
    >>> len(rows), rows.labels
    (2, array([0, 1], dtype=int8))
    """
    named = [name for name in (score, label, weight, time) if name is not None]
    _distinct(named, tuple(cohorts))
    ledger = Ledger(scale or Scale(), target)
    gathered = _Gathered(score, label, weight, tuple(cohorts), time)
    names, malformed, place = [], 0, "no file"
    with contextlib.closing(sources.open_sources(source, skip_malformed=skip_bad_rows)) as every:
        for opened in every:
            sources.require([*named, *cohorts], opened)
            names.append(opened.place.name)
            place = opened.place.name
            with contextlib.closing(opened.chunks(list(dict.fromkeys([*named, *cohorts])))) as chunks:
                for chunk in chunks:
                    gathered.take(chunk, ledger, skip_bad_rows)
                    malformed += chunk.malformed
                    if progress is not None:
                        progress(chunk.done, opened.size)
    total = ledger.rows + malformed
    if not total:
        raise files.empty(place)
    skipped = ledger.skipped()
    if malformed:
        skipped = (*skipped, Skipped("the row does not fit the header", malformed, "(not numbered)"))
    if ledger.worst is not None and (not skip_bad_rows or 2 * gathered.count < total):
        raise ledger.error()
    name = names[0] if len(names) == 1 else f"{len(names)} files ({names[0]} …)"
    rows = gathered.rows(ledger, name, total, skipped)
    if rows.weights is not None and not rows.weights.any():
        raise errors.ValueRangeError(
            "CAL-310",
            f"column {weight!r}: all weights are zero",
            cause=f"not one of {len(rows):,} rows counts",
            fix="name another column of weights, or leave --weight out",
        )
    return rows


def _distinct(named: Sequence[str], cohorts: tuple[str, ...]) -> None:
    every = [*named, *cohorts]
    for name in named:
        if every.count(name) > 1:
            raise errors.ColumnError(
                "CAL-207",
                f"the column {name!r} was named for two things",
                cause="score, label, weight, time and cohorts are different columns",
                fix="name the right column for each",
            )
    if len(set(cohorts)) < len(cohorts):
        raise errors.ColumnError(
            "CAL-207",
            "a cohort column was named twice",
            cause="cohorts: " + ", ".join(cohorts),
            fix="name each cohort column once",
        )


class _Gathered:
    """The columns of all chunks so far."""

    def __init__(self, score: str, label: str, weight: str | None, cohorts: tuple[str, ...], time: str | None) -> None:
        self.score, self.label, self.weight, self.fields, self.time = score, label, weight, cohorts, time
        self.count = 0
        self.scores: list[Floats] = []
        self.labels: list[NDArray[Any]] = []
        self.weights: list[Floats] = []
        self.times: list[NDArray[np.datetime64]] = []
        self.cohorts: dict[str, list[pa.DictionaryArray]] = {field: [] for field in cohorts}

    def take(self, chunk: Chunk, ledger: Ledger, skip: bool) -> None:
        ledger.rows += chunk.table.num_rows
        scores, bad = convert.scores(chunk, self.score, ledger)
        labels, wrong = convert.labels(chunk, self.label, ledger, besides=bad)
        bad = bad | wrong
        weights = stamps = None
        if self.weight is not None:
            weights, wrong = convert.weights(chunk, self.weight, ledger, besides=bad)
            bad = bad | wrong
        if self.time is not None:
            stamps, wrong = convert.times(chunk, self.time, ledger, besides=bad)
            bad = bad | wrong
        if ledger.worst is not None and not skip:
            return
        keep = slice(None) if not bad.any() else ~bad
        self.scores.append(scores[keep])
        self.labels.append(labels[keep].astype(np.int8) if ledger.target == "binary" else labels[keep])
        if weights is not None:
            self.weights.append(weights[keep])
        if stamps is not None:
            self.times.append(stamps[keep])
        for field in self.fields:
            column = convert.cohorts(chunk, field)
            self.cohorts[field].append(column if not bad.any() else column.filter(pa.array(~bad)))
        self.count += len(self.scores[-1])

    def rows(self, ledger: Ledger, name: str, total: int, skipped: tuple[Skipped, ...]) -> Rows:
        return Rows(
            np.concatenate(self.scores),
            np.concatenate(self.labels),
            np.concatenate(self.weights) if self.weight is not None else None,
            {field: _encoded(parts) for field, parts in self.cohorts.items()},
            np.concatenate(self.times) if self.time is not None else None,
            ledger.scale,
            "binary" if ledger.target == "binary" else "rate",
            name,
            total,
            skipped,
        )


def _encoded(parts: list[pa.DictionaryArray]) -> Encoded:
    """One dictionary for all parts, without values that no row has, in the order of the text."""
    values: dict[str, int] = {}
    codes = [
        np.array([values.setdefault(word, len(values)) for word in part.dictionary.to_pylist()], np.int32)[
            part.indices.to_numpy()
        ]
        for part in parts
    ]
    joined = np.concatenate(codes) if codes else np.zeros(0, np.int32)
    words = list(values)
    used = np.flatnonzero(np.bincount(joined, minlength=len(words)))
    order = sorted(used.tolist(), key=words.__getitem__)
    position = np.zeros(len(words), np.int32)
    position[order] = np.arange(len(order))
    return Encoded(position[joined], tuple(words[index] for index in order))
