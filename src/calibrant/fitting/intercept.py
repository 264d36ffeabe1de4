"""Intercept alone: moves the base rate and nothing else."""

from __future__ import annotations

import numpy as np

from calibrant.calibrators import logistic as maps
from calibrant.calibrators import scales
from calibrant.fitting import grouped
from calibrant.stats import logistic, summary


def fit(data: summary.Summary, *, scale: scales.Scale = scales.Scale()) -> maps.Intercept:
    """Maximum likelihood of logit q = a + logit p.

    Parameters
    ----------
    data
        One group; labels 0/1 (or shares), any weights.
    scale
        The scale of the raw scores that the map will read; the summary holds them in [0, 1].

    Raises
    ------
    FitError
        CAL-501 to CAL-503 as ``grouped.read``; CAL-505 if Newton finds no finite maximum.

    Notes
    -----
    Newton on the concave likelihood with logit p as an offset; the mean of q is then the base rate (Cox 1958,
    doi:10.1093/biomet/45.3-4.562).

    Examples
    --------
    >>> map = fit(summary.summarise([0.4, 0.6] * 50, [1, 1, 0, 1] * 25))
    >>> round(float(map.apply([0.4, 0.6]).mean()), 6)
    0.75
    """
    found = grouped.read(data)
    result = logistic.fit(np.ones((len(found.x), 1)), found.wy, found.w, offset=found.x)
    if not result.converged:
        raise grouped.separated("the intercept")
    return maps.Intercept(float(result.coefficients[0]), scale)
