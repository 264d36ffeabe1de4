"""Mean scores: Brier score, log loss, base rate, mean score and sharpness, with intervals where they are honest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.stats import intervals, results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]

#: Below this many effective rows the normal approximation of a mean loss is not offered.
FEWEST = 10


@dataclass(frozen=True, slots=True)
class Means:
    """Point values per group, each of shape (g,): what ``brier``, ``log_loss`` ... give for each group alone."""

    brier: Floats
    log_loss: Floats
    base_rate: Floats
    mean_score: Floats
    sharpness: Floats


def means_by_group(summary: summaries.Summary) -> Means:
    """Brier score, log loss, base rate, mean score and sharpness of every group, without intervals.

    Parameters
    ----------
    summary
        Any number of groups, each with at least one row.

    Examples
    --------
    >>> both = summaries.summarise([0.5, 0.5, 1.0], [0, 1, 1], groups=[0, 0, 1])
    >>> means_by_group(both).brier
    array([0.25, 0.  ])
    """
    w, wy, wyy, wp, wpp, wpy = (summary.total(name) for name in ("w", "wy", "wyy", "wp", "wpp", "wpy"))
    squares = np.maximum(wpp - 2.0 * wpy + wyy, 0.0)
    mean = wp / w
    return Means(squares / w, summary.total("loss") / w, wy / w, mean, np.maximum(wpp / w - mean**2, 0.0))


def brier(summary: summaries.Summary, *, level: float = 0.95) -> results.Measured:
    """Brier score: the mean of w (y - p)^2.

    Parameters
    ----------
    summary
        One group.
    level
        Coverage of the interval, in (0, 1).

    Returns
    -------
    Measured
        In [0, 1], smaller is better. ``Insufficient`` without rows. The value is exact on both grids. The
        interval is the normal approximation of a weighted mean, from 10 effective rows on and for labels 0/1.

    Notes
    -----
    Variance: sum w^2 (loss - mean)^2 / (sum w)^2, taken over both labels of every cell: exact on the distinct
    grid without weights; else to the width of a cell, and with weights spread evenly over a cell's labels.

    References
    ----------
    Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.

    Examples
    --------
    >>> brier(summaries.summarise([0.5, 0.25], [0, 0])).value
    0.15625
    """
    p = _score(summary.only())
    return _mean_loss(summary, "brier", p**2, (1.0 - p) ** 2, ceiling=1.0, level=level)


def log_loss(summary: summaries.Summary, *, level: float = 0.95) -> results.Measured:
    """Log loss in nats: the mean of -w (y log p + (1 - y) log(1 - p)), p kept a machine epsilon off 0 and 1.

    Parameters, limits and interval are those of ``brier``; the value is at least 0 and never infinite.

    References
    ----------
    Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x.

    Examples
    --------
    >>> round(log_loss(summaries.summarise([0.5, 0.5], [0, 1])).value, 6)
    0.693147
    """
    p = np.clip(_score(summary.only()), summaries.EPSILON, 1.0 - summaries.EPSILON)
    return _mean_loss(summary, "log_loss", -np.log1p(-p), -np.log(p), ceiling=np.inf, level=level)


def base_rate(summary: summaries.Summary, *, level: float = 0.95) -> results.Measured:
    """Weighted share of positive labels (mean of rates), with its Wilson interval on the effective rows.

    ``Insufficient`` without rows. For labels that are rates the interval is wide: a rate varies less than a 0/1.

    References
    ----------
    Wilson 1927, doi:10.1080/01621459.1927.10502953; Kish 1965 for the effective rows.

    Examples
    --------
    >>> found = base_rate(summaries.summarise([0.5] * 10, [1] * 3 + [0] * 7))
    >>> found.value, round(found.low, 4), round(found.high, 4)
    (0.3, 0.1078, 0.6032)
    """
    if not len(summary.only().keys):
        return results.Insufficient(0, 1)
    w, wy, ww = (float(summary.total(name)[0]) for name in ("w", "wy", "ww"))
    successes, n = intervals.effective_counts(wy, w, ww)
    low, high = intervals.wilson(successes, n, level=level)
    return results.Estimate(min(max(wy / w, 0.0), 1.0), float(low), float(high), level, "wilson")


def mean_score(summary: summaries.Summary, *, level: float = 0.95) -> results.Measured:
    """Weighted mean of the scores, in [0, 1], with a normal interval from 10 effective rows on.

    Examples
    --------
    >>> mean_score(summaries.summarise([0.25, 0.75], [0, 1])).value
    0.5
    """
    if not len(summary.only().keys):
        return results.Insufficient(0, 1)
    means = means_by_group(summary)
    value, variance = float(means.mean_score[0]), float(means.sharpness[0])
    scatter = variance * float(summary.total("ww")[0])
    return _with_interval(summary, value, scatter, ceiling=1.0, level=level)


def sharpness(summary: summaries.Summary, *, level: float = 0.95) -> results.Measured:
    """Weighted variance of the scores, in [0, 1/4]: how far they move from their mean. Not a proof of quality.

    The interval is the normal approximation (delta method) of mean (p - mean)^2, from 10 effective rows on, to
    the width of a cell.

    References
    ----------
    Gneiting, Balabdaoui and Raftery 2007, doi:10.1111/j.1467-9868.2007.00587.x.

    Examples
    --------
    >>> sharpness(summaries.summarise([0.25, 0.75], [0, 1])).value
    0.0625
    """
    if not len(summary.only().keys):
        return results.Insufficient(0, 1)
    means = means_by_group(summary)
    value, centre = float(means.sharpness[0]), float(means.mean_score[0])
    scatter = float(summary.ww @ ((summary.score - centre) ** 2 - value) ** 2)
    return _with_interval(summary, value, scatter, ceiling=0.25, level=level)


def _score(summary: summaries.Summary) -> Floats:
    return np.clip(summary.score, 0.0, 1.0)


def _mean_loss(
    summary: summaries.Summary, name: str, at_zero: Floats, at_one: Floats, *, ceiling: float, level: float
) -> results.Measured:
    """A mean loss that is ``at_zero`` for rows labelled 0 and ``at_one`` for rows labelled 1, shape (k,) each."""
    if not len(summary.keys):
        return results.Insufficient(0, 1)
    value = float(getattr(means_by_group(summary), name)[0])
    if not summary.is_binary:
        return results.Estimate(value, method="none (labels are rates: their scatter inside a cell is not known)")
    rate = np.clip(summary.rate, 0.0, 1.0)
    mean = float(summary.w @ (rate * at_one + (1.0 - rate) * at_zero)) / float(summary.w.sum())
    scatter = float(summary.ww @ (rate * (at_one - mean) ** 2 + (1.0 - rate) * (at_zero - mean) ** 2))
    return _with_interval(summary, value, scatter, ceiling=ceiling, level=level)


def _with_interval(
    summary: summaries.Summary, value: float, scatter: float, *, ceiling: float, level: float
) -> results.Estimate:
    """Normal interval from ``scatter`` = sum w^2 (x - mean)^2, cut to [0, ceiling]."""
    z = intervals.quantile(level)
    if summary.effective_n[0] < FEWEST:
        return results.Estimate(value, method=f"none (fewer than {FEWEST} effective rows)")
    half = z * scatter**0.5 / float(summary.w.sum())
    return results.Estimate(value, max(value - half, 0.0), min(value + half, ceiling), level, "normal")
