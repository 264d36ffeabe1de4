"""Multiclass fits against independent optimisers, and what they must not be fitted to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from calibrant import errors
from calibrant.calibrators import multiclass as maps
from calibrant.calibrators import scales
from calibrant.fitting import multiclass

LOGIT = scales.Scale("logit")
FITS: tuple[Callable[..., maps.MulticlassTemperature | maps.VectorScaling | maps.MatrixScaling], ...] = (
    multiclass.fit_temperature,
    multiclass.fit_vector,
    multiclass.fit_structured_vector,
    multiclass.fit_structured_matrix,
)


def data(n: int = 600, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overconfident logits with a tilt between classes."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, k)) * 1.5
    y = (z + rng.gumbel(size=(n, k))).argmax(axis=1)
    return 1.8 * z + 0.5 * np.arange(k), y


def loss(found, z: np.ndarray, y: np.ndarray) -> float:
    return -float(np.log(found.apply(z)[np.arange(len(y)), y]).mean())


def test_temperature_is_the_minimum_that_another_search_finds() -> None:
    """Bisection on the derivative and golden section on the loss meet."""
    z, y = data()
    found = multiclass.fit_temperature(z, y, scale=LOGIT)

    def at(t: float) -> float:
        return -float(log_softmax(z / t, axis=1)[np.arange(len(y)), y].mean())

    other = minimize_scalar(at, bounds=(0.1, 10.0), method="bounded", options={"xatol": 1e-10})
    assert found.temperature == pytest.approx(other.x, abs=1e-6)


def test_a_full_matrix_without_ridge_is_multinomial_logistic_regression() -> None:
    """Strength 0 gives the probabilities of scikit-learn's unpenalised fit on the same tempered columns."""
    z, y = data()
    found = multiclass.fit_structured_matrix(z, y, scale=LOGIT, strength=0.0)
    t = maps.temper(maps.log_probabilities(z, LOGIT), found.temperature, found.mixing)
    other = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(t, y)
    assert np.allclose(found.apply(z), other.predict_proba(t), atol=1e-4)
    assert loss(found, z, y) == pytest.approx(-np.log(other.predict_proba(t)[np.arange(len(y)), y]).mean(), abs=1e-9)


def test_the_penalty_is_the_published_one() -> None:
    """The penalised objective, written out and minimised with numerical gradients, has the same minimum."""
    z, y = data(120)
    n, k = z.shape
    found = multiclass.fit_structured_matrix(z, y, scale=LOGIT)
    t = maps.temper(maps.log_probabilities(z, LOGIT), found.temperature, 1.0 / (n + 1.0))

    def objective(parameters: np.ndarray) -> float:
        d, b = parameters[: k * k].reshape(k, k), parameters[k * k :]
        fit = -log_softmax(t + t @ d.T + b, axis=1)[np.arange(n), y].mean()
        diagonal = np.diag(d)
        off = (d**2).sum() - (diagonal**2).sum()
        return float(fit + k / n * ((b**2).sum() + (diagonal**2).sum()) + k * (k - 1) / n * off)

    other = minimize(objective, np.zeros(k * k + k), method="BFGS", options={"gtol": 1e-7})
    mine = np.append((np.array(found.matrix) - np.eye(k)).ravel(), found.biases)
    assert objective(mine) == pytest.approx(other.fun, abs=1e-9)
    assert np.allclose(mine, other.x, atol=1e-3)


def test_vector_scaling_meets_the_base_rates() -> None:
    """At the maximum mean probabilities equal class shares, and so do sums weighted by each log-probability."""
    z, y = data()
    found = multiclass.fit_vector(z, y, scale=LOGIT)
    residual = found.apply(z) - np.eye(3)[y]
    assert np.allclose(residual.mean(axis=0), 0.0, atol=1e-5)
    assert np.allclose((residual * log_softmax(z, axis=1)).mean(axis=0), 0.0, atol=1e-5)
    assert sum(found.biases) == pytest.approx(0.0, abs=1e-9)


