"""What a decision costs, and the expected cost of every threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant import errors
from calibrant.stats import classification, intervals, results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs per row, all in one currency, none negative.

    Parameters
    ----------
    false_positive
        Harm of acting on a negative.
    false_negative
        Harm of not acting on a positive.
    action
        Price of acting at all, whatever the label.

    >>> Costs(false_positive=1, false_negative=9).threshold
    0.1
    """

    false_positive: float
    false_negative: float
    action: float = 0.0

    def __post_init__(self) -> None:
        numbers = (self.false_positive, self.false_negative, self.action)
        if not all(math.isfinite(number) and number >= 0 for number in numbers):
            raise errors.UsageError(
                "CAL-411",
                "costs must be finite and not negative",
                cause=f"false positive, false negative and action cost {numbers}",
                fix="give harms as positive numbers in one currency",
            )
        if self.false_negative <= self.action:
            raise errors.UsageError(
                "CAL-412",
                "with these costs it never pays to act",
                cause=f"acting costs {self.action:g}, a missed positive costs {self.false_negative:g}",
                fix="a missed positive must cost more than an action; check the two numbers",
            )

    @property
    def threshold(self) -> float:
        """Act at calibrated probability >= (false_positive + action) / (false_positive + false_negative).

        Acting costs ``action + (1 - p) false_positive``, not acting ``p false_negative``; the two are equal
        there (Elkan 2001, "The foundations of cost-sensitive learning"). It is optimal if and only if the
        score is calibrated, and needs no data.
        """
        return (self.false_positive + self.action) / (self.false_positive + self.false_negative)


@dataclass(frozen=True, eq=False, slots=True)
class CostCurve:
    """Expected cost per row at each threshold (act at score >= threshold), with a pointwise interval.

    All arrays have shape (t,); ``thresholds`` increase, the last one is infinite (never act).
    """

    thresholds: Floats
    cost: Floats
    low: Floats
    high: Floats
    level: float
    alert_rate: Floats

    def at(self, threshold: float) -> results.Estimate:
        """Cost per row at any threshold: that of the smallest listed threshold not below it."""
        where = min(int(np.searchsorted(self.thresholds, threshold)), len(self.thresholds) - 1)
        return results.Estimate(
            float(self.cost[where]),
            float(self.low[where]),
            float(self.high[where]),
            self.level,
            "normal, rows independent",
        )

    @property
    def cheapest(self) -> float:
        """The threshold with the lowest cost on these rows: optimistic, for comparison only."""
        return float(self.thresholds[int(np.argmin(self.cost))])


def curve(calibrated: summaries.Summary, costs: Costs, *, level: float = 0.95) -> CostCurve:
    """Expected cost per row at every distinct score.

    Parameters
    ----------
    calibrated
        Summary of calibrated scores, one group, with at least one row.
    costs
        What the four outcomes cost.
    level
        Coverage of the pointwise interval: normal, with the exact variance of the four outcomes and the
        effective number of rows.

    Examples
    --------
    >>> rows = summaries.summarise([0.1, 0.4, 0.6, 0.9], [0, 0, 1, 1], grid="distinct")
    >>> found = curve(rows, Costs(false_positive=1, false_negative=1))
    >>> found.cost.tolist(), found.cheapest
    ([0.5, 0.25, 0.0, 0.25, 0.5], 0.6)
    """
    table = classification.curve(calibrated)
    total = float(calibrated.w.sum())
    price = np.array([costs.action, costs.action + costs.false_positive, costs.false_negative])
    shares = np.stack([table.tp, table.fp, table.fn]) / total
    cost = price @ shares
    variance = np.maximum(price**2 @ shares - cost**2, 0.0) / float(calibrated.effective_n[0])
    half = intervals.quantile(level) * np.sqrt(variance)
    return CostCurve(table.thresholds, cost, np.maximum(cost - half, 0.0), cost + half, level, shares[0] + shares[1])
