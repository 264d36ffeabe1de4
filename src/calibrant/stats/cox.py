"""Calibration slope and intercept (Cox), and calibration in the large.

A calibrated score has slope 1 and intercept 0. A slope below 1 means scores that are too extreme (overfitted),
above 1 too timid; the intercept at slope 1, calibration in the large, is the shift of all log-odds.
Scores of exactly 0 and 1 count as log-odds of about -36 and 36: a few wrong ones flatten the slope, as they should.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from calibrant.calibrators import scales
from calibrant.stats import intervals, logistic, results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]
Matrix = tuple[tuple[float, float], tuple[float, float]]

#: Below these a maximum-likelihood line has no trustworthy Wald interval.
FEWEST_ROWS = 20
FEWEST_OF_A_LABEL = 5


@dataclass(frozen=True, slots=True)
class Cox:
    """The line logit P(y = 1) = intercept + slope * logit(p).

    ``covariance`` belongs to (intercept, slope), in this order.
    """

    intercept: results.Estimate
    slope: results.Estimate
    covariance: Matrix

    def to_dict(self) -> dict[str, object]:
        return {
            "intercept": self.intercept.to_dict(),
            "slope": self.slope.to_dict(),
            "covariance": [list(row) for row in self.covariance],
        }


@dataclass(frozen=True, slots=True)
class ByGroup:
    """The lines of g groups.

    ``coefficients`` (g, 2) as (intercept, slope), ``covariance`` (g, 2, 2) in that order, ``converged`` (g,).

    Where a group has not converged (one label, one score, separated, or too few rows), its coefficients mean
    nothing and its covariance is infinite.
    """

    coefficients: Floats
    covariance: Floats
    converged: NDArray[np.bool_]

    def interval(self, *, level: float = 0.95) -> tuple[Floats, Floats]:
        """Wald ends of (intercept, slope), each of shape (g, 2); infinite where not converged."""
        half = intervals.quantile(level) * np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))
        return self.coefficients - half, self.coefficients + half


def cox(summary: summaries.Summary, *, level: float = 0.95) -> Cox | results.Insufficient:
    """Calibration slope and intercept with Wald intervals.

    Parameters
    ----------
    summary
        One group; labels 0/1 or rates in [0, 1].
    level
        Coverage of each interval, in (0, 1).

    Returns
    -------
    Cox or Insufficient
        Insufficient with fewer than 20 effective rows, fewer than 5 of either label, one distinct score, or
        labels that the scores separate (no finite maximum exists).

    Notes
    -----
    Maximum likelihood of y on x = logit(p), with information A = sum w v x x^T, v the fitted variance. With
    weights the covariance is A^-1 B A^-1, B = sum w^2 v x x^T: for equal weights A^-1, for weights that have
    nothing to do with the score A^-1 at the effective sample size, and free of the unit of the weights.

    References
    ----------
    Cox 1958, doi:10.1093/biomet/45.3-4.562; Van Calster et al. 2019, doi:10.1186/s12916-019-1466-7.

    Examples
    --------
    >>> p = np.repeat([0.1, 0.3, 0.5, 0.7, 0.9], 100)
    >>> found = cox(summaries.summarise(p, np.tile(np.arange(100), 5) < 100 * p))
    >>> round(found.slope.value, 6) + 0.0, abs(round(found.intercept.value, 6))
    (1.0, 0.0)
    """
    lacking = insufficient(summary)
    if lacking is not None:
        return lacking
    found = by_group(summary)
    if not found.converged[0]:
        return results.Insufficient(0, 1, "scores at which both labels occur")
    z = intervals.quantile(level)
    (a, b), covariance = found.coefficients[0].tolist(), found.covariance[0]

    def estimate(value: float, variance: float) -> results.Estimate:
        half = z * float(np.sqrt(variance))
        return results.Estimate(value, value - half, value + half, level, "wald")

    matrix = (float(covariance[0, 0]), float(covariance[0, 1])), (float(covariance[1, 0]), float(covariance[1, 1]))
    return Cox(estimate(a, matrix[0][0]), estimate(b, matrix[1][1]), matrix)


def in_the_large(summary: summaries.Summary, *, level: float = 0.95) -> results.Measured:
    """Calibration in the large: the shift of all log-odds, at slope 1, that makes the mean score the base rate.

    Parameters
    ----------
    summary
        One group; labels 0/1 or rates in [0, 1].
    level
        Coverage of the interval, in (0, 1).

    Returns
    -------
    Measured
        In log-odds, with a Wald interval; positive where the scores are too low. Insufficient with fewer than
        20 effective rows or fewer than 5 of either label.

    Notes
    -----
    Maximum likelihood of a in logit P(y = 1) = a + logit(p); variance sum w^2 v / (sum w v)^2.

    References
    ----------
    Steyerberg 2019, Clinical Prediction Models, ch. 15; Cox 1958, doi:10.1093/biomet/45.3-4.562.

    Examples
    --------
    >>> found = in_the_large(summaries.summarise(np.full(100, 0.5), np.arange(100) < 75))
    >>> round(found.value, 6), round(found.low, 3), round(found.high, 3)   # log(3)
    (1.098612, 0.646, 1.551)
    """
    lacking = insufficient(summary, scores=1)
    if lacking is not None:
        return lacking
    x, scale = scales.logit(summary.score), float(summary.total("w")[0] / summary.total("ww")[0])
    with np.errstate(over="ignore"):
        found = logistic.fit(np.ones((len(x), 1)), summary.wy * scale, summary.w * scale, offset=x)
    if not found.converged:
        return results.Insufficient(0, 1, "scores at which both labels occur")
    shift = float(found.coefficients[0])
    q = expit(shift + x)
    v = q * (1.0 - q)
    half = intervals.quantile(level) * float(np.sqrt(summary.ww @ v) / (summary.w @ v))
    return results.Estimate(shift, shift - half, shift + half, level, "wald")


def insufficient(summary: summaries.Summary, *, scores: int = 2) -> results.Insufficient | None:
    """What is missing for a line through the log-odds of one group, or None if nothing is.

    Examples
    --------
    >>> print(insufficient(summaries.summarise(np.full(30, 0.5), np.zeros(30))))
    insufficient: 0 rows of the rarer label, needs 5
    """
    rows = float(summary.only().effective_n[0])
    if rows < FEWEST_ROWS * (1.0 - 1e-9):
        return results.Insufficient(rows, FEWEST_ROWS)
    share = float(summary.total("wy")[0] / summary.total("w")[0])
    rarer = rows * min(share, 1.0 - share)
    if rarer < FEWEST_OF_A_LABEL * (1.0 - 1e-9):
        return results.Insufficient(rarer, FEWEST_OF_A_LABEL, "rows of the rarer label")
    if len(summary.keys) < scores:
        return results.Insufficient(len(summary.keys), scores, "distinct scores")
    return None


def by_group(summary: summaries.Summary) -> ByGroup:
    """Slope and intercept of every group at once; see ``cox`` for formula and source.

    Parameters
    ----------
    summary
        Any number g of groups.

    Examples
    --------
    >>> p = np.tile([0.2, 0.8], 100)
    >>> both = summaries.summarise(p, np.arange(200) % 5 < 2, groups=np.arange(200) // 100)
    >>> by_group(both).coefficients.shape
    (2, 2)
    """
    if not len(summary.keys):
        g = len(summary.starts)
        return ByGroup(np.zeros((g, 2)), np.full((g, 2, 2), np.inf), np.zeros(g, bool))
    x = scales.logit(summary.score)
    weight = summary.total("w")
    scale = (weight / summary.total("ww"))[summary.group]
    w, wy = summary.w * scale, summary.wy * scale
    with np.errstate(over="ignore", invalid="ignore"):
        found = logistic.fit_lines(x, wy, w, summary.starts)
    rows, share = summary.effective_n, summary.total("wy") / weight
    enough = (rows >= FEWEST_ROWS * (1.0 - 1e-9)) & (
        rows * np.minimum(share, 1.0 - share) >= FEWEST_OF_A_LABEL * (1.0 - 1e-9)
    )
    converged = found.converged & enough & np.isfinite(found.coefficients).all(axis=1)
    safe = np.where(converged[:, None], found.coefficients, 0.0)
    q = expit(safe[summary.group, 0] + safe[summary.group, 1] * x)
    v = summary.ww * scale**2 * q * (1.0 - q)
    middle = np.stack([summary.reduce(v * x**power) for power in (0, 1, 1, 2)], axis=1).reshape(-1, 2, 2)
    bread = np.where(converged[:, None, None], found.covariance, 0.0)
    covariance = np.where(converged[:, None, None], bread @ middle @ bread, np.inf)
    return ByGroup(found.coefficients, covariance, converged)
