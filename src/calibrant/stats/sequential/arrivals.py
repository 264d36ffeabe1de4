"""A batch of labels as it arrives, checked at the door."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors
from calibrant.stats import tally

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Rows in the order of their arrival: scores, labels and weights in [0, 1], group codes; each of shape (n,)."""

    scores: Floats
    labels: Floats
    weights: Floats
    groups: Ints

    def __len__(self) -> int:
        return len(self.scores)


def read(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None,
    groups: ArrayLike | None,
    *,
    group_count: int,
    heaviest: float,
) -> Arrivals:
    """Checked columns; weights are divided by the heaviest that was declared.

    Raises
    ------
    ValueRangeError
        CAL-302 for scores or labels outside [0, 1], CAL-334 for weights outside [0, heaviest].
    UsageError
        CAL-444 for columns of different lengths or unknown group codes.
    """
    p, y = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    for name, column in (("scores", p), ("labels", y)):
        if column.ndim != 1 or len(column) != len(p):
            raise misshapen(f"{name} have the shape {column.shape}, scores {p.shape}")
        if len(column) and not (column.min() >= 0.0 and column.max() <= 1.0):
            raise tally.outside(name, column)
    return Arrivals(p, y, _weights(weights, len(p), heaviest), codes(groups, len(p), group_count))


def _weights(weights: ArrayLike | None, rows: int, heaviest: float) -> Floats:
    if weights is None:
        return np.full(rows, 1.0 / heaviest)
    w = np.asarray(weights, np.float64)
    if w.shape != (rows,):
        raise misshapen(f"weights have the shape {w.shape}, scores ({rows},)")
    if rows and not (w.min() >= 0.0 and w.max() <= heaviest):
        raise errors.ValueRangeError(
            "CAL-334",
            f"weights must be numbers from 0 to the heaviest that was declared, {heaviest:g}",
            cause=f"they reach from {w.min():g} to {w.max():g}",
            fix="start with heaviest=... as large as any weight can be: it must not depend on what was seen",
        )
    return w / heaviest


def codes(groups: ArrayLike | None, rows: int, group_count: int) -> Ints:
    """Group codes in [0, group_count), shape (rows,); without codes there must be one group."""
    if groups is None:
        if group_count != 1:
            raise misshapen(f"there are {group_count} groups, and rows do not say to which they belong")
        return np.zeros(rows, np.int64)
    found = np.asarray(groups)
    if found.shape != (rows,) or (rows and found.dtype.kind not in "iu"):
        raise misshapen(f"group codes have the shape {found.shape} and the type {found.dtype}")
    found = found.astype(np.int64)
    if rows and not (found.min() >= 0 and found.max() < group_count):
        raise misshapen(f"group codes reach from {found.min()} to {found.max()}, there are {group_count} groups")
    return found


def misshapen(cause: str) -> errors.UsageError:
    return errors.UsageError(
        "CAL-444",
        "these columns do not belong together",
        cause=cause,
        fix="pass columns of one length, with group codes from 0 up to the number of groups",
    )


def rank_within(groups: Ints, group_count: int) -> Ints:
    """How many rows of the same group came before each row, shape (n,).

    >>> rank_within(np.array([1, 0, 1, 1]), 2)
    array([0, 0, 1, 2])
    """
    if group_count == 1:
        return np.arange(len(groups))
    order = np.argsort(groups, kind="stable")
    first = np.zeros(group_count, np.int64)
    np.cumsum(np.bincount(groups, minlength=group_count)[:-1], out=first[1:])
    rank = np.empty(len(groups), np.int64)
    rank[order] = np.arange(len(groups)) - first[groups[order]]
    return rank
