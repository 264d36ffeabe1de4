"""How far the fitted slope and intercept move the scores, in units of probability: a test with a tolerance.

Slope and intercept say that scores are off, but not by how much anyone would notice. The departure does: the
mean of |expit(a + b logit p) - p| over the scores, with (a, b) the calibration intercept and slope (Cox 1958).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from calibrant.calibrators import scales
from calibrant.stats import cox, intervals
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Departures:
    """Departure per group, all of shape (g,).

    ``value`` and ``standard_error`` are in units of probability; ``identity_p`` is the p-value of the joint Wald
    test of intercept 0 and slope 1 (chi-squared, two degrees of freedom); ``lines`` are the fitted lines. Where
    ``known`` is False the line could not be fitted (one class, separation, constant scores) and the other fields
    mean nothing.
    """

    value: Floats
    standard_error: Floats
    identity_p: Floats
    lines: cox.ByGroup

    @property
    def slope(self) -> Floats:
        """Fitted slopes, shape (g,)."""
        return self.lines.coefficients[:, 1]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where the line could be fitted, shape (g,)."""
        return self.lines.converged

    def p_beyond(self, tolerance: float) -> Floats:
        """p-value against "the departure is at most ``tolerance``", shape (g,); 1 where nothing is known.

        The larger of the delta-method p-value of the mean departure and the Wald p-value of the identity: the
        second keeps the level where the departure is so close to 0 that its absolute value is not normal.
        """
        beyond = self.known & (self.value > tolerance)
        delta = ndtr((tolerance - self.value) / np.where(beyond, self.standard_error, 1.0))
        return np.where(beyond, np.maximum(delta, self.identity_p), 1.0)

    def lower(self, level: float) -> Floats:
        """One-sided lower bound of the departure, shape (g,); 0 where the identity is not excluded or nothing known."""
        z = intervals.quantile(2.0 * level - 1.0)
        away = self.known & (self.identity_p < 1.0 - level)
        return np.where(away, np.maximum(self.value - z * self.standard_error, 0.0), 0.0)

    def upper(self, level: float) -> Floats:
        """One-sided upper bound of the departure, shape (g,); infinite where nothing is known."""
        z = intervals.quantile(2.0 * level - 1.0)
        return np.where(self.known, self.value + z * self.standard_error, np.inf)


def by_group(summary: summaries.Summary) -> Departures:
    """Departures of every group of a summary.

    Parameters
    ----------
    summary
        One group or several stacked; labels binary or rates.

    Notes
    -----
    With f = expit(a + b x), x = logit p, the gradient of the mean departure is the mean of
    sign(f - p) f (1 - f) (1, x); the standard error is that of the delta method.

    References
    ----------
    Cox 1958, doi:10.1093/biomet/45.3-4.562; Miller, Hui and Tierney 1991, doi:10.1002/sim.4780100802 (the joint test).

    Examples
    --------
    >>> rng = np.random.default_rng(7)
    >>> p = rng.beta(2, 2, 4000)
    >>> rows = summaries.summarise(p, rng.random(4000) < scales.expit(scales.logit(p) / 2))
    >>> found = by_group(rows)
    >>> round(float(found.value[0]), 2), bool(found.p_beyond(0.02)[0] < 0.001)
    (0.08, True)
    """
    p, group = summary.score, summary.group
    x = scales.logit(p)
    fits = cox.by_group(summary)
    line = np.where(fits.converged[:, None], fits.coefficients, np.array([0.0, 1.0]))
    a, b = line[group, 0], line[group, 1]
    f = scales.expit(a + b * x)
    share = summary.w / summary.total("w")[group]
    value = summary.reduce(share * np.abs(f - p))
    slope = share * np.sign(f - p) * f * (1.0 - f)
    gradient = np.stack([summary.reduce(slope), summary.reduce(slope * x)], axis=1)
    covariance = np.where(fits.converged[:, None, None], fits.covariance, np.eye(2))
    variance = np.einsum("gi,gij,gj->g", gradient, covariance, gradient)
    away = line - np.array([0.0, 1.0])
    wald = np.einsum("gi,gi->g", away, np.linalg.solve(covariance, away[:, :, None])[:, :, 0])
    return Departures(value, np.sqrt(variance), np.exp(-wald / 2.0), fits)
