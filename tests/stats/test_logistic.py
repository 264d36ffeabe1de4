"""Logistic regression of grouped labels: against scikit-learn, against closed forms, and many lines at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibrant.stats import logistic

Floats = NDArray[np.float64]


def sample(seed: int, k: int = 200, d: int = 3) -> tuple[Floats, Floats, Floats]:
    """Design with an intercept, label sums and weights."""
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(k), rng.normal(size=(k, d - 1))])
    weights = rng.uniform(0.5, 4.0, k)
    labels = rng.random(k) < 1.0 / (1.0 + np.exp(-design @ np.linspace(-0.5, 1.0, d)))
    return design, weights * labels, weights


def test_scikit_learn() -> None:
    """Coefficients of an unpenalised weighted fit."""
    from sklearn.linear_model import LogisticRegression

    design, label_sums, weights = sample(0)
    theirs = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(
        design[:, 1:], label_sums > 0, sample_weight=weights
    )
    found = logistic.fit(design, label_sums, weights)
    assert found.converged
    np.testing.assert_allclose(found.coefficients, [theirs.intercept_[0], *theirs.coef_[0]], atol=1e-7)


def test_saturated_model_in_closed_form() -> None:
    """Two cells, two columns: the difference of log-odds, and the sum of inverse cell counts as its variance."""
    found = logistic.fit(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([30.0, 60.0]), np.array([100.0, 80.0]))
    np.testing.assert_allclose(found.coefficients, [np.log(30 / 70), np.log(60 / 20) - np.log(30 / 70)], rtol=1e-9)
    np.testing.assert_allclose(found.covariance[0, 0], 1 / 30 + 1 / 70, rtol=1e-6)
    np.testing.assert_allclose(found.covariance[1, 1], 1 / 30 + 1 / 70 + 1 / 60 + 1 / 20, rtol=1e-6)
    np.testing.assert_allclose(found.covariance[0, 1], -(1 / 30 + 1 / 70), rtol=1e-6)


def test_offset_is_part_of_the_log_odds() -> None:
    """An offset of b times a column lowers that column's coefficient by b and changes nothing else."""
    design, label_sums, weights = sample(1)
    free = logistic.fit(design, label_sums, weights)
    held = logistic.fit(design, label_sums, weights, offset=0.7 * design[:, 1])
    np.testing.assert_allclose(held.coefficients + np.array([0.0, 0.7, 0.0]), free.coefficients, atol=1e-8)


@given(st.integers(0, 1000), st.floats(0.01, 100.0))
@settings(max_examples=25, deadline=None)
def test_unit_of_weight(seed: int, unit: float) -> None:
    """Weights times c: the same coefficients, the covariance divided by c."""
    design, label_sums, weights = sample(seed)
    found = logistic.fit(design, label_sums, weights)
    scaled = logistic.fit(design, unit * label_sums, unit * weights)
    np.testing.assert_allclose(scaled.coefficients, found.coefficients, atol=1e-5)
    np.testing.assert_allclose(scaled.covariance * unit, found.covariance, rtol=1e-3)


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_grouped_rows_are_rows(seed: int) -> None:
    """Equal rows as one cell with their total weight give the fit of the rows."""
    rng = np.random.default_rng(seed)
    x = rng.choice([-1.0, 0.0, 0.5, 2.0], 300)
    y = rng.random(300) < 1 / (1 + np.exp(-x))
    rows = logistic.fit(np.column_stack([np.ones(300), x]), y.astype(float), np.ones(300))
    values, where = np.unique(x, return_inverse=True)
    cells = logistic.fit(
        np.column_stack([np.ones(4), values]), np.bincount(where, y), np.bincount(where).astype(np.float64)
    )
    np.testing.assert_allclose(cells.coefficients, rows.coefficients, atol=1e-8)
    np.testing.assert_allclose(cells.covariance, rows.covariance, rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "label_sums"),
    [([-1.0, 1.0], [0.0, 10.0]), ([-1.0, 1.0], [10.0, 10.0]), ([1.0, 1.0], [3.0, 5.0])],
    ids=["separated", "one class", "one distinct score"],
)
def test_no_finite_maximum_is_not_converged(x: list[float], label_sums: list[float]) -> None:
    """Separated classes and collinear columns are told, in both forms, without a warning."""
    column, sums, weights = np.array(x), np.array(label_sums), np.full(2, 10.0)
    alone = logistic.fit(np.column_stack([np.ones(2), column]), sums, weights)
    assert not alone.converged
    assert np.isinf(alone.covariance).all()
    lines = logistic.fit_lines(column, sums, weights, np.array([0]))
    assert not lines.converged[0]
    assert np.isinf(lines.covariance).all()


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_many_lines_are_each_line_alone(seed: int) -> None:
    """Groups of very different sizes and slopes: coefficients, covariances and convergence of each alone."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 60, 12)
    x = rng.normal(size=sizes.sum())
    slopes = np.repeat(rng.uniform(-2, 3, 12), sizes)
    weights = rng.uniform(0.5, 5.0, len(x))
    label_sums = weights * (rng.random(len(x)) < 1 / (1 + np.exp(-slopes * x)))
    starts = np.append(0, np.cumsum(sizes)[:-1])
    lines = logistic.fit_lines(x, label_sums, weights, starts)
    for g, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        part = slice(start, start + size)
        alone = logistic.fit(np.column_stack([np.ones(size), x[part]]), label_sums[part], weights[part])
        assert lines.converged[g] == alone.converged
        if alone.converged:
            np.testing.assert_allclose(lines.coefficients[g], alone.coefficients, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(lines.covariance[g], alone.covariance, rtol=1e-3)


def test_a_separated_group_does_not_touch_the_others() -> None:
    """One group without a maximum leaves its neighbour's fit as it was."""
    x = np.array([-1.0, 1.0, -1.0, 1.0])
    label_sums, weights = np.array([0.0, 10.0, 3.0, 6.0]), np.full(4, 10.0)
    lines = logistic.fit_lines(x, label_sums, weights, np.array([0, 2]))
    np.testing.assert_array_equal(lines.converged, [False, True])
    low, high = np.log(3 / 7), np.log(6 / 4)
    np.testing.assert_allclose(lines.coefficients[1], [(low + high) / 2, (high - low) / 2], atol=1e-9)
