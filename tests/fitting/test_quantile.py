"""Recalibration of quantiles and intervals, and what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from calibrant import errors
from calibrant.fitting import quantile
from calibrant.stats import forecast


def test_the_shift_is_the_ranked_score() -> None:
    """ceil((n + 1)(1 - alpha)): counted by hand for every n from the smallest on."""
    rng = np.random.default_rng(0)
    for n in range(9, 60):
        y = rng.normal(size=n)
        found = quantile.fit_conformal(np.zeros(n), np.zeros(n), y, miscoverage=0.1)
        covered = (np.abs(y) <= found.upper).sum()
        assert covered == int(np.ceil(round((n + 1) * 0.9, 9)))
        assert found.lower == found.upper


def test_separate_tails_hold_each_side() -> None:
    """Skewed outcomes: each side gets its own shift, and half of the misses at most."""
    rng = np.random.default_rng(1)
    y = rng.exponential(size=999)
    zero = np.zeros(999)
    found = quantile.fit_conformal(zero + 1, zero + 1, y, miscoverage=0.1, tails="separate")
    assert found.upper > found.lower
    assert (y - 1 > found.upper).sum() == 1000 // 20 - 1
    assert (1 - y > found.lower).sum() == 1000 // 20 - 1


@pytest.mark.parametrize(("miscoverage", "need"), [(0.1, 9), (0.05, 19), (0.01, 99)])
def test_too_few_rows_for_the_promise_are_refused(miscoverage: float, need: int) -> None:
    """n + 1 < 1 / alpha leaves only an infinite interval."""
    y = np.arange(float(need))
    quantile.fit_conformal(y, y, y, miscoverage=miscoverage)
    with pytest.raises(errors.FitError, match="CAL-543"):
        quantile.fit_conformal(y[1:], y[1:], y[1:], miscoverage=miscoverage)


@pytest.mark.parametrize("n", [9, 20, 57])
def test_split_conformal_covers_in_expectation(n: int) -> None:
    """Between 1 - alpha and 1 - alpha + 1 / (n + 1), for bad forecasts of skewed outcomes: 20,000 repetitions."""
    rng = np.random.default_rng(n)
    repetitions, alpha = 20_000, 0.1
    covered = 0
    mean = rng.normal(size=(repetitions, n + 1))
    y = mean**2 + rng.exponential(size=(repetitions, n + 1))
    scores = np.maximum(mean - y, y - (mean + 1.0))
    for i in range(repetitions if n == 9 else 300):
        found = quantile.fit_conformal(mean[i, :n], mean[i, :n] + 1.0, y[i, :n], miscoverage=alpha)
        covered += scores[i, n] <= found.upper
        assert found.upper == np.sort(scores[i, :n])[int(np.ceil(round((n + 1) * 0.9, 9))) - 1]
    rank = int(np.ceil(round((n + 1) * 0.9, 9)))
    share = (scores[:, n] <= np.partition(scores[:, :n], rank - 1, axis=1)[:, rank - 1]).mean()
    noise = 3.5 * np.sqrt(0.09 / repetitions)
    assert 1 - alpha - noise <= share <= 1 - alpha + 1 / (n + 1) + noise


def test_recalibrated_levels_have_their_frequency_on_the_next_row() -> None:
    """P(PIT <= i-th knot) = i / (n + 1) exactly, however wrong the forecasts: 4,000 repetitions with n = 24."""
    rng = np.random.default_rng(0)
    u = rng.beta(0.4, 0.7, size=(4000, 25))
    below = np.zeros(25)
    for row in u:
        found = quantile.fit_levels(row[:24])
        assert np.allclose(found.values, np.arange(26) / 25.0 * (np.arange(26) < 25) + (np.arange(26) == 25))
        below += row[24] <= np.append(found.levels[1:-1], 1.0)
    expected = np.append(np.arange(1, 25) / 25.0, 1.0)
    assert np.abs(below / 4000 - expected).max() < 3.5 * np.sqrt(0.25 / 4000)


def test_narrow_forecasts_come_out_right_on_fresh_rows() -> None:
    """Forecast N(m, 1), truth N(m, 4): coverage of every level is repaired, and the pinball loss falls."""
    rng = np.random.default_rng(3)
    mean = rng.normal(size=8000) * 3
    y = mean + 2.0 * rng.normal(size=8000)
    levels = np.linspace(0.01, 0.99, 99)
    q = mean[:, None] + norm.ppf(levels)
    fit, fresh = slice(0, 4000), slice(4000, None)
    found = quantile.fit_levels(norm.cdf(y[fit] - mean[fit]))
    assert len(found.levels) <= quantile.MAX_KNOTS + 2
    repaired = found.apply_quantiles(q[fresh], levels)
    inner = (levels >= 0.15) & (levels <= 0.85)  # beyond, the forecast itself has no quantile that is wide enough
    share = (y[fresh, None] <= repaired).mean(axis=0)
    assert np.abs(share - levels)[inner].max() < 0.03
    before, after = (forecast.pinball(each, levels, y[fresh]).mean() for each in (q[fresh], repaired))
    assert after < before


def test_what_cannot_be_recalibrated_is_refused() -> None:
    """Few rows, and a transform without spread."""
    with pytest.raises(errors.FitError, match="CAL-543"):
        quantile.fit_levels(np.linspace(0.1, 0.9, 19))
    with pytest.raises(errors.FitError, match="CAL-544"):
        quantile.fit_levels(np.repeat([0.0, 0.5, 1.0], 10))


def test_ties_count_up_to_the_last() -> None:
    """Equal transforms share the rank of their last."""
    found = quantile.fit_levels(np.repeat([0.2, 0.6], [10, 29]))
    assert found.values == (0.0, 0.25, 0.975, 1.0)


@settings(max_examples=100)
@given(
    st.lists(st.booleans(), min_size=1, max_size=300),
    st.floats(0.02, 0.5),
    st.floats(0.005, 0.5),
    st.floats(0.0, 1.0),
)
def test_adaptive_conformal_keeps_its_long_run_share_whatever_happens(
    hits: list[bool], target: float, rate: float, start: float
) -> None:
    """Gibbs and Candes, proposition 4.1: an adversary decides, infinite intervals always hold, empty ones never."""
    state, misses = quantile.Adaptive(target, rate, start), 0
    for hit in hits:
        covered = True if state.asked <= 0.0 else False if state.asked >= 1.0 else hit
        misses += not covered
        state = quantile.step(state, covered=covered)
    bound = (max(start, 1.0 - start) + rate) / (rate * len(hits))
    assert abs(misses / len(hits) - target) <= bound + 1e-9


def test_adaptive_conformal_follows_a_drift_that_split_conformal_misses() -> None:
    """The noise doubles half-way: a fixed shift covers too little, the adaptive one recovers."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=3000) * np.repeat([1.0, 2.0], 1500)
    scores = np.abs(y)
    fixed = quantile.fit_conformal(np.zeros(500), np.zeros(500), y[:500], miscoverage=0.1).upper
    state, covered = quantile.Adaptive(0.1, 0.02, 0.1), []
    for t in range(500, 3000):
        hit = bool(scores[t] <= quantile.shift(state, scores[t - 500 : t]))
        covered.append(hit)
        state = quantile.step(state, covered=hit)
    assert (scores[1500:] <= fixed).mean() < 0.7
    assert np.mean(covered[1000:]) == pytest.approx(0.9, abs=0.02)


def test_the_ends_of_the_adaptive_shift() -> None:
    """Infinite while the past cannot promise it, nothing from asked = 1 on."""
    past = np.arange(1.0, 10.0)
    assert quantile.shift(quantile.Adaptive(0.1, 0.1, 0.0), past) == np.inf
    assert quantile.shift(quantile.Adaptive(0.1, 0.1, 0.05), past) == np.inf
    assert quantile.shift(quantile.Adaptive(0.1, 0.1, 0.1), past) == 9.0
    assert quantile.shift(quantile.Adaptive(0.1, 0.1, 1.0), past) == -np.inf
    with pytest.raises(errors.UsageError, match="CAL-449"):
        quantile.Adaptive(0.1, 0.0, 0.1)
    with pytest.raises(errors.UsageError, match="CAL-448"):
        quantile.Adaptive(0.0, 0.1, 0.1)
