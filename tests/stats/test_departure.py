"""How far slope and intercept move the scores, and the test with a tolerance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import linear_model

from calibrant.calibrators.scales import expit, logit
from calibrant.stats import departure, summary


def stack(n: int, groups: int, truth, seed: int = 0) -> tuple[summary.Summary, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 3, n * groups)
    y = rng.random(n * groups) < truth(p)
    codes = np.repeat(np.arange(groups), n)
    moved = np.abs(truth(p) - p).reshape(groups, n).mean(axis=1)
    return summary.summarise(p, y, groups=codes, group_count=groups), moved


def test_value_is_the_mean_move_of_the_fitted_line():
    """Against scikit-learn's unpenalised logistic regression, row by row."""
    rng = np.random.default_rng(3)
    p = rng.beta(2, 2, 3000)
    y = rng.random(3000) < expit(0.4 + 0.6 * logit(p))
    line = linear_model.LogisticRegression(C=np.inf, tol=1e-10).fit(logit(p)[:, None], y)
    expected = np.abs(line.predict_proba(logit(p)[:, None])[:, 1] - p).mean()
    found = departure.by_group(summary.summarise(p, y, grid="distinct"))
    assert found.value[0] == pytest.approx(expected, abs=1e-6)
    assert found.slope[0] == pytest.approx(line.coef_[0, 0], abs=1e-5)


@pytest.mark.parametrize("n", [200, 1000, 5000])
def test_calibrated_rows_are_hardly_ever_beyond_the_tolerance(n):
    """Far inside the null the test is conservative."""
    data, _ = stack(n, 1000 if n < 5000 else 200, lambda p: p)
    assert (departure.by_group(data).p_beyond(0.02) < 0.05).mean() <= 0.05


@pytest.mark.parametrize("slope", [0.875, 1.14])
def test_at_the_edge_the_level_is_about_kept(slope):
    """Where the true departure is the tolerance itself, rejection at 5 % stays below 9 %."""
    data, moved = stack(3000, 300, lambda p: expit(slope * logit(p)), 1)
    found = departure.by_group(data)
    assert (found.p_beyond(moved.mean()) < 0.05).mean() <= 0.09


def test_upper_bound_covers():
    """The one-sided 95 % bound lies above the truth in at least about 95 of 100 samples."""
    data, moved = stack(2000, 400, lambda p: expit(0.3 + 0.8 * logit(p)), 2)
    assert (departure.by_group(data).upper(0.95) >= moved).mean() >= 0.93


def test_where_no_line_can_be_fitted_nothing_is_known():
    """One class: no value, no rejection, an infinite bound."""
    found = departure.by_group(summary.summarise(np.linspace(0.1, 0.9, 50), np.zeros(50, int)))
    assert not found.known[0]
    assert found.p_beyond(0.02)[0] == 1.0
    assert found.upper(0.95)[0] == np.inf


@settings(max_examples=20)
@given(st.floats(0.01, 100.0), st.integers(0, 1000))
def test_the_unit_of_weights_does_not_matter(factor, seed):
    """w -> c w changes neither value nor error."""
    rng = np.random.default_rng(seed)
    p, w = rng.random(200), rng.random(200) + 0.5
    y = rng.random(200) < p
    one, other = (departure.by_group(summary.summarise(p, y, weights=w * c)) for c in (1.0, factor))
    np.testing.assert_allclose(one.value, other.value, rtol=1e-6)
    np.testing.assert_allclose(one.standard_error, other.standard_error, rtol=1e-6)
