"""A smooth rising curve in log-odds, shrunk towards a straight line."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from calibrant.calibrators import scales
from calibrant.calibrators import spline as maps
from calibrant.fitting import grouped
from calibrant.stats import summary

#: Knots at these quantiles of the log-odds, both classes counting half.
QUANTILES = (0.005, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.995)
#: Standard deviations of the change of slope from knot to knot, from nearly a line to nearly free.
ROUGHNESS = (0.03, 0.12, 0.5, 2.0)
MAX_STEPS = 60
#: Mean variance q (1 - q) below which every row is told almost for certain: the likelihood has no maximum.
SEPARATED = 1e-6


def fit(data: summary.Summary, *, scale: scales.Scale = scales.Scale()) -> maps.MonotoneSpline:
    """Penalised maximum likelihood of logit q = c + integral of a slope that is non-negative everywhere.

    Parameters
    ----------
    data
        One group; labels 0/1 (or shares), any weights.
    scale
        The scale of the raw scores that the map will read; the summary holds them in [0, 1].

    Raises
    ------
    FitError
        CAL-501 to CAL-503 as ``grouped.read``; CAL-504 if all slopes are 0 at the maximum; CAL-505 if the
        scores separate the classes or there are not enough different scores for two knots.

    Notes
    -----
    The slope is piecewise linear between knots at class-balanced quantiles and constant outside, so the curve
    is a quadratic I-spline (Ramsay 1988, doi:10.1214/ss/1177012761): rising exactly when the slopes at the
    knots are non-negative, and a special case of a cubic Hermite curve. The penalty sum (change of slope)^2 /
    (2 roughness^2) leaves straight lines (Platt) free; the roughness is the one of four with the least AIC,
    counting effective degrees of freedom. Newton with a non-negative least squares problem in each step.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=20_000)
    >>> y = rng.random(20_000) < 1 / (1 + np.exp(-x - 0.5 * np.abs(x)))
    >>> map = fit(summary.summarise(1 / (1 + np.exp(-x)), y))
    >>> bool(np.abs(map.apply([0.119203, 0.880797]) - [0.268941, 0.952574]).max() < 0.03)   # log-odds -1 and 3
    True
    """
    found = grouped.read(data)
    knots = _knots(found)
    design = _design(found.x, knots)
    change = np.zeros((len(knots) - 1, len(knots) + 1))
    for row in range(len(knots) - 1):
        change[row, row + 1 : row + 3] = -1.0, 1.0
    penalty = change.T @ change
    start = np.zeros(len(knots) + 1)
    best, least = start, np.inf
    for roughness in ROUGHNESS:
        start, criterion = _maximise(found, design, penalty / roughness**2, start)
        if criterion < least:
            best, least = start, criterion
    slopes = best[1:]
    if not (slopes > 0.0).any():
        raise grouped.anti_ranking("the monotone spline", "all slopes are 0 at the best fit")
    values = best[0] + np.append(0.0, np.cumsum(np.diff(knots) * 0.5 * (slopes[1:] + slopes[:-1])))
    return maps.MonotoneSpline(tuple(knots.tolist()), tuple(values.tolist()), tuple(slopes.tolist()), scale)


def _knots(data: grouped.Grouped) -> grouped.Floats:
    positives = data.positives
    balanced = data.wy / positives + (data.w - data.wy) / (data.rows - positives)
    reached = np.cumsum(balanced) / balanced.sum()
    where = np.minimum(np.searchsorted(reached, QUANTILES), len(data.x) - 1)
    knots = data.x[np.unique(where)]
    # knots closer than a grid cell would give a bend that no data can show
    kept = [knots[0]]
    for knot in knots[1:]:
        if knot - kept[-1] > 0.03:
            kept.append(knot)
    if len(kept) < 2:
        raise grouped.separated("the monotone spline")
    return np.asarray(kept)


def _design(x: grouped.Floats, knots: grouped.Floats) -> grouped.Floats:
    """Shape (k, 1 + knots): a column of ones, then the integral up to x of each knot's share of the slope."""
    widths = np.diff(knots)
    u = np.clip((x[:, None] - knots[:-1]) / widths, 0.0, 1.0)
    right = 0.5 * widths * u * u
    design = np.zeros((len(x), len(knots) + 1))
    design[:, 0] = 1.0
    design[:, 1:-1] = widths * u - right
    design[:, 2:] += right
    design[:, 1] += np.minimum(x - knots[0], 0.0)
    design[:, -1] += np.maximum(x - knots[-1], 0.0)
    return design


def _maximise(
    data: grouped.Grouped, design: grouped.Floats, penalty: grouped.Floats, start: grouped.Floats
) -> tuple[grouped.Floats, float]:
    """The penalised maximum from ``start`` on, and its AIC / 2."""

    def goal(at: grouped.Floats) -> float:
        return grouped.likelihood(data, design @ at) - 0.5 * float(at @ penalty @ at)

    beta, value = start, goal(start)
    for _ in range(MAX_STEPS):
        q = scales.expit(design @ beta)
        raw = (design.T * (data.w * q * (1.0 - q))) @ design
        information = raw + penalty
        gradient = design.T @ (data.wy - data.w * q) - penalty @ beta
        target = _nonnegative(information, gradient + information @ beta)
        step = target - beta
        if raw[0, 0] <= SEPARATED * data.rows:
            break
        if float(gradient @ step) <= 1e-9:
            free = np.append(True, beta[1:] > 0.0)
            inside = np.ix_(free, free)
            freedom = float(np.trace(np.linalg.solve(information[inside], raw[inside])))
            return beta, freedom - grouped.likelihood(data, design @ beta)
        size = 1.0
        while (reached := goal(beta + size * step)) < value and size > 1e-8:
            size /= 2.0
        beta, value = beta + size * step, reached
        if np.abs(beta).max() > 1e4:
            break
    raise grouped.separated("the monotone spline")


def _nonnegative(information: grouped.Floats, linear: grouped.Floats) -> grouped.Floats:
    """The maximum of linear @ b - b @ information @ b / 2 with all of b but the first held non-negative."""
    head = information[0, 1:] / information[0, 0]
    reduced = information[1:, 1:] - np.outer(head, information[0, 1:])
    try:
        root = np.linalg.cholesky(reduced)
    except np.linalg.LinAlgError:
        raise grouped.separated("the monotone spline") from None
    slopes, _ = nnls(root.T, np.linalg.solve(root, linear[1:] - head * linear[0]))
    return np.append(linear[0] / information[0, 0] - head @ slopes, slopes)
