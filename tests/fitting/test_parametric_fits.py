"""Intercept, Platt, temperature, beta and quadratic against independent maximisers and known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from calibrant import errors
from calibrant.calibrators import scales
from calibrant.fitting import beta, intercept, platt, quadratic, temperature
from calibrant.stats import summary


def rows(n: int, seed: int, slope: float = 0.6, shift: float = -0.4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(0.3, 1.2, n)
    return scales.expit(x), (rng.random(n) < scales.expit(shift + slope * x)).astype(float)


def negative(eta: np.ndarray, y: np.ndarray) -> float:
    return float(np.logaddexp(0.0, eta).sum() - y @ eta)


def test_platt_is_logistic_regression_on_smoothed_targets() -> None:
    """scikit-learn without a penalty, each row once as a positive and once as a negative, gives the same line."""
    p, y = rows(400, 0)
    found = platt.fit(summary.summarise(p, y, grid="distinct"))
    ones, zeros = y.sum(), (1 - y).sum()
    targets = np.where(y == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    x = scales.logit(p)[:, None]
    peer = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000)
    peer.fit(np.vstack([x, x]), np.repeat([1, 0], 400), sample_weight=np.concatenate([targets, 1 - targets]))
    assert found.slope == pytest.approx(peer.coef_[0, 0], abs=1e-5)
    assert found.intercept == pytest.approx(peer.intercept_[0], abs=1e-5)


def test_platt_targets_use_effective_rows() -> None:
    """The same rows twice at half weight: four times fewer effective rows per weight, as many as there are."""
    p, y = rows(60, 1)
    once = platt.fit(summary.summarise(p, y, grid="distinct"))
    # doubled rows are more evidence, so the smoothing weakens
    twice = platt.fit(summary.summarise(np.tile(p, 2), np.tile(y, 2), grid="distinct"))
    assert twice.slope > once.slope


def test_intercept_meets_the_base_rate() -> None:
    """The mean of the map is the base rate: the likelihood equation."""
    p, y = rows(500, 2)
    assert intercept.fit(summary.summarise(p, y, grid="distinct")).apply(p).mean() == pytest.approx(y.mean(), abs=1e-10)


def test_temperature_is_the_minimum() -> None:
    """Log loss as a function of the temperature has its minimum there."""
    p, y = rows(500, 3, shift=0.0)
    x = scales.logit(p)
    found = temperature.fit(summary.summarise(p, y, grid="distinct")).temperature
    peer = minimize(lambda b: negative(b[0] * x, y), [1.0], method="BFGS", options={"gtol": 1e-9})
    assert found == pytest.approx(1.0 / peer.x[0], rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), a=st.floats(-1.5, 2.0), b=st.floats(-1.5, 2.0), c=st.floats(-1, 1))
def test_beta_is_the_constrained_maximum(seed: int, a: float, b: float, c: float) -> None:
    """No admissible a, b, c is more likely, whatever the true shape: a bounded maximiser agrees."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1.5, 1.5, 300).clip(0.01, 0.99)
    y = (rng.random(300) < scales.expit(c + a * np.log(p) - b * np.log1p(-p))).astype(float)
    assume(5 < y.sum() < 295)
    columns = np.stack([np.log(p), -np.log1p(-p), np.ones(300)], axis=1)
    peer = minimize(
        lambda t: negative(columns @ t, y),
        [0.5, 0.5, 0.0],
        jac=lambda t: columns.T @ (scales.expit(columns @ t) - y),
        bounds=[(0, None), (0, None), (None, None)],
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 5000},
    )
    data = summary.summarise(p, y, grid="distinct")
    if max(peer.x[:2]) < 1e-4:
        with pytest.raises(errors.FitError, match="CAL-504"):
            beta.fit(data)
        return
    found = beta.fit(data)
    reached = negative(columns @ [found.a, found.b, found.c], y)
    assert reached <= peer.fun + 1e-6
    np.testing.assert_allclose([found.a, found.b, found.c], peer.x, atol=2e-3)


def test_beta_takes_a_dropped_coefficient_back() -> None:
    """A truth with a = 0: held at the bound exactly, and the other one is fitted again."""
    rng = np.random.default_rng(5)
    p = rng.beta(1.0, 1.0, 5000).clip(0.01, 0.99)
    y = rng.random(5000) < scales.expit(-1.0 + 0.3 * np.log(p) * -1.0 - 1.5 * np.log1p(-p))
    found = beta.fit(summary.summarise(p, y, grid="distinct"))
    assert found.a == 0.0
    x = -np.log1p(-p)
    peer = minimize(lambda t: negative(t[0] + t[1] * x, y.astype(float)), [0.0, 1.0], method="BFGS")
    assert found.b == pytest.approx(peer.x[1], abs=1e-3)


def test_quadratic_recovers_a_parabola() -> None:
    """Its own truth, within noise, and against a direct maximiser."""
    rng = np.random.default_rng(6)
    x = rng.normal(0, 1, 4000).clip(-2.5, 2.5)
    p = scales.expit(x)
    y = (rng.random(4000) < scales.expit(0.2 + 1.1 * x + 0.15 * x * x)).astype(float)
    found = quadratic.fit(summary.summarise(p, y, grid="distinct"))
    columns = np.stack([np.ones(4000), x, x * x], axis=1)
    peer = minimize(lambda t: negative(columns @ t, y), np.zeros(3), method="BFGS").x
    np.testing.assert_allclose([found.constant, found.linear, found.quadratic], peer, atol=1e-3)
    assert found.quadratic == pytest.approx(0.15, abs=0.12)


def test_quadratic_refuses_a_falling_parabola() -> None:
    """A minimum inside the range of the scores is refused with the advice to use beta."""
    rng = np.random.default_rng(7)
    x = rng.normal(0, 1.5, 4000)
    y = rng.random(4000) < scales.expit(-1 + 0.4 * x * x)
    with pytest.raises(errors.FitError, match="CAL-506") as caught:
        quadratic.fit(summary.summarise(scales.expit(x), y, grid="distinct"))
    assert "beta" in caught.value.fix


@pytest.mark.theory
def test_platt_is_consistent() -> None:
    """The fitted slope covers the true one within two standard errors of 200 repetitions."""
    slopes = [platt.fit(summary.summarise(*rows(2000, seed), grid="distinct")).slope for seed in range(200)]
    error = np.std(slopes) / np.sqrt(200)
    assert abs(np.mean(slopes) - 0.6) < 3 * error + 0.002
