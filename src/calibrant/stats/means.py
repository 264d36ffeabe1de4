"""The weighted mean of row values with its interval: what losses of forecasts and class scores come down to."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors
from calibrant.stats import intervals, results

Floats = NDArray[np.float64]

#: Effective rows below which the normal approximation of a mean is not offered.
FEWEST = 10


def effective_n(weights: Floats) -> float:
    """(sum w)^2 / sum w^2 (Kish 1965); 0 without weight.

    Examples
    --------
    >>> effective_n(np.full(8, 2.5))
    8.0
    """
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0.0 else 0.0


def mean(values: ArrayLike, weights: ArrayLike | None = None, *, level: float = 0.95) -> results.Measured:
    """Weighted mean of independent rows with a Wald interval.

    Parameters
    ----------
    values
        Shape (n,), finite, any unit.
    weights
        Shape (n,), >= 0; None means 1. Only their ratios matter.
    level
        Coverage of the interval, in (0, 1).

    Returns
    -------
    Measured
        ``Insufficient`` below ``FEWEST`` effective rows.

    Notes
    -----
    Standard error sqrt(sum w^2 (v - m)^2) / sum w * sqrt(n / (n - 1)), m the mean and n the effective number of
    rows: the linearised variance of a ratio, s / sqrt(n) for equal weights (Cochran 1977, ch. 6).

    Examples
    --------
    >>> found = mean(np.arange(20.0))
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (9.5, 6.907, 12.093)
    """
    v = np.asarray(values, np.float64)
    w = np.ones(len(v)) if weights is None else np.asarray(weights, np.float64)
    n = effective_n(w)
    if n < FEWEST * (1.0 - 1e-9):
        return results.Insufficient(have=n, need=FEWEST)
    centre = float(w @ v / w.sum())
    scatter = float((w * w) @ (v - centre) ** 2)
    half = intervals.quantile(level) * float(np.sqrt(scatter * n / (n - 1.0)) / w.sum())
    return results.Estimate(centre, centre - half, centre + half, level, "wald")


def positive(weights: Floats) -> NDArray[np.bool_]:
    """Which weights are positive, shape (n,), after checking that they are weights at all.

    Raises
    ------
    ValueRangeError
        CAL-345 if one is negative or not finite, or none is positive.

    Examples
    --------
    >>> positive(np.array([0.0, 2.0]))
    array([False,  True])
    """
    found = weights > 0.0
    if not (np.isfinite(weights).all() and (weights >= 0.0).all() and found.any()):
        raise errors.ValueRangeError(
            "CAL-345",
            "weights must be finite and not negative, and some positive",
            cause="at least one weight is negative or not finite, or there is no positive one",
            fix="drop such rows, or give weights that count rows",
        )
    return found
