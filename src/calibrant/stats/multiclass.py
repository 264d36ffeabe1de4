"""Measures of class probabilities: proper scores, accuracy, three binned errors and the ECCE of the top label."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from calibrant.stats import binned, classes, ecce, intervals, means, results


@dataclass(frozen=True, slots=True)
class MulticlassMeasures:
    """What ``measure`` found. ``n`` counts rows of positive weight; binned errors carry no interval."""

    n: int
    classes: int
    accuracy: results.Measured
    mean_confidence: results.Measured
    log_loss: results.Measured
    brier: results.Measured
    confidence_ece: results.Measured
    top_label_ece: results.Measured
    classwise_ece: results.Measured
    confidence_ecce: ecce.Ecce | results.Insufficient


def measure(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    bins: int = 15,
    level: float = 0.95,
) -> MulticlassMeasures:
    """All measures of class probabilities.

    Parameters
    ----------
    probabilities
        Shape (n, K), rows sum to 1.
    labels
        Shape (n,), integers 0..K-1.
    weights
        Shape (n,), >= 0; only their ratios matter.
    bins
        Equal-width bins of the three binned errors.
    level
        Coverage of the intervals.

    Returns
    -------
    MulticlassMeasures
        ``accuracy`` with a Wilson interval; ``mean_confidence`` (of the top label), ``log_loss`` and ``brier`` (sum
        over classes, in [0, 2]) with Wald intervals; ``confidence_ece`` of the top label (Guo 2017);
        ``top_label_ece`` within each predicted class, averaged by its weight; ``classwise_ece``, the mean over
        classes of one against the rest; ``confidence_ecce`` of the top label, with its p-value. All are
        ``Insufficient`` below 10 effective rows.

    Raises
    ------
    ValueRangeError
        As ``classes.rows``.

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599 (confidence); Gupta and Ramdas 2022, arXiv:2107.08353 (top label);
    Kull et al. 2019, arXiv:1910.12656 (classwise).

    Examples
    --------
    >>> import numpy as np
    >>> p = np.tile([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]], (10, 1))
    >>> found = measure(p, np.tile([0, 2], 10))
    >>> found.accuracy.value, round(found.confidence_ece.value, 3)
    (1.0, 0.45)
    """
    checked = classes.rows(probabilities, labels, weights=weights)
    n, k = checked.effective_n, checked.scores.shape[1]
    if n < means.FEWEST * (1.0 - 1e-9):
        few = results.Insufficient(have=n, need=means.FEWEST)
        return MulticlassMeasures(len(checked.labels), k, *[few] * 8)
    confidence, within = classes.confidence(checked), classes.top_label(checked)
    share, total = intervals.effective_counts(*(confidence.total(name)[0] for name in ("wy", "w", "ww")))
    low, high = intervals.wilson(share, total, level=level)
    by_label = binned.ece_by_group(within, count=bins) @ within.total("w") / within.total("w").sum()
    by_class = binned.ece_by_group(classes.one_vs_rest(checked), count=bins).mean()
    w = checked.weights
    return MulticlassMeasures(
        n=len(checked.labels),
        classes=k,
        accuracy=results.Estimate(float(share / total), float(low), float(high), level, "wilson"),
        mean_confidence=means.mean(checked.scores.max(axis=1), w, level=level),
        log_loss=means.mean(classes.losses(checked), w, level=level),
        brier=means.mean(classes.squares(checked), w, level=level),
        confidence_ece=binned.ece(confidence, count=bins),
        top_label_ece=results.Estimate(float(by_label), method=binned.BIASED),
        classwise_ece=results.Estimate(float(by_class), method=binned.BIASED),
        confidence_ecce=ecce.ecce(confidence),
    )
