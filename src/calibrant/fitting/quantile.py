"""Repairs of quantile and interval forecasts: levels recalibrated on the PIT, and split-conformal shifts.

Both promise something about the next row whatever the forecast is worth, if it is exchangeable with the rows of
the fit: drawn like them, in any order. Under drift use ``step``, the adaptive rule, which needs no such promise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, assert_never

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors
from calibrant.calibrators import quantile
from calibrant.stats import forecast

Floats = NDArray[np.float64]

#: Rows below which levels are not recalibrated.
FEWEST = 20
#: Knots kept of a map of levels.
MAX_KNOTS = 200

#: ``joint``: both ends move alike, one guarantee. ``separate``: each end has half of the miscoverage to itself.
Tails = Literal["joint", "separate"]


def fit_levels(pit: ArrayLike, *, max_knots: int = MAX_KNOTS) -> quantile.QuantileMap:
    """Recalibrate levels by the empirical distribution of the PIT.

    Parameters
    ----------
    pit
        Shape (n,), in [0, 1]: from ``stats.forecast.pit`` or ``pit_from_quantiles``, on rows that the forecaster
        was not fitted on.
    max_knots
        Knots of the map, besides its ends; at least 2.

    Returns
    -------
    QuantileMap
        Through (0, 0), (i-th smallest PIT, i / (n + 1)) and (1, 1). For a new exchangeable row without ties
        P(PIT <= knot) is exactly i / (n + 1), at the knots.

    Raises
    ------
    FitError
        CAL-543 below 20 rows; CAL-544 below two distinct values inside (0, 1).

    Notes
    -----
    Kuleshov, Fenner and Ermon regress the empirical frequency of {PIT <= p} on p isotonically; these points rise
    already, so the isotonic regression is the points themselves, with n + 1 in place of n.

    References
    ----------
    Kuleshov, Fenner and Ermon 2018, arXiv:1807.00263; Vovk, Shen, Manokhin and Xie 2019,
    doi:10.1007/s10994-018-5755-8, for n + 1.

    Examples
    --------
    >>> too_wide = 0.25 + 0.5 * (np.arange(99) + 0.5) / 99        # all outcomes in the middle half
    >>> fit_levels(too_wide).apply([0.25, 0.5, 0.75]).round(2)
    array([0.01, 0.5 , 0.99])
    """
    u = np.sort(forecast.pit(pit))
    _demand(len(u), FEWEST, "a map of levels")
    levels, first = np.unique(u[::-1], return_index=True)
    values = (len(u) - first) / (len(u) + 1.0)  # how many are at most this one, ties included
    inside = (levels > 0.0) & (levels < 1.0)
    levels, values = levels[inside], values[inside]
    if len(levels) < 2:
        raise errors.FitError(
            "CAL-544",
            "the PIT has too few different values",
            cause=f"{len(levels)} distinct values strictly between 0 and 1, at least 2 are needed",
            fix="use the randomised PIT, and check that forecasts are in the unit of the outcomes",
        )
    keep = np.unique(np.linspace(0, len(levels) - 1, min(len(levels), max(max_knots, 2))).round().astype(np.int64))
    return quantile.QuantileMap(
        (0.0, *levels[keep].tolist(), 1.0),
        (0.0, *values[keep].tolist(), 1.0),
    )


def conformity(low: ArrayLike, high: ArrayLike, outcomes: ArrayLike) -> Floats:
    """How far each outcome lies outside its interval, shape (n,); negative inside, the distance to the nearer end.

    Examples
    --------
    >>> conformity([0.0, 0.0], [4.0, 4.0], [5.0, 1.0])
    array([ 1., -1.])
    """
    a, b, y = forecast.check_intervals(low, high, outcomes)
    return np.maximum(a - y, y - b)


def fit_conformal(
    low: ArrayLike, high: ArrayLike, outcomes: ArrayLike, *, miscoverage: float, tails: Tails = "joint"
) -> quantile.ConformalShift:
    """Split-conformal correction of intervals (CQR); with low = high a point forecast gets its interval.

    Parameters
    ----------
    low, high
        Shape (n,), finite, low <= high: forecasts for rows that the forecaster was not fitted on.
    outcomes
        Shape (n,).
    miscoverage
        Share alpha of outcomes that may lie outside, in (0, 1).
    tails
        Whether the guarantee is for both ends together or alpha / 2 for each.

    Returns
    -------
    ConformalShift
        A new exchangeable row is covered with probability at least 1 - alpha, and at most 1 - alpha + 1 / (n + 1)
        without ties (joint tails).

    Raises
    ------
    FitError
        CAL-543 if n is so small that only an infinite interval keeps the promise: n + 1 < 1 / alpha.

    Notes
    -----
    The shift is the ceil((n + 1)(1 - alpha))-th smallest of max(low - y, y - high). Rows are not weighted: with
    weights the promise would be about another population.

    References
    ----------
    Romano, Patterson and Candes 2019, arXiv:1905.03222; Vovk, Gammerman and Shafer 2005, doi:10.1007/b106715.

    Examples
    --------
    >>> y = np.arange(1.0, 20.0)
    >>> fit_conformal(np.zeros(19), np.zeros(19), y, miscoverage=0.1).upper     # the 18th of 19
    18.0
    """
    alpha = forecast.check_miscoverage(miscoverage)
    a, b, y = forecast.check_intervals(low, high, outcomes)
    match tails:
        case "joint":
            lower = upper = _ranked(conformity(a, b, y), alpha)
        case "separate":
            lower, upper = _ranked(a - y, alpha / 2.0), _ranked(y - b, alpha / 2.0)
        case _:
            assert_never(tails)
    return quantile.ConformalShift(lower, upper, alpha)


def _ranked(scores: Floats, alpha: float) -> float:
    """The ceil((n + 1)(1 - alpha))-th smallest score."""
    n = len(scores)
    # a hair below, so that (n + 1)(1 - alpha) = 18 is not rounded up to 19
    rank = math.ceil((n + 1) * (1.0 - alpha) - 1e-9)
    _demand(n, math.ceil(1.0 / alpha - 1e-9) - 1, f"an interval with miscoverage {alpha:g} at an end or in total")
    return float(np.partition(scores, rank - 1)[rank - 1])


def _demand(have: int, need: int, what: str) -> None:
    if have < need:
        raise errors.FitError(
            "CAL-543",
            f"too few rows for {what}",
            cause=f"{have} rows, at least {need} are needed",
            fix="collect more rows with outcomes, or ask for less",
        )


# -------------------------------------------------------------------- online


@dataclass(frozen=True, slots=True)
class Adaptive:
    """State of adaptive conformal inference: the miscoverage to ask for next, which may leave [0, 1].

    ``target`` in (0, 1) is what the long run shall show, ``rate`` > 0 how fast to follow (.005 to .05).

    Raises
    ------
    UsageError
        CAL-448 for a target outside (0, 1), CAL-449 for a rate that is not positive.
    """

    target: float
    rate: float
    asked: float

    def __post_init__(self) -> None:
        forecast.check_miscoverage(self.target)
        if not (self.rate > 0.0 and math.isfinite(self.rate) and math.isfinite(self.asked)):
            raise errors.UsageError(
                "CAL-449",
                "adaptive conformal inference needs a positive rate",
                cause=f"rate={self.rate!r}, asked={self.asked!r}",
                fix="use a rate between 0.005 and 0.05, and start with asked = target",
            )


def step(state: Adaptive, *, covered: bool) -> Adaptive:
    """The state after one more outcome: asked + rate * (target - [not covered]).

    Notes
    -----
    If intervals are infinite while asked <= 0 and empty while asked >= 1 (as ``shift`` makes them), then after T
    steps from asked in [0, 1] the share of misses differs from the target by at most
    (max(asked, 1 - asked) + rate) / (rate T), whatever the data do.

    References
    ----------
    Gibbs and Candes 2021, arXiv:2106.00170.

    Examples
    --------
    >>> round(step(Adaptive(target=0.1, rate=0.05, asked=0.1), covered=False).asked, 6)
    0.055
    """
    return replace(state, asked=state.asked + state.rate * (state.target - float(not covered)))


def shift(state: Adaptive, scores: ArrayLike) -> float:
    """How far to move both ends outward now, from past ``conformity`` scores, shape (n,).

    Infinite while asked is so small that the past cannot promise it; minus infinity (an empty interval) from
    asked = 1 on.

    Examples
    --------
    >>> shift(Adaptive(target=0.1, rate=0.05, asked=0.1), np.arange(1.0, 20.0))
    18.0
    """
    past = np.asarray(scores, np.float64)
    if state.asked >= 1.0:
        return -math.inf
    rank = math.ceil((len(past) + 1) * (1.0 - state.asked) - 1e-9)
    if rank > len(past):
        return math.inf
    return float(np.partition(past, rank - 1)[rank - 1]) if rank >= 1 else -math.inf
