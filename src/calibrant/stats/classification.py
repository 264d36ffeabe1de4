"""Decisions at a threshold: what a rule "act where score >= threshold" gets right and wrong, with Wilson intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant import errors
from calibrant.stats import grid as score_grid
from calibrant.stats import intervals, results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """The confusion matrix at one threshold, as weights, and the shares that follow from it.

    A score at or above the threshold is an alert. ``resolution`` is the share of all weight in the grid cell
    that the threshold cuts, whose rows are counted on one side: no count is off by more than that share.
    It is 0 on the distinct grid and where the threshold is an edge of the grid.
    """

    threshold: float
    tp: float
    fp: float
    fn: float
    tn: float
    fpr: results.Measured
    fnr: results.Measured
    precision: results.Measured
    recall: results.Measured
    alert_rate: results.Measured
    accuracy: results.Measured
    resolution: float

    def to_dict(self) -> dict[str, object]:
        counts = {name: getattr(self, name) for name in ("threshold", "tp", "fp", "fn", "tn", "resolution")}
        shares = ("fpr", "fnr", "precision", "recall", "alert_rate", "accuracy")
        return counts | {name: getattr(self, name).to_dict() for name in shares}


@dataclass(frozen=True, slots=True)
class Curve:
    """The confusion matrix at every threshold that matters, each array of shape (k + 1,), thresholds rising.

    Entry i alerts on the cells i, i + 1, ... of the summary; the last one, at infinity, on none. All entries are
    exact on either grid: thresholds are lower ends of cells. ``alert_ww`` is the squared weight of the alerts
    and ``positive_ww`` that of the positives among them (in proportion to weight within a cell).
    """

    thresholds: Floats
    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats
    alert_ww: Floats
    positive_ww: Floats

    @property
    def alert_rate(self) -> Floats:
        """Share of all weight that is alerted on."""
        return (self.tp + self.fp) / (self.tp + self.fp + self.fn + self.tn)

    @property
    def precision(self) -> Floats:
        """tp / (tp + fp); NaN without an alert."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> Floats:
        """tp / (tp + fn); NaN without a positive."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def fpr(self) -> Floats:
        """fp / (fp + tn); NaN without a negative."""
        return _ratio(self.fp, self.fp + self.tn)

    def precision_interval(self, *, level: float = 0.95) -> tuple[Floats, Floats]:
        """Wilson ends of the precision at each single threshold (not of the whole curve at once)."""
        return intervals.wilson(*intervals.effective_counts(self.tp, self.tp + self.fp, self.alert_ww), level=level)

    def recall_interval(self, *, level: float = 0.95) -> tuple[Floats, Floats]:
        """Wilson ends of the recall at each single threshold (not of the whole curve at once)."""
        all_ww = np.full_like(self.tp, self.positive_ww[0])
        return intervals.wilson(*intervals.effective_counts(self.tp, self.tp + self.fn, all_ww), level=level)


def at_threshold(summary: summaries.Summary, threshold: float, *, level: float = 0.95) -> AtThreshold:
    """False and true, positives and negatives where score >= threshold counts as positive.

    Parameters
    ----------
    summary
        One group. Exact on the distinct grid; on the dyadic grid up to the cell that the threshold cuts.
    threshold
        On the scale of the scores; not NaN.
    level
        Coverage of each interval, in (0, 1). It holds for a threshold chosen before looking at these rows.

    Returns
    -------
    AtThreshold
        Counts are sums of weights. A share of nothing (precision without alerts ...) is Insufficient.

    Raises
    ------
    UsageError
        CAL-454 for a threshold that is NaN.

    Notes
    -----
    FPR = fp / (fp + tn), FNR = fn / (fn + tp), precision = tp / (tp + fp), recall = 1 - FNR, alert rate =
    (tp + fp) / all, accuracy = (tp + tn) / all. Wilson intervals at the effective number of rows of each
    denominator; squared weights are split between the labels of a cell in proportion to weight.

    References
    ----------
    Fawcett 2006, doi:10.1016/j.patrec.2005.10.010; Wilson 1927, doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> found = at_threshold(summaries.summarise([0.2, 0.5, 0.5, 0.9], [0, 1, 0, 1], grid="distinct"), 0.5)
    >>> found.tp, found.fp, found.fn, found.tn, round(found.precision.value, 3)
    (2.0, 1.0, 0.0, 1.0, 0.667)
    """
    if math.isnan(threshold):
        raise errors.UsageError(
            "CAL-454", "a threshold must be a number", cause="it is NaN", fix="pass a number on the scale of the scores"
        )
    one = summary.only()
    above = one.score >= threshold
    resolution = 0.0
    if one.grid == "dyadic" and len(one.keys):
        cells = score_grid.geometry()
        low, high = cells.low[one.keys], cells.high[one.keys]
        cut = (low < threshold) & (threshold <= high)
        above = (low >= threshold) | (cut & above)
        resolution = float(one.w[cut].sum() / one.w.sum())
    wy, rest = one.wy, np.maximum(one.w - one.wy, 0.0)
    tp, fn = float(wy[above].sum()), float(wy[~above].sum())
    fp, tn = float(rest[above].sum()), float(rest[~above].sum())
    positive_ww, ww = float(one.ww @ (wy / one.w)), float(one.ww.sum())
    return AtThreshold(
        threshold=float(threshold),
        tp=tp,
        fp=fp,
        fn=fn,
        tn=tn,
        fpr=_share(fp, fp + tn, ww - positive_ww, "negative rows", level),
        fnr=_share(fn, fn + tp, positive_ww, "positive rows", level),
        precision=_share(tp, tp + fp, float(one.ww[above].sum()), "alerts", level),
        recall=_share(tp, tp + fn, positive_ww, "positive rows", level),
        alert_rate=_share(tp + fp, tp + fp + fn + tn, ww, "rows", level),
        accuracy=_share(tp + tn, tp + fp + fn + tn, ww, "rows", level),
        resolution=resolution,
    )


def curve(summary: summaries.Summary) -> Curve:
    """All confusion matrices at once: one threshold at the lower end of every cell, and one above all scores.

    Parameters
    ----------
    summary
        One group with k cells.

    Returns
    -------
    Curve
        Arrays of shape (k + 1,).

    References
    ----------
    Fawcett 2006, doi:10.1016/j.patrec.2005.10.010.

    Examples
    --------
    >>> found = curve(summaries.summarise([0.2, 0.5, 0.5, 0.9], [0, 1, 0, 1], grid="distinct"))
    >>> found.thresholds, found.tp, found.fp
    (array([0.2, 0.5, 0.9, inf]), array([2., 2., 1., 0.]), array([2., 1., 0., 0.]))
    """
    one = summary.only()
    low = one.score if one.grid == "distinct" else score_grid.geometry().low[one.keys]

    def from_here(cells: Floats) -> Floats:
        return np.append(np.cumsum(cells[::-1])[::-1], 0.0)

    tp, fp = from_here(one.wy), from_here(np.maximum(one.w - one.wy, 0.0))
    return Curve(
        thresholds=np.append(low, np.inf),
        tp=tp,
        fp=fp,
        fn=tp[0] - tp,
        tn=fp[0] - fp,
        alert_ww=from_here(one.ww),
        positive_ww=from_here(one.ww * one.wy / one.w),
    )


def _share(part: float, whole: float, ww: float, unit: str, level: float) -> results.Measured:
    if whole <= 0.0:
        return results.Insufficient(0, 1, unit)
    low, high = intervals.wilson(*intervals.effective_counts(part, whole, ww), level=level)
    return results.Estimate(min(part / whole, 1.0), float(low), float(high), level, "wilson")


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0.0)
