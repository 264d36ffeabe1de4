"""A measurement against a reference, or forecasts of a mean against outcomes: bias, errors, slope and intercept.

The functional is the mean: calibrated means E[reference | measured] = measured, so the line regresses the
reference on the measurement and should be intercept 0, slope 1. Rates in [0, 1] may go through a ``Summary``
instead, with the rates as labels; this module is for values of any unit, rows not summarised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from calibrant import errors
from calibrant.stats import intervals, means, results

Floats = NDArray[np.float64]

#: Effective rows below which no line is fitted.
FEWEST = 10


@dataclass(frozen=True, slots=True)
class Pairs:
    """Checked rows, each of shape (n,): measured and reference in the same unit, weights positive."""

    measured: Floats
    reference: Floats
    weights: Floats

    @property
    def effective_n(self) -> float:
        """(sum w)^2 / sum w^2 (Kish 1965)."""
        return means.effective_n(self.weights)


def pairs(measured: ArrayLike, reference: ArrayLike, *, weights: ArrayLike | None = None) -> Pairs:
    """Check rows at the door; rows of weight 0 are dropped.

    Raises
    ------
    ValueRangeError
        CAL-346 for shapes that differ or values that are not finite; CAL-345 for weights that are negative, not
        finite or all zero.

    Examples
    --------
    >>> pairs([1.0, 2.0], [1.1, 2.2], weights=[0.0, 1.0]).measured
    array([2.])
    """
    x, y = np.asarray(measured, np.float64), np.asarray(reference, np.float64)
    w = np.ones(x.shape) if weights is None else np.asarray(weights, np.float64)
    if x.ndim != 1 or x.shape != y.shape or x.shape != w.shape or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise errors.ValueRangeError(
            "CAL-346",
            "measured and reference values do not fit together",
            cause=f"shapes are {x.shape}, {y.shape} and {w.shape} (weights), or a value is not finite",
            fix="give as many finite numbers in each column, one row each, and drop rows with missing values",
        )
    keep = means.positive(w)
    return Pairs(x, y, w) if keep.all() else Pairs(x[keep], y[keep], w[keep])


@dataclass(frozen=True, slots=True)
class Line:
    """Weighted least squares of the reference on the measurement, with heteroskedasticity-robust intervals.

    ``covariance`` is the HC3 covariance of (intercept, slope), shape (2, 2); ``residual_sd`` is in reference units.
    """

    intercept: results.Estimate
    slope: results.Estimate
    covariance: Floats
    residual_sd: float


def line(rows: Pairs, *, level: float = 0.95) -> Line | results.Insufficient:
    """Mincer-Zarnowitz line: reference = intercept + slope * measured.

    Parameters
    ----------
    rows
        From ``pairs``.
    level
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Line or Insufficient
        ``Insufficient`` below 10 effective rows or three distinct measured values.

    Notes
    -----
    Covariance (X'WX)^-1 X'W diag(e_i^2 / (1 - h_i)^2) W X (X'WX)^-1 (HC3), quantiles of Student's t with
    effective n less 2 degrees of freedom: free of the unit of the weights. Noise in the measurement belongs to
    the forecast and pulls the slope below 1: that slope is right for predicting the reference from the
    measurement, not for the physical sensitivity of the sensor.

    References
    ----------
    Mincer and Zarnowitz 1969 (NBER); MacKinnon and White 1985, doi:10.1016/0304-4076(85)90158-7;
    Long and Ervin 2000, doi:10.1080/00031305.2000.10474549.

    Examples
    --------
    >>> x = np.arange(20.0)
    >>> found = line(pairs(x, 1.0 + 2.0 * x + np.tile([0.1, -0.1], 10)))
    >>> round(found.slope.value, 2), round(found.intercept.value, 1)
    (2.0, 1.0)
    """
    n, distinct = rows.effective_n, len(np.unique(rows.measured))
    if n < FEWEST * (1.0 - 1e-9):
        return results.Insufficient(have=n, need=FEWEST)
    if distinct < 3:
        return results.Insufficient(have=distinct, need=3, unit="distinct measured values")
    w = rows.weights / rows.weights.sum()
    centre = float(w @ rows.measured)
    design = np.stack([np.ones(len(w)), rows.measured - centre], axis=1)
    bread = np.linalg.inv((design.T * w) @ design)
    coefficients = bread @ (design.T @ (w * rows.reference))
    residuals = rows.reference - design @ coefficients
    leverage = np.minimum(w * np.einsum("ni,ij,nj->n", design, bread, design), 1.0 - 1e-9)
    meat = (design.T * (w * residuals / (1.0 - leverage)) ** 2) @ design
    # back from the centred column: intercept = mean - slope * centre
    back = np.array([[1.0, -centre], [0.0, 1.0]])
    intercept, slope = back @ coefficients
    covariance = back @ (bread @ meat @ bread) @ back.T
    half = float(stdtrit(n - 2.0, 0.5 + _checked(level) / 2.0)) * np.sqrt(np.diag(covariance))
    sd = float(np.sqrt(w @ residuals**2 * n / (n - 2.0)))
    return Line(
        _around(float(intercept), float(half[0]), level, "hc3-t"),
        _around(float(slope), float(half[1]), level, "hc3-t"),
        covariance,
        sd,
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well measurements agree with a reference; all but the slope in the unit of the measurement.

    ``bias`` is the mean of measured - reference; ``limits`` are the 95 % limits of agreement (Bland and Altman).
    """

    n: int
    bias: results.Measured
    mae: results.Measured
    rmse: results.Measured
    intercept: results.Measured
    slope: results.Measured
    residual_sd: results.Measured
    limits: tuple[float, float] | results.Insufficient


def agreement(
    measured: ArrayLike, reference: ArrayLike, *, weights: ArrayLike | None = None, level: float = 0.95
) -> Agreement:
    """Bias, MAE, RMSE and the calibration line of measurements, or of forecasts of a mean.

    Parameters
    ----------
    measured, reference
        Shape (n,), finite, the same unit; measured may be a forecast of the mean and reference its outcome.
    weights
        Shape (n,), >= 0; only their ratios matter.
    level
        Coverage of the intervals.

    Raises
    ------
    ValueRangeError
        As ``pairs``.

    Notes
    -----
    Bias and MAE are means with Wald intervals; the interval of the RMSE is the square root of that of the mean
    square. Limits of agreement are bias +- 1.96 standard deviations of the difference.

    References
    ----------
    Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8.

    Examples
    --------
    >>> x = np.arange(20.0)
    >>> found = agreement(x + 0.5, x)
    >>> found.bias.value, found.rmse.value, round(found.slope.value, 6)
    (0.5, 0.5, 1.0)
    """
    rows = pairs(measured, reference, weights=weights)
    difference = rows.measured - rows.reference
    bias = means.mean(difference, rows.weights, level=level)
    fitted = line(rows, level=level)
    if isinstance(fitted, results.Insufficient):
        intercept: results.Measured = fitted
        slope: results.Measured = fitted
        sd: results.Measured = fitted
    else:
        intercept, slope = fitted.intercept, fitted.slope
        sd = results.Estimate(fitted.residual_sd, method="none: for orientation")
    return Agreement(
        n=len(difference),
        bias=bias,
        mae=means.mean(np.abs(difference), rows.weights, level=level),
        rmse=_root(means.mean(difference**2, rows.weights, level=level)),
        intercept=intercept,
        slope=slope,
        residual_sd=sd,
        limits=_limits(difference, rows.weights, bias),
    )


def _limits(difference: Floats, weights: Floats, bias: results.Measured) -> tuple[float, float] | results.Insufficient:
    if isinstance(bias, results.Insufficient):
        return bias
    n = means.effective_n(weights)
    variance = float(weights @ (difference - bias.value) ** 2 / weights.sum()) * n / (n - 1.0)
    reach = intervals.quantile(0.95) * float(np.sqrt(variance))
    return bias.value - reach, bias.value + reach


def _root(square: results.Measured) -> results.Measured:
    if isinstance(square, results.Insufficient) or square.low is None or square.high is None:
        return square
    low, high = float(np.sqrt(max(square.low, 0.0))), float(np.sqrt(square.high))
    return results.Estimate(float(np.sqrt(square.value)), low, high, square.level, "wald of the mean square")


def _around(value: float, half: float, level: float, method: str) -> results.Estimate:
    return results.Estimate(value, value - half, value + half, level, method)


def _checked(level: float) -> float:
    """The level itself; ``intervals.quantile`` refuses what is none."""
    intervals.quantile(level)
    return level
