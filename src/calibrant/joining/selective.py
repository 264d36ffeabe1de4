"""Labels that not everybody gets: what reweighting changes, and whether labels are missing where the scores are high.

Blocked transactions have no chargeback and referred ones have all of them: the labelled are then not like the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from calibrant.joining import joined, reference
from calibrant.stats import results

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Bands of scores, of equal numbers of predictions.
BANDS = 10
#: The level of the test; simulated windows stay below one false alarm in a hundred (tests/joining/test_selective.py).
LEVEL = 0.005
#: Predictions in a band, and labels and missing labels overall, below which nothing is tested.
FEWEST = 20


@dataclass(frozen=True, slots=True)
class Band:
    """Predictions with scores in ``[low, high]``, and how many of them have a label."""

    low: float
    high: float
    predictions: int
    labelled: int

    @property
    def coverage(self) -> float:
        return self.labelled / self.predictions


@dataclass(frozen=True, slots=True)
class Coverage:
    """Whether matured predictions have labels alike at all scores. ``p_value`` is of that being so."""

    bands: tuple[Band, ...]
    p_value: float
    verdict: Literal["even", "biased"]

    @property
    def spread(self) -> float:
        """Largest less smallest coverage of a band."""
        shares = [band.coverage for band in self.bands]
        return max(shares) - min(shares)


@dataclass(frozen=True, slots=True)
class Reweighted:
    """Mean label less mean score, as the labelled show it and weighted by the inverse of their propensities.

    ``gap`` is the difference of the two with its interval: 0 inside means that selection changes little.
    ``effective_n`` is Kish's number of rows after weighting, ``unknown`` the pairs without a known propensity.
    """

    plain: results.Measured
    weighted: results.Measured
    gap: results.Measured
    effective_n: float
    unknown: int


def coverage(found: reference.Pairs, *, level: float = LEVEL) -> Coverage | results.Insufficient:
    """Test the share of labelled predictions by score, among the matured ones of positive weight.

    Bands hold equal numbers of predictions. Given the scores and the number of labels, the labelled are a random
    sample if coverage is even, so that Pearson's statistic, with the variance of sampling without replacement, is
    chi-squared with one degree less than there are bands. A trend along the bands has one degree of freedom and finds
    a steady slope earlier; the smaller p-value counts twice (Bonferroni), which keeps the level of both together.

    Where no label means no (implicit negatives), a missing label is an outcome and not a gap: insufficient.
    """
    asked = np.isin(found.state, (joined.LABELLED, joined.UNLABELLED, joined.UNRESOLVED))
    return coverage_of(found.scores[asked], found.state[asked] != joined.UNLABELLED, level=level)


def coverage_of(
    scores: Floats, labelled: NDArray[np.bool_], *, level: float = LEVEL
) -> Coverage | results.Insufficient:
    """The same for arrays of shape (n,): the scores of matured predictions and whether each has a label."""
    n, total = len(scores), int(labelled.sum())
    least = min(n, total, n - total) if n else 0
    if n < BANDS * FEWEST:
        return results.Insufficient(n, BANDS * FEWEST, "matured predictions")
    if least < FEWEST:
        # all have labels, or none: there is no pattern to find, and no evidence of one
        return results.Insufficient(least, FEWEST, "labelled and unlabelled predictions")
    band = _bands(scores)
    if not band.any():
        return results.Insufficient(1, 2, "distinct scores")
    size, count = np.bincount(band), np.bincount(band, labelled)
    share = total / n
    variance = share * (1.0 - share) * n / (n - 1.0)
    pearson = float((((count - size * share) ** 2) / (size * variance)).sum())
    place = np.arange(len(size)) - np.average(np.arange(len(size)), weights=size)
    trend = float((place @ (count - size * share)) ** 2 / (variance * (size @ place**2)))
    p_value = min(1.0, 2.0 * min(float(stats.chi2.sf(pearson, len(size) - 1)), float(stats.chi2.sf(trend, 1))))
    edges = [(float(scores[band == one].min()), float(scores[band == one].max())) for one in range(len(size))]
    bands = tuple(
        Band(low, high, int(all_), int(some)) for (low, high), all_, some in zip(edges, size, count, strict=True)
    )
    return Coverage(bands, p_value, "biased" if p_value < level else "even")


def reweighted(found: reference.Pairs, *, level: float = 0.95) -> Reweighted:
    """Mean label less mean score with and without inverse propensities, and the gap between the two.

    Intervals are Wald's for ratios of sums (linearised), the gap's from the same rows, so that it is not the
    difference of two independent numbers.
    """
    mine = found.state <= joined.IMPLICIT
    error = found.value[mine] - found.scores[mine]
    weight, chance = found.weight[mine], found.propensity[mine]
    unknown = int((chance == 1.0).sum())
    if len(error) < 2:
        none = results.Insufficient(len(error), 2, "pairs")
        return Reweighted(none, none, none, float(len(error)), unknown)
    inverse = weight / chance
    plain, each = _ratio(error, weight)
    corrected, other = _ratio(error, inverse)
    effective = float(inverse.sum() ** 2 / (inverse**2).sum())
    return Reweighted(
        _estimate(plain, each, level),
        _estimate(corrected, other, level),
        _estimate(corrected - plain, other - each, level),
        effective,
        unknown,
    )


def _bands(scores: Floats) -> Ints:
    """Bands of equal numbers; equal scores are never torn apart, so that there may be fewer bands."""
    edges = np.unique(np.quantile(scores, np.arange(1, BANDS) / BANDS))
    _, band = np.unique(np.searchsorted(edges, scores, side="right"), return_inverse=True)
    return np.asarray(band, np.int64)


def _ratio(error: Floats, weight: Floats) -> tuple[float, Floats]:
    """Weighted mean, and each row's influence on it."""
    mean = float(np.average(error, weights=weight))
    return mean, weight * (error - mean) / weight.sum()


def _estimate(value: float, influence: Floats, level: float) -> results.Estimate:
    n = len(influence)
    half = float(stats.norm.ppf(0.5 + level / 2.0) * np.sqrt((influence**2).sum() * n / (n - 1.0)))
    return results.Estimate(value, value - half, value + half, level, "wald, linearised ratio")
