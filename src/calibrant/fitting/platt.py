"""Platt scaling on log-odds, with smoothed targets."""

from __future__ import annotations

import numpy as np

from calibrant.calibrators import logistic as maps
from calibrant.calibrators import scales
from calibrant.fitting import grouped
from calibrant.stats import logistic, summary


def fit(data: summary.Summary, *, scale: scales.Scale = scales.Scale()) -> maps.Platt:
    """Logistic regression of the smoothed labels on logit p: logit q = a + b logit p, b > 0.

    Parameters
    ----------
    data
        One group; labels 0/1 (or shares), any weights.
    scale
        The scale of the raw scores that the map will read; the summary holds them in [0, 1].

    Raises
    ------
    FitError
        CAL-501 to CAL-503 as ``grouped.read``; CAL-504 if b <= 0 (anti-ranking is reported, never fitted);
        CAL-505 if Newton finds no finite maximum.

    Notes
    -----
    Targets (N1 + 1) / (N1 + 2) and 1 / (N0 + 2) with N the effective number of rows times the class share
    (Platt 1999), on log-odds rather than on probabilities, so that the identity is in the family.

    Examples
    --------
    >>> scores, labels = [0.2] * 50 + [0.8] * 50, [1] * 20 + [0] * 30 + [1] * 30 + [0] * 20
    >>> fit(summary.summarise(scores, labels, grid="distinct")).apply([0.2, 0.8]).round(2)
    array([0.4, 0.6])
    """
    found = grouped.read(data)
    design = np.stack([np.ones_like(found.x), found.x], axis=1)
    result = logistic.fit(design, grouped.smoothed(found), found.w)
    if not result.converged:
        raise grouped.separated("Platt scaling")
    intercept, slope = (float(value) for value in result.coefficients)
    if slope <= 0.0:
        raise grouped.anti_ranking("Platt scaling", f"slope {slope:.4g}")
    return maps.Platt(slope, intercept, scale)
