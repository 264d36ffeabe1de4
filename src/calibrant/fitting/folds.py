"""Who is judged on what: fold codes for cross-fitting by rows, by group, or prequential in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors

Ints = NDArray[np.int64]

#: ``rows``: rows are exchangeable. ``groups``: groups are, rows of one group are not. ``time``: train on the past.
Scheme = Literal["rows", "groups", "time"]

#: Up to this many rows the folds are stratified by label; beyond, chance does it well enough and faster.
STRATIFIED = 100_000
#: In time, this share of the rows comes first and is only trained on.
FIRST = 1.0 / 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """Fold code of every row, shape (n,), in [0, count); -1 for rows that must stay out of the proof.

    ``rows`` and ``groups``: fold k is judged by maps fitted on all others. ``time``: by maps fitted on the folds
    before it, all of strictly earlier rows; fold 0 is never judged. ``clustered`` says that rows within a fold
    may depend on each other.
    """

    codes: Ints
    count: int
    scheme: Scheme
    clustered: bool


def make(
    labels: ArrayLike,
    *,
    rng: np.random.Generator,
    count: int | None = None,
    groups: ArrayLike | None = None,
    times: ArrayLike | None = None,
) -> Folds:
    """The right folds for what is known about the rows.

    Parameters
    ----------
    labels
        Shape (n,).
    count
        Number of folds; None means 10 for up to 2,000 rows and whenever groups are given, otherwise 5.
    groups
        Shape (n,), any values: rows of one group never land in two folds.
    times
        Shape (n,), numbers or datetime64: maps are judged only on rows later than all they were fitted on.
        With both, a group belongs to the fold of its first row, and its rows in later folds are left out (-1).

    Examples
    --------
    >>> made = make([0, 1] * 6, rng=np.random.default_rng(0), times=np.arange(12.0), count=3)
    >>> made.codes
    array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    """
    y = np.asarray(labels)
    if count is None:
        count = 10 if len(y) <= 2000 or groups is not None else 5
    if times is not None:
        return in_time(times, count=count if groups is not None else min(count, 6), groups=groups)
    if groups is not None:
        return by_group(groups, count=count, rng=rng)
    return by_row(y, count=count, rng=rng)


def by_row(labels: ArrayLike, *, count: int, rng: np.random.Generator) -> Folds:
    """Random folds, with equal shares of each label for up to 100,000 rows."""
    y = np.asarray(labels)
    if len(y) > STRATIFIED:
        return Folds(rng.integers(0, count, len(y), dtype=np.int8).astype(np.int64), count, "rows", False)
    order = rng.permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    codes = np.empty(len(y), np.int64)
    codes[order] = np.arange(len(y)) % count
    return Folds(codes, count, "rows", False)


def by_group(groups: ArrayLike, *, count: int, rng: np.random.Generator) -> Folds:
    """Whole groups at random, large groups spread first so that folds are of similar size.

    Raises
    ------
    UsageError
        With fewer than two groups.
    """
    which, sizes = _numbered(np.asarray(groups))
    count = min(count, len(sizes))
    if count < 2:
        raise _too_few("groups", len(sizes))
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold = np.empty(len(sizes), np.int64)
    fold[order] = np.arange(len(sizes)) % count
    return Folds(fold[which], count, "groups", True)


def in_time(times: ArrayLike, *, count: int, groups: ArrayLike | None = None) -> Folds:
    """Folds in order of time, the first a third of the rows; rows of one time are never parted.

    Raises
    ------
    UsageError
        If all rows have one time, or a time is missing.
    """
    when = np.asarray(times)
    missing = np.isnat(when) if when.dtype.kind in "mM" else when != when
    if np.any(missing):
        raise errors.UsageError(
            "CAL-460",
            "some rows have no time",
            cause="a time is missing (NaN or NaT), so nothing says which rows came before it",
            fix="drop those rows, or leave the time column out",
        )
    moments, which = np.unique(when, return_inverse=True)
    reached = np.cumsum(np.bincount(which)) / max(len(when), 1)
    cuts = FIRST + (1.0 - FIRST) * np.arange(count - 1) / (count - 1)
    # a moment belongs to the first fold whose end it does not pass; the tolerance is for rounding of the shares
    fold_of = np.searchsorted(cuts - 1e-12, np.append(0.0, reached[:-1]), side="right")
    present, fold_of = np.unique(fold_of, return_inverse=True)
    if len(present) < 2:
        raise _too_few("times", len(moments))
    codes = fold_of[which].astype(np.int64)
    if groups is None:
        return Folds(codes, len(present), "time", False)
    member, sizes = _numbered(np.asarray(groups))
    first = np.full(len(sizes), len(present), np.int64)
    np.minimum.at(first, member, codes)
    codes[codes > first[member]] = -1
    # a fold may have lost all its rows: name the remaining ones without gaps
    left = np.unique(codes[codes >= 0])
    codes = np.where(codes < 0, -1, np.searchsorted(left, codes))
    if len(left) < 2:
        raise _too_few("groups that begin at different times", 1)
    return Folds(codes, len(left), "time", True)


def _numbered(groups: NDArray[Any]) -> tuple[Ints, Ints]:
    _, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return which, sizes


def _too_few(what: str, found: int) -> errors.UsageError:
    return errors.UsageError(
        "CAL-461",
        "these rows cannot be divided into folds",
        cause=f"at least two different {what} are needed, found {found}",
        fix="leave that column out, or bring rows of more of them",
    )
