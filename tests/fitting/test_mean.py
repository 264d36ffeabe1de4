"""Calibration of measurements: the line, the rising curve and its band."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from calibrant import errors
from calibrant.calibrators import logistic
from calibrant.fitting import mean, platt
from calibrant.stats import summary


def sensor(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.0, 4.0, n)
    return x, np.sqrt(x) + 0.1 * rng.normal(size=n)


def test_the_line_is_the_estimate() -> None:
    """Calibrator and estimate have the same slope and intercept, and polyfit's."""
    x, y = sensor()
    found = mean.fit_affine(x, y)
    slope, intercept = np.polyfit(x, y, 1)
    assert (found.calibrator.slope, found.calibrator.intercept) == pytest.approx((slope, intercept))
    assert found.line.slope.value == found.calibrator.slope
    low, high = found.interval([1.0, 2.0])
    assert ((low < found.calibrator.apply([1.0, 2.0])) & (found.calibrator.apply([1.0, 2.0]) < high)).all()


def test_a_falling_sensor_is_fitted_and_too_little_is_refused() -> None:
    """A thermistor has a negative slope; few rows or one measured value have no line."""
    x, y = sensor()
    assert mean.fit_affine(x, -y).calibrator.slope < 0.0
    for fit in (mean.fit_affine, mean.fit_rising):
        with pytest.raises(errors.FitError, match="CAL-501"):
            fit(x[:5], y[:5])
        with pytest.raises(errors.FitError, match="CAL-503"):
            fit(np.ones(50), y[:50])


def test_a_deaf_sensor_is_refused_at_the_level_of_the_interval() -> None:
    """Noise has no slope: refused in about 95 % of 300 samples, never by more than chance allows."""
    refused = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x, noise = rng.random(100), rng.normal(size=100)
        try:
            mean.fit_affine(x, noise)
        except errors.FitError as error:
            refused += error.code == "CAL-542"
    assert 273 <= refused <= 297


def test_the_rising_curve_joins_the_centres_of_isotonic_blocks() -> None:
    """At the mean measurement of each block it has the block's value, scikit-learn's, weights and ties included."""
    rng = np.random.default_rng(3)
    x, y = sensor()
    x, w = np.round(x, 1), rng.exponential(size=200)
    blocks = IsotonicRegression().fit_transform(x, y, sample_weight=w)
    found = mean.fit_rising(x, y, weights=w)
    values, which = np.unique(np.round(blocks, 10), return_inverse=True)
    centres = np.bincount(which, w * x) / np.bincount(which, w)
    assert np.allclose(found.calibrator.apply(centres), values, atol=1e-9)
    assert len(found.calibrator.knots) == len(values)


@settings(max_examples=20)
@given(st.floats(0.01, 100.0), st.integers(0, 1000))
def test_unit_of_weights_and_order_of_rows_do_not_count(factor: float, seed: int) -> None:
    """The same curve and the same band."""
    x, y = sensor(60, seed)
    rng = np.random.default_rng(seed)
    w, order = rng.exponential(size=60) + 0.01, rng.permutation(60)
    one, other = mean.fit_rising(x, y, weights=w), mean.fit_rising(x[order], y[order], weights=factor * w[order])
    at = np.linspace(-1, 5, 31)
    assert np.allclose(one.calibrator.apply(at), other.calibrator.apply(at))
    assert np.allclose(one.band.at(at), other.band.at(at))


def test_the_band_rises_and_knows_nothing_outside() -> None:
    """Ends never fall; left of all rows there is no lower end, right of all no upper one."""
    x, y = sensor(500)
    band = mean.fit_rising(x, y).band
    low, high = band.at(np.linspace(0, 4, 101))
    assert (np.diff(low[np.isfinite(low)]) >= 0).all()
    assert (np.diff(high[np.isfinite(high)]) >= 0).all()
    assert band.at(-1.0)[0] == -np.inf
    assert band.at(5.0)[1] == np.inf
    middle = (low + high)[25:75] / 2
    assert np.abs(middle - np.sqrt(np.linspace(0, 4, 101)[25:75])).max() < 0.1


def test_bounds_are_kept_and_checked() -> None:
    """With bounds the band stays inside them; reference values outside are refused."""
    rng = np.random.default_rng(0)
    x = rng.random(300)
    y = (rng.random(300) < x).astype(float)
    low, high = mean.fit_rising(x, y, bounds=(0.0, 1.0)).band.at(np.linspace(0.1, 0.9, 9))
    assert low.min() >= 0.0
    assert high.max() <= 1.0
    with pytest.raises(errors.ValueRangeError, match="CAL-348"):
        mean.fit_rising(x, y + 0.5, bounds=(0.0, 1.0))


def test_rates_go_through_a_summary() -> None:
    """Outcomes that are rates are labels of a summary: Platt scaling finds the map that made them."""
    rng = np.random.default_rng(1)
    p = rng.uniform(0.05, 0.95, 3000)
    made = logistic.Platt(0.7, 0.3)
    rates = rng.binomial(50, made.apply(p)) / 50.0
    data = summary.summarise(p, rates, grid="distinct")
    assert not data.is_binary
    found = platt.fit(data)
    assert (found.slope, found.intercept) == pytest.approx((0.7, 0.3), abs=0.02)


@pytest.mark.theory
@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_the_band_covers_the_whole_curve(bounds) -> None:
    """Everywhere at once in at least 95 % of 300 samples, for normal noise and for rates in [0, 1]."""
    at, covered = np.linspace(0.0, 4.0, 201), 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x = rng.uniform(0.0, 4.0, 150)
        y = (
            np.sqrt(x) / 2.0 + 0.2 * rng.normal(size=150)
            if bounds is None
            else rng.beta(np.sqrt(x) + 1e-3, 2 - np.sqrt(x) + 1e-3)
        )
        low, high = mean.fit_rising(x, y, bounds=bounds).band.at(at)
        true = np.sqrt(at) / 2.0 if bounds is None else (np.sqrt(at) + 1e-3) / 2.002
        covered += bool(((low <= true) & (true <= high)).all())
    assert covered >= 285
