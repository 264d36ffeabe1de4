"""Binned calibration errors: the rows of a bar chart, ECE, MCE and ACE. Shown, never a gate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant import errors
from calibrant.stats import grid as score_grid
from calibrant.stats import intervals, results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Why a binned error has no interval.
BIASED = "none (biased upward by noise: compare with the expected ECE of a perfect model)"


@dataclass(frozen=True, slots=True)
class Bins:
    """The occupied bins, in order of the score; every array has shape (b,).

    ``low`` and ``high`` end the bin on the score axis; ``rate_low`` and ``rate_high`` are Wilson ends of the
    observed ``rate`` (on effective rows) at ``level``; ``score`` is the mean score, ``n`` rows, ``w`` weight.
    """

    low: Floats
    high: Floats
    n: Ints
    w: Floats
    score: Floats
    rate: Floats
    rate_low: Floats
    rate_high: Floats
    level: float


def equal_width(summary: summaries.Summary, *, count: int = 10, level: float = 0.95) -> Bins:
    """Bins of width 1/count, closed below; the last one is closed at 1 too. Empty bins are left out.

    Parameters
    ----------
    summary
        One group. Without rows all arrays are empty.
    count
        On the dyadic grid a divisor of 60, at least 1.
    level
        Coverage of the Wilson intervals.

    Raises
    ------
    UsageError
        CAL-404 for a count that the grid does not have, CAL-461 for a count below 1.

    Examples
    --------
    >>> equal_width(summaries.summarise([0.0, 0.5, 1.0], [0, 1, 1]), count=2).n
    array([1, 2])
    """
    index = width_index(summary.only(), count)
    edges = np.arange(count + 1) / count
    return _bins(summary, index, edges[:-1], edges[1:], level)


def equal_mass(summary: summaries.Summary, *, count: int = 10, level: float = 0.95) -> Bins:
    """Bins of about equal weight. Ties stay together: a score (a cell, on the dyadic grid) is in one bin only.

    A cell goes where the middle of its weight falls, so fewer than ``count`` bins can be occupied. ``low`` and
    ``high`` are the ends of the first and last cell in the bin. Parameters and errors as in ``equal_width``.

    Examples
    --------
    >>> equal_mass(summaries.summarise([0.1, 0.2, 0.2, 0.2, 0.7, 0.9], [0, 0, 1, 0, 1, 1], grid="distinct"), count=3).n
    array([1, 3, 2])
    """
    index = mass_index(summary.only(), count)
    if summary.grid == "distinct":
        low = high = summary.score
    else:
        cells = score_grid.geometry()
        low, high = cells.low[summary.keys], cells.high[summary.keys]
    first, last = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(first, index, low)
    np.maximum.at(last, index, high)
    return _bins(summary, index, first, last, level)


def ece(summary: summaries.Summary, *, count: int = 10) -> results.Measured:
    """Expected calibration error: sum over equal-width bins of weight share times |rate - mean score|.

    Parameters
    ----------
    summary
        One group.
    count
        Number of bins; on the dyadic grid a divisor of 60.

    Returns
    -------
    Measured
        In [0, 1], exact on both grids, no interval. ``Insufficient`` without rows.

    References
    ----------
    Naeini, Cooper and Hauskrecht 2015, doi:10.1609/aaai.v29i1.9602.

    Examples
    --------
    >>> ece(summaries.summarise([0.25, 0.25, 0.75, 0.75], [0, 0, 1, 1])).value
    0.25
    """
    return _bare(summary.only(), ece_by_group(summary, count=count))


def ece_by_group(summary: summaries.Summary, *, count: int = 10) -> Floats:
    """ECE of every group, shape (g,).

    Examples
    --------
    >>> ece_by_group(summaries.summarise([0.25, 0.75], [0, 0], groups=[0, 1]))
    array([0.25, 0.75])
    """
    return _error(summary, width_index(summary, count), count)


def ace(summary: summaries.Summary, *, count: int = 10) -> results.Measured:
    """Adaptive calibration error: ECE over bins of equal weight, ties never split.

    References
    ----------
    Nguyen and O'Connor 2015, arXiv:1508.05154; Nixon et al. 2019, arXiv:1904.01685.

    Examples
    --------
    >>> ace(summaries.summarise([0.25, 0.25, 0.75, 0.75], [0, 0, 0, 1], grid="distinct"), count=2).value
    0.25
    """
    return _bare(summary.only(), _error(summary, mass_index(summary, count), count))


def mce(summary: summaries.Summary, *, count: int = 10) -> results.Measured:
    """Maximum calibration error: the largest |rate - mean score| of an equal-width bin, however few rows it has.

    References
    ----------
    Naeini, Cooper and Hauskrecht 2015, doi:10.1609/aaai.v29i1.9602.

    Examples
    --------
    >>> mce(summaries.summarise([0.25, 0.25, 0.75], [0, 0, 0])).value
    0.75
    """
    w, wy, wp = fold(summary.only(), width_index(summary, count), count, summary.sums[[0, 1, 3]])[:, 0]
    gaps = np.abs(np.divide(wy - wp, w, out=np.zeros_like(w), where=w > 0.0))
    return _bare(summary, np.array([gaps.max(initial=0.0)]))


def width_index(summary: summaries.Summary, count: int) -> Ints:
    """Equal-width bin of each cell, shape (k,)."""
    return summary.bins(_checked(count))


def mass_index(summary: summaries.Summary, count: int) -> Ints:
    """Equal-mass bin of each cell within its group, shape (k,): where the middle of the cell's weight falls."""
    _checked(count)
    if not len(summary.keys):
        return np.zeros(0, np.int64)
    share = summary.w / summary.total("w")[summary.group]
    ends = np.cumsum(share)
    before = (ends - share)[summary.starts][summary.group]
    middle = (ends - share / 2.0 - before) * count
    # a hair above, so that rounding cannot decide what a different unit of weight would decide otherwise
    return np.clip(np.floor(middle + 1e-9).astype(np.int64), 0, count - 1)


