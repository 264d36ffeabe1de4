"""Choose a threshold on calibrated scores: from costs, a target precision or recall, or a capacity per day.

Act on a row when its calibrated score is at or above the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, assert_never

import numpy as np

from calibrant import errors
from calibrant.decisions import costs as costing
from calibrant.stats import classification, intervals, results
from calibrant.stats import summary as summaries

#: How many thresholds a search for precision may test; each test is made at (1 - level) / CANDIDATES.
CANDIDATES = 16
#: Alerts below which no precision is claimed.
FEWEST_ALERTS = 10


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold, what it was chosen for, and what to expect of it.

    ``value`` is in units of the calibrated score; ``expected`` maps precision, recall, alert_rate, false
    positive rate and (where asked for) cost per row or alerts per day to what these rows say of them.
    """

    value: float
    objective: str
    sentence: str
    expected: Mapping[str, results.Measured] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "value": self.value,
            "objective": self.objective,
            "sentence": self.sentence,
            "expected": {name: measured.to_dict() for name, measured in self.expected.items()},
        }


@dataclass(frozen=True, slots=True)
class Precision:
    """Aim: of the rows acted on, at least this share are positive."""

    target: float


@dataclass(frozen=True, slots=True)
class Recall:
    """Aim: of the positive rows, at least this share are acted on."""

    target: float


@dataclass(frozen=True, slots=True)
class Capacity:
    """Aim: no more than ``per_day`` of the ``rows_per_day`` that arrive are acted on."""

    per_day: float
    rows_per_day: float


Objective: TypeAlias = costing.Costs | Precision | Recall | Capacity


def choose(
    calibrated: summaries.Summary, objective: Objective, *, level: float = 0.95
) -> Choice | results.Insufficient:
    """The threshold for an objective; see the function for each of them."""
    match objective:
        case costing.Costs():
            return from_costs(calibrated, objective, level=level)
        case Precision(target):
            return for_precision(calibrated, target, level=level)
        case Recall(target):
            return for_recall(calibrated, target, level=level)
        case Capacity(per_day, rows_per_day):
            return for_capacity(calibrated, per_day, rows_per_day=rows_per_day, level=level)
        case _:
            assert_never(objective)


def from_costs(calibrated: summaries.Summary, costs: costing.Costs, *, level: float = 0.95) -> Choice:
    """The threshold at which acting and not acting cost the same: a matter of prices, not of these rows.

    Parameters
    ----------
    calibrated
        Summary of calibrated scores, one group; used for the expected effect only.
    costs
        Prices; see ``Costs.threshold`` for the formula and its source.
    level
        Coverage of the intervals.

    Examples
    --------
    >>> rows = summaries.summarise([0.1, 0.4, 0.6, 0.9], [0, 0, 1, 1], grid="distinct")
    >>> from_costs(rows, costing.Costs(false_positive=1, false_negative=1)).value
    0.5
    """
    value = costs.threshold
    curve = costing.curve(calibrated, costs, level=level)
    here, never, always = curve.at(value), float(curve.cost[-1]), float(curve.cost[0])
    expected = {**_expected(calibrated, value, level), "cost_per_row": here}
    sentence = (
        f"act at a calibrated score of {value:.4g} or more: there acting and not acting cost the same. "
        f"Expected cost per row {here.value:.4g}, against {never:.4g} without acting and {always:.4g} acting always"
    )
    objective = f"costs fp={costs.false_positive:g} fn={costs.false_negative:g} action={costs.action:g}"
    return Choice(value, objective, sentence, expected)


def for_precision(
    calibrated: summaries.Summary, target: float, *, level: float = 0.95
) -> Choice | results.Insufficient:
    """The lowest threshold whose precision is at least ``target``, with confidence ``level``.

    Sixteen thresholds, at alert counts in geometric steps, are tested by a one-sided Clopper-Pearson bound at
    (1 - level) / 16 each (Bonferroni; the family-wise form of "learn then test", Angelopoulos et al. 2021,
    arXiv 2110.01052). The lowest one that passes is taken, so the promise holds although it was searched for.

    Returns
    -------
    Choice or Insufficient
        Insufficient when no threshold can be shown to reach the target with these rows.

    Examples
    --------
    >>> rows = summaries.summarise(np.repeat([0.1, 0.9], 500), np.arange(1000) >= 520, grid="distinct")
    >>> for_precision(rows, 0.9).value
    0.9
    """
    _check_share("precision", target)
    table = classification.curve(calibrated)
    scaling = float(calibrated.effective_n[0] / calibrated.w.sum()) if len(calibrated.keys) else 0.0
    alerts = (table.tp + table.fp) * scaling
    tested = _geometric(alerts)
    if not len(tested):
        return results.Insufficient(float(alerts[0]), FEWEST_ALERTS, "rows")
    hits = table.tp[tested] * scaling
    bound, _ = intervals.clopper_pearson(hits, alerts[tested], level=1 - 2 * (1 - level) / CANDIDATES)
    passing = tested[bound >= target]
    if not len(passing):
        best = int(np.argmax(bound))
        missing = f"rows scored {table.thresholds[tested[best]]:.3g} or more, to show a precision of {target:g}"
        return results.Insufficient(float(alerts[tested[best]]), float(alerts[tested[best]]) + 1, missing)
    value = float(table.thresholds[passing.min()])
    sentence = (
        f"act at {value:.4g} or more: the lowest of {CANDIDATES} thresholds shown to have precision >= {target:g}"
    )
    return Choice(value, f"precision>={target:g}", sentence, _expected(calibrated, value, level))


