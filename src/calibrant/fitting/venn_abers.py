"""Inductive Venn-Abers prediction, precomputed for every possible score in near-linear time."""

from __future__ import annotations

import numpy as np

from calibrant.calibrators import scales
from calibrant.calibrators import venn_abers as maps
from calibrant.fitting import grouped
from calibrant.stats import summary


def fit(data: summary.Summary, *, scale: scales.Scale = scales.Scale()) -> maps.VennAbers:
    """Both isotonic answers, p0 and p1, to the question what the next row's label would do at any score.

    Parameters
    ----------
    data
        One group; labels 0/1 or shares, any weights. The next row counts as one effective row.
    scale
        The scale of the raw scores that the map will read; the summary holds them in [0, 1].

    Raises
    ------
    FitError
        CAL-501 to CAL-503 as ``grouped.read``.

    Notes
    -----
    p1(s) is the isotonic fit at s after adding the row (s, 1), p0(s) after adding (s, 0) (Vovk, Petej, Fedorova
    2015, arXiv:1511.00213). An added 1 always pools with what follows it, so between two scores p1 is that of
    the next score, and p0 that of the score before; above all scores p1 = 1, below all p0 = 0. Hence knots at
    every score and just above it give the two functions exactly, at scores seen and unseen. On the dyadic
    grid a cell counts as one score.

    Examples
    --------
    >>> data = summary.summarise([0.2] * 6 + [0.6] * 6, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1], grid="distinct")
    >>> lower, upper = fit(data).interval([0.1, 0.2, 0.4, 0.6, 0.7])
    >>> lower.round(3), upper.round(3)
    (array([0.   , 0.143, 0.143, 0.714, 0.714]), array([0.286, 0.286, 0.857, 0.857, 1.   ]))
    """
    found = grouped.read(data)
    sums, weights = _added_one(found.wy, found.w)
    upper = sums / weights
    sums, weights = _added_one((found.w - found.wy)[::-1], found.w[::-1])
    lower = ((weights - sums) / weights)[::-1]
    knots, low, high = _interleaved(found, np.clip(lower, 0.0, 1.0), np.clip(upper, 0.0, 1.0))
    # rounding of weighted sums must not make a step fall
    low, high = np.maximum.accumulate(low), np.maximum.accumulate(high)
    high = np.maximum(low, high)
    keep = np.append(True, (np.diff(low) > 0) | (np.diff(high) > 0))
    knots, low, high = knots[keep], low[keep], high[keep]
    return maps.VennAbers(tuple(knots.tolist()), tuple(low.tolist()), tuple(high.tolist()), scale)


def _interleaved(
    data: grouped.Grouped, lower: grouped.Floats, upper: grouped.Floats
) -> tuple[grouped.Floats, grouped.Floats, grouped.Floats]:
    """Right-continuous steps: at each score, just above it, and at 0."""
    k = len(lower)
    knots, low, high = np.empty(2 * k + 1), np.empty(2 * k + 1), np.empty(2 * k + 1)
    knots[0], low[0], high[0] = 0.0, 0.0, upper[0]
    knots[1::2], low[1::2], high[1::2] = data.low, lower, upper
    knots[2::2], low[2::2] = np.nextafter(data.high, 2.0), lower
    high[2::2] = np.append(upper[1:], 1.0)
    # the later of two equal knots rules: no score lies between neighbours; nothing lies above 1
    used = np.append(np.diff(knots) > 0, True) & (knots <= 1.0)
    return knots[used], low[used], high[used]


def _added_one(label_sums: grouped.Floats, weights: grouped.Floats) -> tuple[grouped.Floats, grouped.Floats]:
    """For each score: label sum and weight of the isotonic block that holds it once a row with label 1 is added there.

    In the diagram of cumulated weights and labels, the added row moves all points before the score by (-1, -1).
    Its block is the bridge between the lower hulls of the points before (moved) and from the score on. From
    one score to the next both ends of the bridge only move right, so one pass with two hulls is enough.
    """
    x = np.append(0.0, np.cumsum(weights)).tolist()
    y = np.append(0.0, np.cumsum(label_sums)).tolist()
    last = len(x) - 1
    after = _hull_to_the_right(x, y)
    hull = [0]
    head, b = 0, 1
    ends: list[int] = []
    begins: list[int] = []
    for i in range(1, last + 1):
        if i > 1:
            new = i - 1
            while len(hull) - head >= 2:
                u, v = hull[-2], hull[-1]
                if (y[v] - y[u]) * (x[new] - x[v]) < (y[new] - y[v]) * (x[v] - x[u]):
                    break
                hull.pop()
            hull.append(new)
            b = max(b, i)
        a = hull[head]
        while True:
            # tangent from a to the hull on the right
            rise, run = y[b] - y[a] + 1.0, x[b] - x[a] + 1.0
            while b < last:
                c = after[b]
                if (y[c] - y[b]) * run > rise * (x[c] - x[b]):
                    break
                b, rise, run = c, y[c] - y[a] + 1.0, x[c] - x[a] + 1.0
            # one step on the left hull, if that lies below the tangent
            if head + 1 == len(hull):
                break
            c = hull[head + 1]
            if (y[c] - y[a]) * run > rise * (x[c] - x[a]):
                break
            head, a = head + 1, c
        begins.append(a)
        ends.append(b)
    sums, totals = np.asarray(y), np.asarray(x)
    return sums[ends] - sums[begins] + 1.0, totals[ends] - totals[begins] + 1.0


def _hull_to_the_right(x: list[float], y: list[float]) -> list[int]:
    """For each point, the next vertex of the lower convex hull of itself and all later points."""
    last = len(x) - 1
    after = [last] * (last + 1)
    for i in range(last - 1, -1, -1):
        c = i + 1
        while c < last:
            d = after[c]
            if (y[c] - y[i]) * (x[d] - x[c]) < (y[d] - y[c]) * (x[c] - x[i]):
                break
            c = d
        after[i] = c
    return after
