"""Split a summary at random, as if its rows had been dealt out, without the rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrant import errors
from calibrant.stats import summary as summaries

#: More rows than this numpy does not deal out; with so many, folds are not needed.
MOST = 1_000_000_000


def at_random(summary: summaries.Summary, *, folds: int = 5, rng: np.random.Generator) -> tuple[summaries.Summary, ...]:
    """Split a summary at random into summaries of equally many rows (to one row), without the rows.

    Parameters
    ----------
    summary
        One group, labels 0/1, no weights (then rows of a cell differ by label only).
    folds
        At least 2 and at most as many as rows.
    rng
        The only source of randomness.

    Returns
    -------
    tuple of Summary
        They add up to the whole. On the distinct grid each is exactly the summary of a random part of the rows;
        on the dyadic grid each row takes the mean score of its cell (and, in wpy, of its label).

    Raises
    ------
    UsageError
        CAL-465 for weights or labels other than 0/1, a number of folds that cannot be had, or 1e9 rows.

    Notes
    -----
    Multivariate hypergeometric draws over (cell, label): the law of dealing out the rows.

    Examples
    --------
    >>> parts = at_random(summaries.summarise([0.2, 0.8] * 5, [0, 1] * 5), folds=5, rng=np.random.default_rng(0))
    >>> [int(part.rows[0]) for part in parts]
    [2, 2, 2, 2, 2]
    """
    rows = int(summary.only().rows[0])
    unit = bool(np.all(np.abs(summary.w - summary.n) <= 1e-9 * summary.n)) and np.allclose(summary.ww, summary.w)
    if not (unit and summary.is_binary and 2 <= folds <= rows < MOST):
        raise errors.UsageError(
            "CAL-465",
            f"this summary cannot be split at random into {folds} folds",
            cause=f"it has {rows} rows, and "
            + ("labels 0/1" if summary.is_binary else "labels that are rates")
            + (" without weights" if unit else " with weights"),
            fix="take 2 folds or more, and with weights or rates summarise the rows of each fold yourself",
        )
    ones = np.rint(summary.wy).astype(np.int64)
    left = np.concatenate([summary.n - ones, ones])
    parts = []
    for fold in range(folds):
        size = rows * (fold + 1) // folds - rows * fold // folds
        drawn = rng.multivariate_hypergeometric(left, size) if fold < folds - 1 else left
        left = left - drawn
        parts.append(_part(summary, *np.split(drawn, 2)))
    return tuple(parts)


def _part(summary: summaries.Summary, zeros: NDArray[np.int64], ones: NDArray[np.int64]) -> summaries.Summary:
    """The summary of some rows of another one, from how many of each cell and label; see ``at_random``."""
    w, wy, _, wp, wpp, wpy, _, wwv, loss = summary.sums
    positive = np.divide(wpy, wy, out=np.zeros_like(wy), where=wy > 0.0)
    mean = np.clip(summary.score, summaries.EPSILON, 1.0 - summaries.EPSILON)
    n = (zeros + ones).astype(np.float64)
    told = -(ones * np.log(mean) + zeros * np.log1p(-mean))
    whole = -(wy * np.log(mean) + (w - wy) * np.log1p(-mean))
    told *= np.divide(loss, whole, out=np.ones_like(loss), where=whole > 0.0)
    sums = np.stack([n, ones, ones, n * wp / w, n * wpp / w, ones * positive, n, n * wwv / w, told])
    kept = n > 0.0
    return summaries.Summary(
        summary.grid, summary.keys[kept], (zeros + ones)[kept], sums[:, kept], np.zeros(1, np.int64)
    )
