"""Bets against calibration within a tolerance: what one label multiplies the wealth of each alternative by.

The null says |E[y | p, the past] - p| <= delta. A row on which an alternative expects q > p + delta bets against the
upper end of that band, one with q < p - delta against the lower end, and between them nothing is bet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators import scales

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Alternatives that need not be learned: (intercept, slope) of logit q = intercept + slope logit p.
FIXED = np.array([(-1.5, 1.0), (-0.6, 1.0), (-0.25, 1.0), (0.25, 1.0), (0.6, 1.0), (1.5, 1.0), (0.0, 0.6), (0.0, 1.6)])
#: Those that are: a line, and a shift for each band of scores.
LEARNED = ("line", "bands")
COUNT = len(FIXED) + len(LEARNED)
#: What each alternative starts with, shape (COUNT, 1); sums to 1.
SHARES = np.array([1.0] * len(FIXED) + [2.0, 2.0])[:, None] / (len(FIXED) + 4.0)
#: Bands of scores, finer toward 0, where the scores of rare events lie, and toward 1.
EDGES = np.array([0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
BANDS = len(EDGES) + 1
#: Log-odds beyond which a score says no more.
FARTHEST = 16.0
#: Nothing is bet against ends of the band that are closer to 0 or 1.
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Rows:
    """What the bets read of a batch, each of shape (n,).

    ``high`` and ``low`` are the ends p0 of the tolerated band, ``above`` and ``below`` are u (y - p0) / (p0 (1 - p0))
    at them, 0 where that end is not inside (0, 1); u is the weight in units of the heaviest.
    """

    p: Floats
    x: Floats
    y: Floats
    u: Floats
    high: Floats
    low: Floats
    above: Floats
    below: Floats
    band: Ints


def rows(p: Floats, y: Floats, u: Floats, *, tolerance: float) -> Rows:
    x = np.clip(scales.logit(p), -FARTHEST, FARTHEST)
    # an upper end of 0 is lifted a little, a lower end of 1 let down: what is certain can be bet against too
    high, low = np.clip(p + tolerance, TINY, 1.0), np.clip(p - tolerance, 0.0, 1.0 - TINY)
    band = np.searchsorted(EDGES, p, side="right")
    return Rows(p, x, y, u, high, low, _odds_of(y, u, high), _odds_of(y, u, low), band)


def _odds_of(y: Floats, u: Floats, p0: Floats) -> Floats:
    variance = p0 * (1.0 - p0)
    inside = variance > TINY / 2.0
    return np.where(inside, u * (y - p0) / np.where(inside, variance, 1.0), 0.0)


def gains(rows: Rows, q: Floats, part: slice | Ints = slice(None)) -> Floats:
    """log(1 + u (y - p0)(q - p0) / (p0 (1 - p0))), p0 the end of the band that q lies beyond; shape of q.

    Notes
    -----
    For u = 1 and a 0/1 label this is the log likelihood ratio of q to p0. Its exponential has expectation at most 1
    whenever E[u (y - p0)] has the sign of the null: it is linear in y, and its slope has the sign of q - p0. So it
    also holds for labels between 0 and 1 and for weighted rows.
    """
    up = np.maximum(q - rows.high[part], 0.0)
    down = np.minimum(q - rows.low[part], 0.0)
    return np.log1p(up * rows.above[part] + down * rows.below[part])


def fixed_gains(rows: Rows) -> Floats:
    """The gains of the alternatives that are not learned, shape (len(FIXED), n)."""
    return np.stack([gains(rows, scales.expit(intercept + slope * rows.x)) for intercept, slope in FIXED])


def cautious(rows: Rows, q: Floats, part: slice | Ints) -> Floats:
    """A learned q drawn toward the null so far that no row can cost more than half the wealth."""
    return np.clip(q, rows.low[part] / 2.0, (1.0 + rows.high[part]) / 2.0)
