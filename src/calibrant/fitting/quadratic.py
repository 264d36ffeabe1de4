"""A parabola in log-odds, accepted only where it rises."""

from __future__ import annotations

import numpy as np

from calibrant import errors
from calibrant.calibrators import quadratic as maps
from calibrant.calibrators import scales
from calibrant.fitting import grouped
from calibrant.stats import logistic, summary


def fit(data: summary.Summary, *, scale: scales.Scale = scales.Scale()) -> maps.QuadraticLogit:
    """Maximum likelihood of logit q = c + l x + q x^2, x = logit p, constant outside the scores seen.

    Parameters
    ----------
    data
        One group; labels 0/1 (or shares), any weights.
    scale
        The scale of the raw scores that the map will read; the summary holds them in [0, 1].

    Raises
    ------
    FitError
        CAL-501 to CAL-503 as ``grouped.read``; CAL-505 if there is no finite maximum (or fewer than three
        different scores); CAL-506 if the parabola falls somewhere between the lowest and the highest score:
        use beta calibration then.

    Examples
    --------
    >>> scores, labels = [0.2] * 50 + [0.5] * 50 + [0.8] * 50, [1] * 5 + [0] * 45 + ([1] * 25 + [0] * 25) * 2
    >>> fit(summary.summarise(scores, labels, grid="distinct"))
    Traceback (most recent call last):
    calibrant.errors.FitError: CAL-506: the best parabola falls inside the range of the scores
    ...
    """
    found = grouped.read(data)
    # a centred column keeps the information matrix far from singular; the parabola is the same
    centre = float(found.w @ found.x) / found.rows
    z = found.x - centre
    result = logistic.fit(np.stack([np.ones_like(z), z, z * z], axis=1), found.wy, found.w)
    if not result.converged:
        raise grouped.separated("the parabola in log-odds")
    constant, linear, curve = (float(value) for value in result.coefficients)
    constant, linear = constant - linear * centre + curve * centre**2, linear - 2.0 * curve * centre
    low, high = float(found.x[0]), float(found.x[-1])
    steepness = min(linear + 2.0 * curve * low, linear + 2.0 * curve * high)
    if steepness < 0.0:
        raise errors.FitError(
            "CAL-506",
            "the best parabola falls inside the range of the scores",
            cause=f"its slope goes down to {steepness:.4g} between log-odds {low:.4g} and {high:.4g}",
            fix="use beta calibration, which cannot fall",
        )
    return maps.QuadraticLogit(constant, linear, curve, low, high, scale)
