"""Area under the ROC curve, ties counted as one half, with DeLong's interval; from cells, so in linear time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from calibrant.stats import intervals, results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]

#: Fewer rows of a label than this: a number still, but without an interval.
FEWEST_FOR_INTERVAL = 5


def auc(summary: summaries.Summary, *, level: float = 0.95) -> results.Measured:
    """Probability that a positive row has a higher score than a negative one, ties counted as one half.

    Parameters
    ----------
    summary
        One group. Exact on the distinct grid. On the dyadic grid the scores of one cell count as tied, which
        moves the value by at most ``resolution(summary)``.
    level
        Coverage of the interval, in (0, 1).

    Returns
    -------
    Measured
        In [0, 1]. Insufficient if a label does not occur. Without ends if a label has fewer than 5 effective
        rows or if the classes are separated perfectly, where DeLong's variance is 0.

    Notes
    -----
    With the placements V(p) = P(negative score < p) + P(= p)/2 of a positive and 1 - that share among the
    positives of a negative, AUC = mean V and the variance is var(V)/n1 + var(V')/n0 (DeLong), with variances of
    divisor n - 1. With weights means and variances are weighted and n1, n0 are effective ones. The ends are
    taken on the logit scale, where the interval stays in (0, 1) and covers better near 1. Labels that are rates
    count as a part positive and a part negative row.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson 1988, doi:10.2307/2531595; logit scale: Pepe 2003, ch. 5.

    Examples
    --------
    >>> found = auc(summaries.summarise(np.tile([0.1, 0.4, 0.6, 0.9], 25), np.tile([0, 1, 0, 1], 25)))
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (0.75, 0.639, 0.836)
    """
    one = summary.only()
    wy, w = float(one.wy.sum()), float(one.w.sum())
    n = float(one.effective_n[0])
    share = wy / w if w > 0.0 else 0.0
    if not 0.0 < share < 1.0:
        return results.Insufficient(0, 1, "rows of each label")
    positive, negative = _placements(one)
    value = float(one.wy @ positive / wy)
    variance = _variance(positive, one.wy, n * share) + _variance(negative, one.w - one.wy, n * (1.0 - share))
    z = intervals.quantile(level)
    if n * min(share, 1.0 - share) < FEWEST_FOR_INTERVAL * (1.0 - 1e-9):
        return results.Estimate(value, method=f"none (fewer than {FEWEST_FOR_INTERVAL} rows of a label)")
    if not (0.0 < value < 1.0 and variance > 0.0):
        return results.Estimate(value, method="none (the classes are separated)")
    half = z * np.sqrt(variance) / (value * (1.0 - value))
    low, high = expit(logit(value) + np.array([-half, half])).tolist()
    return results.Estimate(value, low, high, level, "delong, on the logit scale")


def by_group(summary: summaries.Summary) -> Floats:
    """AUC of every group, shape (g,), without intervals; NaN where a label does not occur. See ``auc``.

    Examples
    --------
    >>> by_group(summaries.summarise([0.1, 0.9, 0.1, 0.9], [0, 1, 1, 0], groups=[0, 0, 1, 1]))
    array([1., 0.])
    """
    positives = summary.total("wy")
    negatives = summary.total("w") - positives
    below, tied = _below(summary)
    ordered = summary.reduce(summary.wy * (below + tied / 2.0))
    pairs = positives * negatives
    known = pairs > 1e-12 * (positives + negatives) ** 2
    return np.where(known, ordered / np.where(known, pairs, 1.0), np.nan)


def resolution(summary: summaries.Summary) -> float:
    """Largest error that the grid can cause in the AUC of one group: half the share of pairs within a cell.

    Examples
    --------
    >>> resolution(summaries.summarise([0.1, 0.9], [0, 1], grid="distinct"))
    0.0
    """
    one = summary.only()
    negatives = one.w - one.wy
    pairs = float(one.wy.sum() * negatives.sum())
    if one.grid == "distinct" or pairs <= 0.0:
        return 0.0
    return float(one.wy @ negatives) / pairs / 2.0


def _below(summary: summaries.Summary) -> tuple[Floats, Floats]:
    """Weight of the negatives of the same group in lower cells and in the same cell, each of shape (k,)."""
    tied = np.maximum(summary.w - summary.wy, 0.0)
    before = np.cumsum(tied) - tied
    first = before[summary.starts] if len(before) else before
    return before - first[summary.group] if len(before) else before, tied


def _placements(one: summaries.Summary) -> tuple[Floats, Floats]:
    """Per cell: the share of negatives below a positive there, and of positives above a negative there."""
    below, tied = _below(one)
    positive = (below + tied / 2.0) / tied.sum()
    above = one.wy.sum() - np.cumsum(one.wy)
    negative = (above + one.wy / 2.0) / one.wy.sum()
    return positive, negative


def _variance(placements: Floats, weight: Floats, n: float) -> float:
    """Variance of the weighted mean of the placements, with divisor n - 1."""
    if n <= 1.0:
        return 0.0
    mean = float(weight @ placements / weight.sum())
    return float(weight @ (placements - mean) ** 2 / weight.sum()) / (n - 1.0)
