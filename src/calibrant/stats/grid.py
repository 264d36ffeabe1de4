"""The fixed score grid: log-linear dyadic cells crossed with sixtieths, equal to the last bit in every engine.

Let t = min(p, 1 - p), which floating point gives exactly for p >= 1/2. The dyadic rank of p is read off the
binary exponent of t and its top six mantissa bits: 64 cells per octave from 2^-24 up, one cell below, one each
for p = 0 and p = 1. No logarithm is taken, so numpy, SQL and Spark agree. The rank is crossed with
floor(60 p), which makes equal-width bins of 10, 12, 15, 20, 30 and 60 exact: both are non-decreasing in p, so
their **sum** names the crossed cell, in order of p. Cells are at most 1/64 wide relative to t.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: 52 mantissa bits less the six that are kept.
SHIFT = 46
#: The raw rank of 2^-24, the lower end of the finest octave.
LOWEST = (1023 - 24) << 6
#: Twice the 1,475 ranks of p <= 1/2 (0, the tail, 23 octaves of 64, 1/2 itself), less the one that 1/2 has alone.
RANKS = 2949
#: Number of cell names (a few are never used: where two edges coincide the sum jumps by two).
CELLS = 3009
#: Equal-width bins are exact for these counts.
EXACT_BINS = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)


class Workspace:
    """Scratch arrays of one block size: the cell pass allocates nothing, which is most of its speed."""

    def __init__(self, size: int) -> None:
        self.t = np.empty(size)
        self.u = np.empty(size)
        self.rank = np.empty(size, np.int64)
        self.side = np.empty(size, np.int64)


def cells(p: NDArray[np.float64], work: Workspace | None = None) -> NDArray[np.int64]:
    """Cell names of scores, shape (n,), each in [0, CELLS). Scores must be in [0, 1]; this is not checked.

    With a ``work`` space the result is a view into it, valid until the next call.

    >>> cells(np.array([0.0, 0.1, 0.5, 0.9, 1.0]))
    array([   0, 1326, 1504, 1682, 3008])
    """
    n = len(p)
    work = work or Workspace(n)
    t, u, rank, side = work.t[:n], work.u[:n], work.rank[:n], work.side[:n]
    np.subtract(1.0, p, out=t)
    np.minimum(p, t, out=t)
    np.right_shift(t.view(np.int64), SHIFT, out=rank)
    rank -= LOWEST - 2
    np.maximum(rank, 1, out=rank)
    zero = t == 0.0
    if zero.any():
        rank[zero] = 0
    # side is 0 for p <= 1/2 and all ones above; there the order turns round: RANKS - 1 - rank == RANKS + ~rank
    np.subtract(0.5, p, out=u)
    np.right_shift(u.view(np.int64), 63, out=side)
    rank ^= side
    side &= RANKS
    rank += side
    np.multiply(p, 60.0, out=u)
    np.copyto(side, u, casting="unsafe")
    rank += side
    return rank


class Geometry(NamedTuple):
    """What a cell name means; arrays of shape (CELLS,), NaN or -1 for names that no score has."""

    low: NDArray[np.float64]
    """Smallest score in the cell."""
    high: NDArray[np.float64]
    """Largest score in the cell."""
    center: NDArray[np.float64]
    """Middle of the cell: what a counts-only summary takes as the mean score."""
    sixtieth: NDArray[np.int64]
    """floor(60 p) of every score in the cell."""


@lru_cache(maxsize=1)
def geometry() -> Geometry:
    """The lower and upper ends of all cells, found from the rule itself."""
    octaves = 2.0 ** np.arange(-24, -1)
    lower = np.concatenate([octave * (1.0 + np.arange(64) / 64.0) for octave in octaves])
    # above 1/2 a cell holds t in [a, b), that is p in (1 - b, 1 - a]: its smallest score comes just after 1 - b
    upper = np.nextafter(1.0 - np.append(lower, 0.5), 1.0)
    sixtieths = np.arange(61) / 60.0
    sixtieths = np.where(np.floor(sixtieths * 60.0) < np.arange(61), np.nextafter(sixtieths, 1.0), sixtieths)
    below = np.nextafter(sixtieths, 0.0)
    sixtieths = np.where(np.floor(below * 60.0) >= np.arange(61), below, sixtieths)
    tiny = np.nextafter(0.0, 1.0)
    starts = np.unique(np.concatenate([[0.0, tiny, 0.5, 1.0], lower, upper, sixtieths]))
    ends = np.append(np.nextafter(starts[1:], 0.0), 1.0)
    names = cells(starts)
    low, high = np.full(CELLS, np.nan), np.full(CELLS, np.nan)
    low[names], high[names] = starts, ends
    sixtieth = np.full(CELLS, -1, np.int64)
    sixtieth[names] = np.floor(starts * 60.0)
    return Geometry(low, high, (low + high) / 2.0, sixtieth)