def fold(summary: summaries.Summary, index: Ints, count: int, cells: Floats) -> Floats:
    """Sums over bins: from cells of shape (s, k) to (s, g, count)."""
    groups = len(summary.starts)
    where = summary.group * count + index
    # without any cell bincount counts in integers
    sums = [np.bincount(where, row, groups * count).reshape(groups, count) for row in cells]
    return np.stack(sums).astype(np.float64)  # numpy counts nothing in integers.astype(np.float64)


def _checked(count: int) -> int:
    if count < 1:
        raise errors.UsageError(
            "CAL-461",
            f"{count} bins cannot be made",
            cause="a binned error needs at least one bin",
            fix="choose 10 or 15",
        )
    return count


def _error(summary: summaries.Summary, index: Ints, count: int) -> Floats:
    gaps = fold(summary, index, count, (summary.sums[1] - summary.sums[3])[None])[0]
    weight = summary.total("w")
    error = np.divide(np.abs(gaps).sum(axis=1), weight, out=np.zeros_like(weight), where=weight > 0.0)
    return np.asarray(error)


def _bare(summary: summaries.Summary, value: Floats) -> results.Measured:
    return results.Estimate(float(value[0]), method=BIASED) if len(summary.keys) else results.Insufficient(0, 1)


def _bins(summary: summaries.Summary, index: Ints, low: Floats, high: Floats, level: float) -> Bins:
    count = len(low)
    w, wy, wp, ww = fold(summary, index, count, summary.sums[[0, 1, 3, 6]])[:, 0]
    n = np.bincount(index, summary.n, count).astype(np.int64)
    used = n > 0
    w, wy, wp, ww = w[used], wy[used], wp[used], ww[used]
    rate_low, rate_high = intervals.wilson(*intervals.effective_counts(wy, w, ww), level=level)
    rate = np.clip(wy / w, 0.0, 1.0)
    return Bins(low[used], high[used], n[used], w, wp / w, rate, rate_low, rate_high, level)
