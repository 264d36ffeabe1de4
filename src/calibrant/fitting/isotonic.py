"""Isotonic regression, as steps and as straight pieces between block centres (CIR)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators import linear, scales, steps
from calibrant.fitting import grouped
from calibrant.stats import pav, summary


def fit(data: summary.Summary, *, scale: scales.Scale = scales.Scale()) -> steps.Isotonic:
    """The best non-decreasing step function, kept away from 0 and 1.

    Parameters
    ----------
    data
        One group; labels 0/1 or shares, any weights.
    scale
        The scale of the raw scores that the map will read; the summary holds them in [0, 1].

    Raises
    ------
    FitError
        CAL-501 to CAL-503 as ``grouped.read``; CAL-504 if one block remains (the scores do not rank).

    Notes
    -----
    Pool adjacent violators on pooled ties (Ayer et al. 1955); values clipped to [1/(n+2), 1-1/(n+2)], n in
    effective rows, without which one wrong 0 costs an infinite log loss. A step lies half way between the
    scores on its two sides. On the dyadic grid steps fall on cell edges.

    Examples
    --------
    >>> fit(summary.summarise([0.2] * 10 + [0.6] * 10, [0] * 10 + [1] * 5 + [0] * 5, grid="distinct")).values
    (0.045454545454545456, 0.5)
    """
    found = grouped.read(data)
    starts, _, values = _pool(found)
    first = starts[1:]
    edge = _between(found.high[first - 1], found.low[first])
    thresholds = np.append(found.low[0], edge)
    keep = np.append(True, np.diff(values) > 0)
    return steps.Isotonic(tuple(thresholds[keep].tolist()), tuple(values[keep].tolist()), scale)


def fit_centered(data: summary.Summary, *, scale: scales.Scale = scales.Scale()) -> linear.CenteredIsotonic:
    """Centred isotonic regression: each block's value at its mean score, straight lines between.

    Parameters and errors as ``fit``.

    Notes
    -----
    Oron and Flournoy 2017 (doi:10.1080/19466315.2017.1286256); the same clipping as ``fit``. Constant below
    the first centre and above the last.

    Examples
    --------
    >>> map = fit_centered(summary.summarise([0.2] * 10 + [0.6] * 10, [0] * 10 + [1] * 5 + [0] * 5))
    >>> map.apply([0.0, 0.4, 1.0]).round(6)
    array([0.045455, 0.272727, 0.5     ])
    """
    found = grouped.read(data)
    starts, weights, values = _pool(found)
    centres = np.add.reduceat(found.w * found.p, starts) / weights
    # closer centres than this have no finite slope between them
    keep = np.append(True, np.diff(centres) > 1e-300)
    return linear.CenteredIsotonic(tuple(centres[keep].tolist()), tuple(values[keep].tolist()), scale)


def _pool(data: grouped.Grouped) -> tuple[NDArray[np.int64], grouped.Floats, grouped.Floats]:
    """Starts, weights and clipped values of the blocks; neighbours that differ by rounding alone are one block."""
    blocks = pav.pool(data.wy / data.w, data.w)
    first = np.flatnonzero(np.append(True, np.diff(blocks.values) > 1e-12))
    if len(first) < 2:
        raise grouped.anti_ranking("isotonic regression", "one constant is the best non-decreasing fit")
    weights = np.add.reduceat(blocks.weights, first)
    values = np.add.reduceat(blocks.values * blocks.weights, first) / weights
    bound = 1.0 / (data.rows + 2.0)
    return blocks.starts[first], weights, np.clip(values, bound, 1.0 - bound)


def _between(left: grouped.Floats, right: grouped.Floats) -> grouped.Floats:
    """Half way, but above ``left`` even where no double lies between."""
    middle = left + 0.5 * (right - left)
    return np.where(middle > left, middle, right)
