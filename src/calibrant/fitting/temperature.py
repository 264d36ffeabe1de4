"""Temperature scaling: one factor on the log-odds."""

from __future__ import annotations

import math

import numpy as np

from calibrant.calibrators import logistic as maps
from calibrant.calibrators import scales
from calibrant.fitting import grouped
from calibrant.stats import summary

#: log(1 / T) is sought between minus and plus this: T from 1/1100 to 1100.
RANGE = 7.0


def fit(data: summary.Summary, *, scale: scales.Scale = scales.Scale()) -> maps.Temperature:
    """Maximum likelihood of logit q = logit p / T, T > 0.

    Parameters
    ----------
    data
        One group; labels 0/1 (or shares), any weights.
    scale
        The scale of the raw scores that the map will read; the summary holds them in [0, 1].

    Raises
    ------
    FitError
        CAL-501 to CAL-503 as ``grouped.read``; CAL-504 if the likelihood falls from slope 0 on (T would be
        infinite); CAL-505 if it rises without end (T would be 0).

    Notes
    -----
    The likelihood is concave in 1/T, so its derivative sum x (y - q) changes sign once: bisection on log(1/T)
    to full precision (Guo et al. 2017, arXiv:1706.04599).

    Examples
    --------
    >>> scores, labels = [0.2] * 50 + [0.8] * 50, [1] * 20 + [0] * 30 + [1] * 30 + [0] * 20
    >>> fit(summary.summarise(scores, labels, grid="distinct")).apply([0.2, 0.8]).round(6)
    array([0.4, 0.6])
    """
    found = grouped.read(data)
    x, w, wy = found.x, found.w, found.wy
    reached = float(x @ wy)
    wx = w * x

    def derivative(log_slope: float) -> float:
        return reached - float(wx @ scales.expit(math.exp(log_slope) * x))

    low, high = -RANGE, RANGE
    if derivative(low) <= 0.0:
        raise grouped.anti_ranking("temperature scaling", "the best temperature is infinite")
    if derivative(high) >= 0.0:
        raise grouped.separated("temperature scaling")
    while high - low > 4.0 * np.finfo(np.float64).eps * max(1.0, abs(low)):
        middle = 0.5 * (low + high)
        if derivative(middle) > 0.0:
            low = middle
        else:
            high = middle
    return maps.Temperature(math.exp(-0.5 * (low + high)), scale)
