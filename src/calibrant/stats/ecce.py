"""ECCE: the Kuiper statistic of cumulated calibration errors, with tests and bounds. One of the measures that decide.

No bins and no bandwidth: the errors w (y - p) / sum w are cumulated in order of the score (ties first pooled),
and ECCE is the range of that path, the largest total miscalibration of any run of neighbouring scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from calibrant import errors
from calibrant.stats import results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]

#: Effective rows below which the path is too coarse for its limit law.
FEWEST = 10
#: Terms of either series: more than 1e-16 needs, on its own side of ``TURN``.
TERMS = 8
#: Where the two series for the law of the range change places.
TURN = 2.0


@dataclass(frozen=True, slots=True)
class EcceByGroup:
    """ECCE of every group, arrays of shape (g,).

    ``sigma`` is the standard deviation of the end of the path if the scores are right, ``in_sigmas`` their ratio and
    ``p_value`` that of exact calibration. ``spread`` is the larger of sigma and of the root of the squared
    residuals: it covers the noise whatever the true probabilities are. ``tilt`` is sum w^2 |1 - 2p| / (sum w)^2.
    """

    value: Floats
    sigma: Floats
    in_sigmas: Floats
    p_value: Floats
    spread: Floats
    tilt: Floats

    def p_beyond(self, tolerance: float) -> Floats:
        """p-values, shape (g,), against ``|P(y=1|p) - p| <= tolerance`` for every score; 1 while ECCE <= tolerance.

        The path of a model within the tolerance is a path of range <= tolerance plus noise, whose variance per row
        is at most p(1-p) + tolerance |1-2p|. So p = 1 - F((ECCE - tolerance) / sigma') with that larger sigma'.
        """
        if not 0.0 <= tolerance < 1.0:
            raise errors.UsageError(
                "CAL-462",
                f"{tolerance!r} is not a tolerance",
                cause="a tolerance is a difference of probabilities, from 0 up to but not including 1",
                fix="use 0.02, for example",
            )
        excess = self.value - tolerance
        return np.where(excess > 0.0, survival(excess / np.sqrt(self.sigma**2 + tolerance * self.tilt)), 1.0)

    def lower(self, level: float = 0.95) -> Floats:
        """One-sided lower bounds of the true range, shape (g,): max(0, ECCE - k spread), F(k) = level.

        The observed range is at most the true range plus the range of the noise, which exceeds k spread with
        probability 1 - level at most.
        """
        return np.maximum(self.value - range_quantile(level) * self.spread, 0.0)

    def upper(self, level: float = 0.95) -> Floats:
        """One-sided upper bounds of the true range, shape (g,): ECCE + z sd, z the one-sided normal quantile.

        If the true range is r, there are two fixed points whose true cumulated errors differ by r. The observed
        range is at least the observed difference between just those two, which is r plus noise of mean 0; that
        noise falls below -z sd with probability 1 - level. Its sd must not take the scores for right: ``spread``,
        or if larger the sd that errors cumulating to the bound itself bring (sd^2 = sigma^2 + bound * tilt, solved
        like Wilson's interval), without which few positives would look like certainty. The normal approximation
        held its level in simulations down to 10 rows and to one positive in 200.
        """
        z = float(ndtri(_level(level)))
        pace = z * z * self.tilt / 2.0
        wilson = self.value + pace + np.sqrt(pace**2 + 2.0 * pace * self.value + (z * self.sigma) ** 2)
        return np.minimum(np.maximum(wilson, self.value + z * self.spread), 1.0)


@dataclass(frozen=True, slots=True)
class Ecce:
    """ECCE of one group; the fields and methods are those of ``EcceByGroup``, as plain numbers."""

    value: float
    sigma: float
    in_sigmas: float
    p_value: float
    spread: float
    tilt: float

    def p_beyond(self, tolerance: float) -> float:
        """p-value against "within the tolerance"."""
        return float(self._arrays().p_beyond(tolerance)[0])

    def lower(self, level: float = 0.95) -> float:
        """One-sided lower bound of the true range."""
        return float(self._arrays().lower(level)[0])

    def upper(self, level: float = 0.95) -> float:
        """One-sided upper bound of the true range."""
        return float(self._arrays().upper(level)[0])

    def _arrays(self) -> EcceByGroup:
        one = (self.value, self.sigma, self.in_sigmas, self.p_value, self.spread, self.tilt)
        return EcceByGroup(*(np.array([number]) for number in one))


def ecce(summary: summaries.Summary) -> Ecce | results.Insufficient:
    """Estimated cumulative calibration error of one group, in the form of Kuiper.

    Parameters
    ----------
    summary
        One group.

    Returns
    -------
    Ecce | Insufficient
        The value is in [0, 1] and in units of probability; about 1.6 sigma is what noise alone shows.
        ``Insufficient`` below 10 effective rows.

    Notes
    -----
    C_k = sum_{i <= k} w_i (y_i - p_i) / sum w over the cells in order of the score, C_0 = 0;
    ECCE = max C - min C; sigma = sqrt(sum w^2 p (1 - p)) / sum w; p-value = 1 - F(ECCE / sigma), F the law of the
    range of Brownian motion on [0, 1]. At few rows the test rejects a little less often than it may. On the
    dyadic grid the path is seen at the ends of cells only: the value can be smaller than from rows, never larger.
    Sigma is kept from 0 (all scores 0 or 1) by taking scores a machine epsilon off 0 and 1.

    References
    ----------
    Arrieta-Ibarra, Gujral, Tannen, Tygert and Xu 2022, arXiv:2205.09680; Feller 1951,
    doi:10.1214/aoms/1177729589, for the law of the range.

    Examples
    --------
    >>> found = ecce(summaries.summarise([0.5] * 100, [1] * 60 + [0] * 40))
    >>> round(found.value, 3), round(found.in_sigmas, 3), round(found.p_value, 3)
    (0.1, 2.0, 0.181)
    """
    rows = float(summary.only().effective_n[0])
    if rows < FEWEST:
        return results.Insufficient(rows, FEWEST, "effective rows")
    every = ecce_by_group(summary)
    one = (every.value, every.sigma, every.in_sigmas, every.p_value, every.spread, every.tilt)
    return Ecce(*(float(numbers[0]) for numbers in one))


def ecce_by_group(summary: summaries.Summary) -> EcceByGroup:
    """ECCE of every group at once, however few rows a group has.

    Examples
    --------
    >>> ecce_by_group(summaries.summarise([0.5, 0.5], [1, 0], groups=[0, 1])).value
    array([0.5, 0.5])
    """
    w, wy, wyy, wp, wpp, wpy, ww, wwv = summary.sums[:8]
    weight, squares = summary.total("w"), summary.total("ww")
    steps = (wy - wp) / weight[summary.group]
    ends = np.cumsum(steps)
    before = (ends - steps)[summary.starts]
    path = ends - before[summary.group]
    value = np.maximum(np.maximum.reduceat(path, summary.starts), 0.0)
    value -= np.minimum(np.minimum.reduceat(path, summary.starts), 0.0)
    variance = np.maximum(summary.reduce(wwv), summaries.EPSILON * squares)
    residual = summary.reduce(np.maximum(wyy - 2.0 * wpy + wpp, 0.0) * (ww / w))
    sigma = np.sqrt(variance) / weight
    spread = np.sqrt(np.maximum(variance, residual)) / weight
    tilt = summary.reduce(ww * np.abs(1.0 - 2.0 * wp / w)) / weight**2
    return EcceByGroup(value, sigma, value / sigma, survival(value / sigma), spread, tilt)


def survival(x: ArrayLike) -> Floats:
    """1 - F(x): how often the range of Brownian motion on [0, 1] exceeds x >= 0; any shape.

    Notes
    -----
    Below 2: 1 - sum_{k>=0} (8/x^2 + 2/((k+.5)^2 pi^2)) exp(-2 (k+.5)^2 pi^2 / x^2). From 2 on its dual, which keeps
    its relative precision into the far tail: 8 sum_{k>=1} (-1)^(k-1) k Q(k x), Q the normal tail.

    References
    ----------
    Feller 1951, doi:10.1214/aoms/1177729589.

    Examples
    --------
    >>> survival([0.0, 1.0, 2.0, 10.0]).round(6).tolist()
    [1.0, 0.936635, 0.181494, 0.0]
    """
    at = np.asarray(x, np.float64)
    far = at >= TURN
    near = np.clip(at, 0.05, TURN)[..., None]  # F(0.05) is 0 to the last bit
    halves = (np.arange(TERMS) + 0.5) ** 2 * np.pi**2
    below = 1.0 - ((8.0 / near**2 + 2.0 / halves) * np.exp(-2.0 * halves / near**2)).sum(axis=-1)
    k = np.arange(1, TERMS + 1)
    beyond = 8.0 * (np.where(k % 2, k, -k) * ndtr(-k * np.where(far, at, TURN)[..., None])).sum(axis=-1)
    return np.asarray(np.where(far, beyond, below))


def range_quantile(level: float) -> float:
    """k with F(k) = level: 2.4977 for 0.95."""
    tail = 1.0 - _level(level)
    return float(brentq(lambda x: float(survival(x)) - tail, 0.05, 40.0, xtol=1e-12))


def _level(level: float) -> float:
    if not 0.5 <= level < 1.0:
        raise errors.UsageError(
            "CAL-463",
            f"{level!r} is not the level of a one-sided bound",
            cause="a one-sided bound holds with a probability from 0.5 up to but not including 1",
            fix="use 0.95, for example",
        )
    return level
