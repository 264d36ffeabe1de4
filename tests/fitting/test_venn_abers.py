"""Venn-Abers against its definition: two isotonic fits for every test score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from calibrant import errors
from calibrant.fitting import venn_abers
from calibrant.stats import summary


def brute(p: np.ndarray, y: np.ndarray, w: np.ndarray, at: float, label: int) -> float:
    """The definition: add the row (at, label), pool ties, fit isotonically, read the fit at the score."""
    scores, cell = np.unique(np.append(p, at), return_inverse=True)
    weights = np.bincount(cell, np.append(w, 1.0))
    means = np.bincount(cell, np.append(w * y, float(label))) / weights
    return float(isotonic_regression(means, weights=weights).x[np.searchsorted(scores, at)])


def both(p: np.ndarray, y: np.ndarray, w: np.ndarray, at: np.ndarray) -> tuple[list[float], list[float]]:
    return [brute(p, y, w, s, 0) for s in at], [brute(p, y, w, s, 1) for s in at]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=10, max_size=60),
    bottom=st.sampled_from([0.0, 0.2]),
)
def test_equals_brute_force_with_ties(rows: list[tuple[int, bool]], bottom: float) -> None:
    """At every score, in every gap, below and above all, and at the doubles next to a score."""
    p = np.array([bottom + (1.0 - 2.0 * bottom) * a / 12 for a, _ in rows])
    y = np.array([b for _, b in rows], float)
    if len(set(p)) < 2 or len(set(y)) < 2:
        return
    scores = np.unique(p)
    at = np.concatenate([scores, (scores[1:] + scores[:-1]) / 2, [0.0, 1.0], scores.clip(1e-9) * (1 - 1e-15)])
    at = np.concatenate([at, np.nextafter(scores[scores < 1], 2)])
    found = venn_abers.fit(summary.summarise(p, y, grid="distinct"))
    lower, upper = found.interval(at)
    expected = both(p, y, np.ones(len(p)), at)
    np.testing.assert_allclose(lower, expected[0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(upper, expected[1], rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.apply(at), upper / (1 - lower + upper), atol=1e-14)


def test_equals_brute_force_with_weights() -> None:
    """Weights count in effective rows, the added row counts as one."""
    rng = np.random.default_rng(3)
    p, w = rng.integers(0, 40, 300) / 40, rng.gamma(1.0, size=300)
    y = (rng.random(300) < p).astype(float)
    lower, upper = venn_abers.fit(summary.summarise(p, y, weights=7.0 * w, grid="distinct")).interval(np.unique(p))
    expected = both(p, y, w * w.sum() / (w * w).sum(), np.unique(p))
    np.testing.assert_allclose(lower, expected[0], atol=1e-12)
    np.testing.assert_allclose(upper, expected[1], atol=1e-12)


def test_on_the_dyadic_grid_a_cell_is_one_score() -> None:
    """Scores of one cell count as ties, with the cell's whole width."""
    rng = np.random.default_rng(4)
    p = rng.random(2000)
    y = (rng.random(2000) < p).astype(float)
    data = summary.summarise(p, y)
    lower, upper = venn_abers.fit(data).interval(data.score)
    tied = np.repeat(data.score, data.n)
    labels = np.concatenate([[1.0] * int(a) + [0.0] * int(n - a) for a, n in zip(data.wy, data.n, strict=True)])
    some = np.arange(0, len(data.n), 40)
    expected = both(tied, labels, np.ones(2000), data.score[some])
    np.testing.assert_allclose(lower[some], expected[0], atol=1e-12)
    np.testing.assert_allclose(upper[some], expected[1], atol=1e-12)


def test_one_of_the_two_is_calibrated() -> None:
    """The theorem's trace: on fresh rows the base rate lies between the mean p0 and the mean p1."""
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(40):
        p = rng.random(600)
        y = (rng.random(600) < p**2).astype(float)
        found = venn_abers.fit(summary.summarise(p[:300], y[:300], grid="distinct"))
        lower, upper = found.interval(p[300:])
        slack = 3.0 * np.sqrt(0.25 / 300)
        inside += lower.mean() - slack <= y[300:].mean() <= upper.mean() + slack
    assert inside >= 38


def test_never_certain() -> None:
    """The merged answer stays inside (0, 1): no infinite log loss, even with perfectly separated classes."""
    p = np.linspace(0.01, 0.99, 100)
    found = venn_abers.fit(summary.summarise(p, p > 0.5, grid="distinct"))
    q = found.apply([0.0, 0.005, *p, 1.0])
    assert 0.0 < q.min() < q.max() < 1.0


def test_refuses_one_class() -> None:
    """One class only is an error, as for every fit."""
    with pytest.raises(errors.FitError, match="CAL-502"):
        venn_abers.fit(summary.summarise(np.linspace(0, 1, 50), np.ones(50)))