def test_more_freedom_fits_the_rows_better() -> None:
    """In-sample: matrix <= vector <= temperature <= raw, as the families contain one another (penalties are small)."""
    z, y = data(5000)
    raw = maps.MulticlassTemperature(1.0, scale=LOGIT)
    reached = [loss(found, z, y) for found in (raw, *(fit(z, y, scale=LOGIT) for fit in FITS))]
    assert reached[1] < reached[0]
    assert reached[2] < reached[1]
    assert reached[4] < reached[3] < reached[1]


def test_a_strong_ridge_leaves_the_tempered_scores() -> None:
    """Strength to infinity: the identity on the tempered log-probabilities."""
    z, y = data()
    found = multiclass.fit_structured_matrix(z, y, scale=LOGIT, strength=1e9)
    assert np.allclose(found.matrix, np.eye(3), atol=1e-6)
    assert np.allclose(found.biases, 0.0, atol=1e-6)


@settings(max_examples=6, deadline=None)
@given(st.sampled_from(FITS), st.floats(0.01, 100.0), st.integers(0, 100))
def test_unit_of_weights_and_order_of_rows_do_not_count(fit, factor: float, seed: int) -> None:
    """w -> c w and any permutation of rows give the same map."""
    z, y = data(150, 3, seed)
    rng = np.random.default_rng(seed)
    w, order = rng.exponential(size=150) + 0.1, rng.permutation(150)
    one = fit(z, y, weights=w, scale=LOGIT)
    other = fit(z[order], y[order], weights=factor * w[order], scale=LOGIT)
    assert np.allclose(one.apply(z), other.apply(z), atol=1e-4)


@pytest.mark.parametrize("fit", FITS)
def test_probabilities_percent_and_logits_give_one_map(fit) -> None:
    """The scale is a way to write the same rows."""
    z, y = data(200)
    p = np.exp(log_softmax(z, axis=1))
    by_scale = [fit(z, y, scale=LOGIT).apply(z), fit(p, y).apply(p)]
    by_scale.append(fit(100 * p, y, scale=scales.Scale("percent")).apply(100 * p))
    assert np.allclose(by_scale[0], by_scale[1], atol=1e-5)
    assert np.allclose(by_scale[0], by_scale[2], atol=1e-5)


@pytest.mark.parametrize("fit", FITS)
def test_what_must_not_be_fitted_is_refused(fit) -> None:
    """Too few rows; labels that are always the top class; labels against the scores."""
    z, y = data(200)
    with pytest.raises(errors.FitError, match="CAL-501"):
        fit(z[:9], y[:9], scale=LOGIT)
    with pytest.raises(errors.FitError, match="CAL-505"):
        fit(z, z.argmax(axis=1), scale=LOGIT)
    with pytest.raises(errors.FitError, match="CAL-504"):
        fit(z, z.argmin(axis=1), scale=LOGIT)


def test_a_class_that_never_occurs() -> None:
    """Vector scaling refuses it, the structured fits shrink its probability and stay finite."""
    z, y = data(400, 4)
    keep = y != 3
    with pytest.raises(errors.FitError, match="CAL-541"):
        multiclass.fit_vector(z[keep], y[keep], scale=LOGIT)
    found = multiclass.fit_structured_matrix(z[keep], y[keep], scale=LOGIT)
    p = found.apply(z[keep])
    assert np.isfinite(np.log(p)).all()
    assert p[:, 3].mean() < 0.1


def test_zeros_among_the_scores_cost_no_infinite_loss() -> None:
    """A forest says 0 to a class that then happens: the fitted maps give it a chance."""
    rng = np.random.default_rng(5)
    votes = rng.multinomial(10, [0.5, 0.3, 0.2], size=500) / 10.0
    y = (rng.random(500)[:, None] > (0.7 * votes + 0.1).cumsum(axis=1)).sum(axis=1)
    assert (votes[np.arange(500), y] == 0).any()
    for fit in FITS:
        assert loss(fit(votes, y), votes, y) < 1.6