def _geometric(alerts: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Thresholds (indices) whose alert counts go down in geometric steps from all rows to the fewest allowed."""
    if alerts[0] < FEWEST_ALERTS:
        return np.zeros(0, np.int64)
    wanted = np.geomspace(alerts[0], FEWEST_ALERTS, CANDIDATES)
    # alerts decrease with the threshold: the largest index that still has the wanted number
    return np.unique(len(alerts) - 1 - np.searchsorted(alerts[::-1], wanted))


def for_recall(calibrated: summaries.Summary, target: float, *, level: float = 0.95) -> Choice | results.Insufficient:
    """The highest threshold whose recall is at least ``target``, with confidence ``level``.

    Recall falls as the threshold rises, so the thresholds are tested from the lowest up, each at the full
    level, until the first fails (fixed-sequence testing; Clopper-Pearson bound).

    Returns
    -------
    Choice or Insufficient
        Insufficient when even acting on every row cannot be shown to reach the target.

    Examples
    --------
    >>> rows = summaries.summarise(np.repeat([0.1, 0.9], 500), np.arange(1000) >= 500, grid="distinct")
    >>> for_recall(rows, 0.9).value
    0.9
    """
    _check_share("recall", target)
    table = classification.curve(calibrated)
    scaling = float(calibrated.effective_n[0] / calibrated.w.sum()) if len(calibrated.keys) else 0.0
    positives = float(table.tp[0]) * scaling
    bound, _ = intervals.clopper_pearson(
        table.tp * scaling, np.full(len(table.thresholds), positives), level=2 * level - 1
    )
    passed = int(np.argmin(np.append(bound >= target, False)))  # the first that fails
    if passed == 0:
        return results.Insufficient(positives, float(np.ceil(np.log(1 - level) / np.log(target))), "positives")
    value = float(table.thresholds[passed - 1])
    sentence = f"act at {value:.4g} or more: the highest threshold shown to have recall >= {target:g}"
    return Choice(value, f"recall>={target:g}", sentence, _expected(calibrated, value, level))


def for_capacity(
    calibrated: summaries.Summary, per_day: float, *, rows_per_day: float, level: float = 0.95
) -> Choice | results.Insufficient:
    """The lowest threshold at which the expected number of alerts a day does not exceed ``per_day``.

    Parameters
    ----------
    calibrated
        Summary of calibrated scores, one group; labels are only used for the expected effect.
    per_day
        How many rows can be acted on in a day; positive.
    rows_per_day
        How many rows arrive in a day; positive.
    level
        Coverage of the intervals. The expected number a day is a mean: single days vary around it.

    Examples
    --------
    >>> rows = summaries.summarise(np.arange(1, 101) / 200, np.arange(100) % 2, grid="distinct")
    >>> for_capacity(rows, 20, rows_per_day=200).value
    0.455
    """
    if not (per_day > 0 and rows_per_day > 0 and np.isfinite(per_day) and np.isfinite(rows_per_day)):
        raise errors.UsageError(
            "CAL-413",
            "capacity and rows per day must be positive",
            cause=f"capacity {per_day!r} a day, {rows_per_day!r} rows a day",
            fix="give the number of rows that can be acted on in a day, and how many arrive",
        )
    if not len(calibrated.keys):
        return results.Insufficient(0, 1)
    table = classification.curve(calibrated)
    daily = table.alert_rate * rows_per_day
    lowest = float(table.thresholds[int(np.argmax(daily <= per_day * (1 + 1e-12)))])
    # where even the highest score comes too often, the threshold lies just above it
    value = min(lowest, float(np.nextafter(calibrated.score[-1], np.inf)))
    expected = _expected(calibrated, value, level)
    rate = expected["alert_rate"]
    assert isinstance(rate, results.Estimate)
    low, high = (None if end is None else end * rows_per_day for end in (rate.low, rate.high))
    expected["alerts_per_day"] = results.Estimate(rate.value * rows_per_day, low, high, rate.level, rate.method)
    sentence = (
        f"act at {value:.4g} or more: about {rate.value * rows_per_day:.4g} of {rows_per_day:.4g} rows a day, "
        f"within the capacity of {per_day:g}"
    )
    return Choice(value, f"capacity<={per_day:g}/day", sentence, expected)


def _check_share(what: str, target: float) -> None:
    if not 0 < target < 1:
        raise errors.UsageError(
            "CAL-414",
            f"a target {what} lies strictly between 0 and 1",
            cause=f"it is {target!r}",
            fix=f"give the {what} as a share, for example 0.9",
        )


def _expected(calibrated: summaries.Summary, threshold: float, level: float) -> dict[str, results.Measured]:
    """Precision, recall, false positive rate and alert rate at a threshold, with Wilson intervals."""
    found = classification.at_threshold(calibrated, threshold, level=level)
    return {
        "precision": found.precision,
        "recall": found.recall,
        "false_positive_rate": found.fpr,
        "alert_rate": found.alert_rate,
    }
