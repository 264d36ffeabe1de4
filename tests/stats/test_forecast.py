"""Quantile and interval forecasts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, norm, poisson
from sklearn import metrics

from calibrant import errors
from calibrant.stats import forecast, intervals, results

LEVELS = np.array([0.1, 0.25, 0.5, 0.75, 0.9])


def data(n: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated normal forecasts with a mean of their own for each row."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=n) * 3
    return mean[:, None] + norm.ppf(LEVELS), mean + rng.normal(size=n)


def test_pinball_is_scikit_learns() -> None:
    """Level by level."""
    q, y = data()
    found = forecast.pinball(q, LEVELS, y).mean(axis=0)
    other = [metrics.mean_pinball_loss(y, q[:, j], alpha=level) for j, level in enumerate(LEVELS)]
    assert np.allclose(found, other, atol=1e-14)


def test_crps_is_the_closed_form_of_the_normal() -> None:
    """Gneiting and Raftery 2007: sigma (z (2 Phi - 1) + 2 phi - 1 / sqrt(pi)), from 4,000 quantiles."""
    tau = (np.arange(4000) + 0.5) / 4000
    y = np.array([-2.0, 0.0, 0.7])
    closed = y * (2 * norm.cdf(y) - 1) + 2 * norm.pdf(y) - 1 / np.sqrt(np.pi)
    assert np.allclose(forecast.crps(np.tile(norm.ppf(tau), (3, 1)), tau, y), closed, atol=1e-4)


def test_the_interval_score_is_the_sum_of_two_pinball_losses() -> None:
    """2 / alpha times the pinball losses of its two ends (Bracher et al. 2021)."""
    q, y = data()
    found = forecast.interval_score(q[:, 0], q[:, 4], y, miscoverage=0.2)
    assert np.allclose(found, 10.0 * forecast.pinball(q[:, [0, 4]], [0.1, 0.9], y).sum(axis=1), atol=1e-12)


@given(st.floats(0.05, 0.95), st.floats(-3.0, 3.0))
def test_the_true_quantile_has_the_smallest_pinball_loss(level: float, off: float) -> None:
    """Proper: no other number does better in expectation under N(0, 1)."""
    y = norm.ppf((np.arange(2000) + 0.5) / 2000)
    true = float(norm.ppf(level))

    def expected(q: float) -> float:
        return float(forecast.pinball(np.full((2000, 1), q), [level], y).mean())

    assert expected(true) <= expected(true + off) + 1e-3


def test_calibrated_forecasts_pass_and_narrow_ones_do_not() -> None:
    """The PIT of right forecasts is uniform; of ones half as wide it has too large a variance."""
    q, y = data(2000)
    rng = np.random.default_rng(1)
    right = forecast.measure_quantiles(q, LEVELS, y, rng=rng)
    for level, found in zip(LEVELS, right.coverage, strict=True):
        assert found.low < level < found.high
    assert right.pit.ks_p.value > 0.01
    median = q[:, [2]]
    wrong = forecast.measure_quantiles(median + (q - median) / 2, LEVELS, y, rng=rng)
    assert wrong.pit.ks_p.value < 1e-9
    assert wrong.pit.variance.low > 1 / 12
    assert wrong.crps.value > right.crps.value


def test_the_randomised_pit_of_counts_is_uniform_and_the_plain_one_is_not() -> None:
    """Poisson outcomes: randomisation between F(y-) and F(y) makes the transform exact."""
    rng = np.random.default_rng(2)
    rate = rng.uniform(0.5, 4.0, 4000)
    y = rng.poisson(rate)
    at, below = poisson.cdf(y, rate), poisson.cdf(y - 1, rate)
    assert kstest(forecast.pit(at, below=below, rng=rng), "uniform").pvalue > 0.01
    assert kstest(forecast.pit(at), "uniform").pvalue < 1e-9


def test_levels_keep_their_frequency_in_the_pit_of_quantiles() -> None:
    """The share of transforms up to each level is the share of outcomes up to its quantile, ties included."""
    q, y = data(300)
    y[:50] = q[:50, 2]
    u = forecast.pit_from_quantiles(q, LEVELS, y, rng=np.random.default_rng(0))
    for j, level in enumerate(LEVELS):
        assert np.array_equal(u <= level, y <= q[:, j])
    mass = forecast.pit_from_quantiles(np.zeros((200, 5)), LEVELS, np.zeros(200), rng=np.random.default_rng(0))
    assert mass.max() <= 0.9
    assert mass.min() < 0.1


def test_coverage_is_wilsons() -> None:
    """And rows of weight zero do not count."""
    covered = np.repeat([True, False, True], [70, 30, 40])
    found = forecast.coverage(covered, weights=np.repeat([1.0, 1.0, 0.0], [70, 30, 40]))
    low, high = intervals.wilson(70, 100)
    assert isinstance(found, results.Estimate)
    assert (found.value, found.low, found.high) == pytest.approx((0.7, float(low), float(high)))


@settings(max_examples=20)
@given(st.floats(0.01, 100.0), st.integers(0, 1000))
def test_unit_of_weights_and_order_of_rows_do_not_count(factor: float, seed: int) -> None:
    """w -> c w and any permutation of rows."""
    q, y = data(60, seed)
    rng = np.random.default_rng(seed)
    w, order = rng.exponential(size=60), rng.permutation(60)
    one = forecast.measure_intervals(q[:, 0], q[:, 4], y, miscoverage=0.2, weights=w)
    other = forecast.measure_intervals(q[order, 0], q[order, 4], y[order], miscoverage=0.2, weights=factor * w[order])
    for name in ("coverage", "below", "above", "width", "score"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), abs=1e-9)
    assert one.coverage.value + one.below.value + one.above.value == pytest.approx(1.0)


def test_missing_data_is_said() -> None:
    """Few rows have no mean score and no test, but a coverage with its wide interval."""
    q, y = data(5)
    found = forecast.measure_quantiles(q, LEVELS, y, rng=np.random.default_rng(0))
    assert isinstance(found.crps, results.Insufficient)
    assert isinstance(found.pit.ks, results.Insufficient)
    assert isinstance(found.coverage[0], results.Estimate)
    assert forecast.coverage([]) == results.Insufficient(0, 1)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: forecast.pinball([[1.0, 0.0]], [0.1, 0.9], [0.0]), "CAL-347"),
        (lambda: forecast.pinball([[0.0, np.nan]], [0.1, 0.9], [0.0]), "CAL-347"),
        (lambda: forecast.pinball([[0.0]], [0.1, 0.9], [0.0]), "CAL-347"),
        (lambda: forecast.pinball([[0.0, 1.0]], [0.9, 0.1], [0.0]), "CAL-446"),
        (lambda: forecast.pinball([[0.0]], [1.0], [0.0]), "CAL-446"),
        (lambda: forecast.pit([0.5], below=[0.6], rng=np.random.default_rng(0)), "CAL-347"),
        (lambda: forecast.pit([0.5], below=[0.4]), "CAL-447"),
        (lambda: forecast.interval_score([1.0], [0.0], [0.0], miscoverage=0.1), "CAL-347"),
        (lambda: forecast.interval_score([0.0], [1.0], [0.0], miscoverage=1.0), "CAL-448"),
        (lambda: forecast.measure_intervals([-np.inf], [1.0], [0.0], miscoverage=0.1), "CAL-347"),
        (lambda: forecast.coverage([True], weights=[1.0, 2.0]), "CAL-347"),
    ],
)
def test_bad_forecasts_are_refused_at_the_door(call, code: str) -> None:
    """Crossing, missing, shapes, levels, distribution functions, intervals."""
    with pytest.raises((errors.ValueRangeError, errors.UsageError), match=code):
        call()
