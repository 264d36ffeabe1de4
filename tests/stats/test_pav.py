"""Pooling adjacent violators against two independent computations."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.stats import pav

ENTRIES = st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0.0625, 8, width=32)), min_size=1, max_size=25)


@settings(deadline=None)
@given(ENTRIES)
def test_min_max_formula(entries: list[tuple[float, float]]) -> None:
    """The fit at i is max over a <= i of min over b >= i of the mean of a..b (Ayer et al. 1955)."""
    means, weights = np.array(entries).T
    cw, cs = np.append(0.0, np.cumsum(weights)), np.append(0.0, np.cumsum(weights * means))
    k = len(means)
    mean = [[(cs[b + 1] - cs[a]) / (cw[b + 1] - cw[a]) if b >= a else np.inf for b in range(k)] for a in range(k)]
    expected = [max(min(mean[a][i:]) for a in range(i + 1)) for i in range(k)]
    np.testing.assert_allclose(pav.pool(means, weights).fitted, expected, atol=1e-9)


@settings(deadline=None)
@given(ENTRIES)
def test_blocks_describe_the_fit(entries: list[tuple[float, float]]) -> None:
    """Starts, values and weights of the blocks say the same as the fitted values; values increase."""
    means, weights = np.array(entries).T
    found = pav.pool(means, weights)
    lengths = np.diff(np.append(found.starts, len(means)))
    np.testing.assert_allclose(np.repeat(found.values, lengths), found.fitted)
    np.testing.assert_allclose(np.add.reduceat(weights, found.starts), found.weights)
    assert (np.diff(found.values) >= 0).all()


def test_scikit_learn() -> None:
    """Equal to scikit-learn's isotonic regression, weights included."""
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(3)
    means, weights = rng.random(500) + np.linspace(0, 1, 500), rng.uniform(0.1, 3.0, 500)
    theirs = IsotonicRegression().fit_transform(np.arange(500), means, sample_weight=weights)
    np.testing.assert_allclose(pav.pool(means, weights).fitted, theirs, atol=1e-12)
