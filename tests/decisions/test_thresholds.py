"""Thresholds from costs, precision, recall and capacity."""

from __future__ import annotations

import numpy as np
import pytest

from calibrant import errors
from calibrant.decisions import costs, thresholds
from calibrant.stats import results, summary


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.7, 2, n)
    return p, rng.random(n) < p


def calibrated(n: int, seed: int = 0) -> summary.Summary:
    return summary.summarise(*rows(n, seed), grid="distinct")


def test_costs_give_the_threshold_of_the_formula_and_what_to_expect():
    """The value comes from prices alone; the expectation from the rows, with intervals."""
    choice = thresholds.from_costs(calibrated(5000), costs.Costs(1, 9))
    assert choice.value == 0.1
    p, y = rows(5000, 0)
    recall = choice.expected["recall"]
    assert isinstance(recall, results.Estimate)
    assert recall.value == pytest.approx((y & (p >= 0.1)).sum() / y.sum())
    assert recall.low < recall.value < recall.high
    assert "cost_per_row" in choice.to_dict()["expected"]


def test_precision_threshold_reaches_its_target_with_confidence():
    """Searched for on one sample, the threshold keeps its promise on the population in >= 95 % of samples."""
    p, y = rows(1_000_000, 12345)
    kept = chosen = 0
    for seed in range(200):
        choice = thresholds.for_precision(calibrated(2000, seed), 0.6)
        if isinstance(choice, thresholds.Choice):
            chosen += 1
            kept += y[p >= choice.value].mean() >= 0.6
    assert chosen > 150
    assert kept / chosen >= 0.95


def test_recall_threshold_reaches_its_target_with_confidence():
    """The same promise for recall."""
    p, y = rows(1_000_000, 12345)
    kept = 0
    for seed in range(200):
        choice = thresholds.for_recall(calibrated(2000, seed), 0.8)
        assert isinstance(choice, thresholds.Choice)
        kept += (p[y] >= choice.value).mean() >= 0.8
    assert kept / 200 >= 0.92  # 95 % less three standard errors


def test_unreachable_precision_is_insufficient_not_a_number():
    """Scores that never exceed one half cannot show a precision of .99."""
    p, y = rows(500, 3)
    found = thresholds.for_precision(summary.summarise(p / 2, y, grid="distinct"), 0.99)
    assert isinstance(found, results.Insufficient)


def test_few_rows_are_insufficient():
    """Five rows show no precision, and no recall of 99 %."""
    few = summary.summarise([0.1, 0.2, 0.8, 0.9, 0.95], [0, 0, 1, 1, 1], grid="distinct")
    assert isinstance(thresholds.for_precision(few, 0.5), results.Insufficient)
    assert thresholds.for_recall(few, 0.99) == results.Insufficient(3.0, 299.0, "positives")


@pytest.mark.parametrize("capacity", [1, 7, 50, 199, 200, 1000])
def test_capacity_is_used_but_not_exceeded(capacity):
    """Alerts a day stay within the capacity, and the next lower score would exceed it."""
    data = calibrated(1000)
    choice = thresholds.for_capacity(data, capacity, rows_per_day=200)
    assert isinstance(choice, thresholds.Choice)
    p, _ = rows(1000, 0)
    daily = (p >= choice.value).mean() * 200
    assert daily <= capacity + 1e-9
    lower = p[p < choice.value]
    if len(lower):
        assert (p >= lower.max()).mean() * 200 > capacity


@pytest.mark.parametrize(("capacity", "arriving"), [(0, 10), (-1, 10), (5, 0), (float("nan"), 1), (5, float("inf"))])
def test_capacity_must_be_positive(capacity, arriving):
    """Zero, negative or infinite capacities are wrong use."""
    with pytest.raises(errors.UsageError, match="CAL-413"):
        thresholds.for_capacity(calibrated(100), capacity, rows_per_day=arriving)


@pytest.mark.parametrize("target", [0, 1, 1.5, -0.2])
def test_targets_are_shares(target):
    """A target of 90 (percent) is refused before anything is computed."""
    for choose in (thresholds.for_precision, thresholds.for_recall):
        with pytest.raises(errors.UsageError, match="CAL-414"):
            choose(calibrated(100), target)


def test_the_unit_of_weights_does_not_matter():
    """w -> c w changes no threshold."""
    p, y = rows(3000, 1)
    w = np.random.default_rng(5).random(3000) + 0.5
    one = summary.summarise(p, y, weights=w, grid="distinct")
    other = summary.summarise(p, y, weights=w * 1000, grid="distinct")
    for choose in (lambda s: thresholds.for_precision(s, 0.6), lambda s: thresholds.for_recall(s, 0.7)):
        assert choose(one).value == choose(other).value


def test_a_capacity_below_the_most_frequent_highest_score_acts_on_nothing():
    """Where the highest score alone would exceed the capacity, the threshold is finite and above it."""
    constant = summary.summarise(np.full(100, 0.25), np.arange(100) % 4 == 0, grid="distinct")
    choice = thresholds.for_capacity(constant, 5, rows_per_day=100)
    assert isinstance(choice, thresholds.Choice)
    assert 0.25 < choice.value < 0.2500001
    assert choice.expected["alerts_per_day"].value == 0
