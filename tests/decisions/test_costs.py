"""Costs, outcomes and the expected cost curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant import errors
from calibrant.decisions import costs
from calibrant.stats import summary


def rows(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 4, n)
    return p, rng.random(n) < p


def test_threshold_is_where_acting_and_not_acting_cost_the_same():
    """Elkan's formula: at the threshold both expected costs are equal."""
    price = costs.Costs(false_positive=3.0, false_negative=17.0, action=2.0)
    p = price.threshold
    assert price.action + (1 - p) * price.false_positive == pytest.approx(p * price.false_negative, rel=1e-12)


@pytest.mark.parametrize("numbers", [(-1, 2, 0), (1, float("nan"), 0), (1, float("inf"), 0), (1, 2, -0.1)])
def test_costs_must_be_finite_and_not_negative(numbers):
    """A negative or infinite price is refused with its own code."""
    with pytest.raises(errors.UsageError, match="CAL-411"):
        costs.Costs(*numbers)


def test_an_action_dearer_than_a_miss_is_refused():
    """If acting costs more than missing, no threshold makes sense."""
    with pytest.raises(errors.UsageError, match="CAL-412"):
        costs.Costs(false_positive=1, false_negative=2, action=2)


def test_curve_equals_a_loop_over_rows():
    """The curve is the mean row cost at every threshold, computed here row by row."""
    p, y = rows(300)
    p = p.round(2)
    price = costs.Costs(false_positive=1.5, false_negative=6.0, action=0.25)
    found = costs.curve(summary.summarise(p, y, grid="distinct"), price)
    for threshold, cost, low, high in zip(found.thresholds, found.cost, found.low, found.high, strict=True):
        act = p >= threshold
        each = np.where(act, price.action + price.false_positive * ~y, price.false_negative * y)
        assert cost == pytest.approx(each.mean(), abs=1e-12)
        half = 1.959963984540054 * each.std() / np.sqrt(len(p))
        assert high == pytest.approx(each.mean() + half, abs=1e-9)
        assert low == pytest.approx(max(each.mean() - half, 0), abs=1e-9)


@given(st.floats(0.1, 50.0), st.integers(0, 2**31))
def test_curve_does_not_change_with_the_unit_of_weights(factor, seed):
    """w -> c w changes neither cost nor interval."""
    p, y = rows(60, seed)
    w = np.random.default_rng(seed).random(60) + 0.1
    price = costs.Costs(1, 4)
    one = costs.curve(summary.summarise(p, y, weights=w, grid="distinct"), price)
    other = costs.curve(summary.summarise(p, y, weights=w * factor, grid="distinct"), price)
    np.testing.assert_allclose(one.cost, other.cost, rtol=1e-9)
    np.testing.assert_allclose(one.high, other.high, rtol=1e-9)


def test_on_calibrated_scores_the_formula_is_close_to_the_cheapest():
    """With calibrated scores the threshold from prices costs hardly more than the best one in hindsight."""
    p, y = rows(200_000)
    price = costs.Costs(1, 4)
    found = costs.curve(summary.summarise(p, y), price)
    assert found.at(price.threshold).value <= found.cost.min() * 1.01


def test_pointwise_interval_covers():
    """The interval at a fixed threshold holds the true cost in about 95 of 100 samples."""
    price = costs.Costs(1, 4, 0.5)
    p, y = rows(400_000, 99)
    truth = np.where(p >= 0.3, price.action + price.false_positive * ~y, price.false_negative * y).mean()
    hits = 0
    for seed in range(300):
        p, y = rows(400, seed)
        at = costs.curve(summary.summarise(p, y, grid="distinct"), price).at(0.3)
        hits += at.low <= truth <= at.high
    assert 0.91 <= hits / 300 <= 0.985
