"""Isotonic and centred isotonic maps: scikit-learn, the definition, the clipping."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from calibrant import errors
from calibrant.fitting import isotonic
from calibrant.stats import summary

ROWS = st.lists(st.tuples(st.integers(0, 15), st.booleans(), st.integers(1, 4)), min_size=12, max_size=60)


def columns(rows: list[tuple[int, bool, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p, y, w = (np.array(column, float) for column in zip(*rows, strict=True))
    return 0.02 + p / 16, y, w


@settings(max_examples=80, deadline=None)
@given(rows=ROWS)
def test_equals_scikit_learn_at_the_scores(rows: list[tuple[int, bool, int]]) -> None:
    """Weighted, with ties; afterwards clipped to [1/(n+2), 1-1/(n+2)] in effective rows."""
    p, y, w = columns(rows)
    n = w.sum() ** 2 / (w * w).sum()
    peer = IsotonicRegression(y_min=1 / (n + 2), y_max=1 - 1 / (n + 2)).fit(p, y, sample_weight=w).predict(p)
    try:
        found = isotonic.fit(summary.summarise(p, y, weights=w, grid="distinct"))
    except errors.FitError:
        assert n < 10 or len(set(y)) < 2 or np.ptp(peer) < 1e-12
        return
    np.testing.assert_allclose(found.apply(p), peer, atol=1e-12)


@settings(max_examples=80, deadline=None)
@given(rows=ROWS)
def test_centred_is_interpolation_between_block_means(rows: list[tuple[int, bool, int]]) -> None:
    """Oron and Flournoy 2017: each block at its weighted mean score; outside, the end values."""
    p, y, w = columns(rows)
    try:
        found = isotonic.fit_centered(summary.summarise(p, y, weights=w, grid="distinct"))
    except errors.FitError:
        return
    peer = IsotonicRegression().fit(p, y, sample_weight=w).predict(p)
    n = w.sum() ** 2 / (w * w).sum()
    values = np.unique(peer.round(9))
    blocks = [np.isclose(peer, value) for value in values]
    centres = [np.average(p[block], weights=w[block]) for block in blocks]
    at = np.linspace(0, 1, 101)
    expected = np.interp(at, centres, values.clip(1 / (n + 2), 1 - 1 / (n + 2)))
    np.testing.assert_allclose(found.apply(at), expected, atol=1e-9)


def test_a_step_lies_between_its_scores() -> None:
    """Half way between the last score below and the first above."""
    found = isotonic.fit(summary.summarise([0.2] * 10 + [0.6] * 10, [0] * 10 + [1] * 10, grid="distinct"))
    assert found.thresholds == (0.2, 0.4)
    assert found.apply([0.39, 0.41]).round(3).tolist() == [0.045, 0.955]


def test_neighbouring_doubles_can_be_parted() -> None:
    """Two scores with no double between them still get two values."""
    low, high = 0.3, float(np.nextafter(0.3, 1.0))
    found = isotonic.fit(summary.summarise([low] * 10 + [high] * 10, [0] * 10 + [1] * 10, grid="distinct"))
    assert found.apply([low, high]).round(3).tolist() == [0.045, 0.955]


@pytest.mark.parametrize("fit", [isotonic.fit, isotonic.fit_centered])
def test_scores_of_zero_and_one_cost_no_infinite_loss(fit: object) -> None:
    """Clipping in effective rows, also at the ends of the scale."""
    p = np.concatenate([np.zeros(50), np.ones(50)])
    q = fit(summary.summarise(p, p, grid="distinct")).apply([0.0, 1.0])  # type: ignore[operator]
    np.testing.assert_allclose(q, [1 / 102, 101 / 102])
