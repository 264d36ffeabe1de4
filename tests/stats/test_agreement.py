"""A measurement against a reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import linregress
from scipy.stats import t as student
from sklearn import metrics

from calibrant import errors
from calibrant.stats import agreement, results


def data(n: int = 80, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(10.0, 30.0, n)
    return x, 2.0 + 0.9 * x + (0.2 + 0.05 * (x - 10.0)) * rng.normal(size=n)


def fitted(x: np.ndarray, y: np.ndarray, **options) -> agreement.Line:
    found = agreement.line(agreement.pairs(x, y, weights=options.get("weights")), level=options.get("level", 0.95))
    assert isinstance(found, agreement.Line)
    return found


def test_errors_are_scikit_learns() -> None:
    """Bias, MAE and RMSE with weights."""
    x, y = data()
    w = np.random.default_rng(1).exponential(size=80)
    found = agreement.agreement(x, y, weights=w)
    assert found.bias.value == pytest.approx(np.average(x - y, weights=w), abs=1e-12)
    assert found.mae.value == pytest.approx(metrics.mean_absolute_error(y, x, sample_weight=w), abs=1e-12)
    assert found.rmse.value == pytest.approx(metrics.root_mean_squared_error(y, x, sample_weight=w), abs=1e-12)


def test_the_line_is_scipys() -> None:
    """Slope and intercept of least squares."""
    x, y = data()
    found, other = fitted(x, y), linregress(x, y)
    assert found.slope.value == pytest.approx(other.slope, abs=1e-12)
    assert found.intercept.value == pytest.approx(other.intercept, abs=1e-10)


def test_hc3_is_the_sum_of_squared_deviations_of_the_leave_one_out_lines() -> None:
    """An identity: each row left out once, the lines refitted, their deviations squared and summed."""
    x, y = data(30)
    full = np.polyfit(x, y, 1)
    left_out = np.array([np.polyfit(np.delete(x, i), np.delete(y, i), 1) for i in range(30)]) - full
    found = fitted(x, y)
    covariance = (left_out.T @ left_out)[::-1, ::-1]
    assert np.allclose(found.covariance, covariance, rtol=1e-8)
    assert found.slope.high == pytest.approx(full[0] + student.ppf(0.975, 28) * np.sqrt(covariance[1, 1]), abs=1e-9)


@settings(max_examples=25)
@given(st.floats(0.01, 100.0), st.floats(-50.0, 50.0), st.integers(0, 1000))
def test_units_do_not_count(factor: float, origin: float, seed: int) -> None:
    """Weights in another unit change nothing; another origin of both axes moves the intercept only."""
    x, y = data(40, seed)
    w = np.random.default_rng(seed).exponential(size=40) + 0.05
    one = fitted(x, y, weights=w)
    other = fitted(x + origin, y + origin, weights=factor * w)
    assert one.slope.value == pytest.approx(other.slope.value, rel=1e-7)
    assert one.slope.low == pytest.approx(other.slope.low, rel=1e-6)
    assert one.residual_sd == pytest.approx(other.residual_sd, rel=1e-7)


def test_limits_of_agreement_hold_the_differences() -> None:
    """About 95 % of normal differences, and bias in the middle."""
    rng = np.random.default_rng(2)
    y = rng.normal(size=5000)
    found = agreement.agreement(y + 1.0 + 0.5 * rng.normal(size=5000), y)
    assert not isinstance(found.limits, results.Insufficient)
    low, high = found.limits
    assert (low + high) / 2.0 == pytest.approx(found.bias.value)
    assert (high - low) / 2.0 == pytest.approx(1.96 * 0.5, rel=0.05)


def test_missing_data_is_said() -> None:
    """Few rows, and a measurement that does not vary."""
    few = agreement.agreement(np.arange(5.0), np.arange(5.0))
    assert isinstance(few.bias, results.Insufficient)
    assert isinstance(few.limits, results.Insufficient)
    flat = agreement.agreement(np.ones(50), np.arange(50.0))
    assert isinstance(flat.bias, results.Estimate)
    assert flat.slope == results.Insufficient(1, 3, "distinct measured values")


@pytest.mark.parametrize(
    ("measured", "reference", "weights", "code"),
    [
        ([1.0, 2.0], [1.0], None, "CAL-346"),
        ([1.0, np.nan], [1.0, 2.0], None, "CAL-346"),
        ([1.0], [1.0], [-1.0], "CAL-345"),
    ],
)
def test_bad_rows_are_refused_at_the_door(measured, reference, weights, code: str) -> None:
    """Shapes, missing values and weights."""
    with pytest.raises(errors.ValueRangeError, match=code):
        agreement.agreement(measured, reference, weights=weights)


@pytest.mark.theory
def test_intervals_cover_although_the_noise_grows() -> None:
    """HC3 covers slope and intercept in 93 to 97 % of 2,000 samples of 40 rows with uneven noise."""
    covered = np.zeros(2)
    for seed in range(2000):
        found = fitted(*data(40, seed))
        for i, (each, true) in enumerate(((found.slope, 0.9), (found.intercept, 2.0))):
            assert each.low is not None
            assert each.high is not None
            covered[i] += each.low <= true <= each.high
    assert (covered / 2000 > 0.93).all()
    assert (covered / 2000 < 0.97).all()
