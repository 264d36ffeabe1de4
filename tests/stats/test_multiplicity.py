"""Benjamini-Hochberg and e-BH: published and scipy values, invariances, the promised rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from calibrant import errors
from calibrant.stats import multiplicity

SHARES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40)


def test_the_example_of_the_paper() -> None:
    """Benjamini and Hochberg 1995, section 4: fifteen p-values, the four smallest are rejected at .05."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    p += [0.7590, 1.0000]
    assert (multiplicity.benjamini_hochberg(p) <= 0.05).tolist() == [True] * 4 + [False] * 11


@given(p=SHARES)
def test_equal_to_scipy(p: list[float]) -> None:
    """The adjusted p-values are scipy's."""
    ours = multiplicity.benjamini_hochberg(p)
    assert np.allclose(ours, scipy_stats.false_discovery_control(p), atol=1e-12)


@given(p=SHARES, seed=st.integers(0, 99))
def test_order_and_missing_tests_do_not_matter(p: list[float], seed: int) -> None:
    """Shuffling shuffles the answer; a NaN stays NaN and changes no other entry."""
    shuffled = np.random.default_rng(seed).permutation(len(p))
    plain = multiplicity.benjamini_hochberg(p)
    assert np.allclose(multiplicity.benjamini_hochberg(np.array(p)[shuffled]), plain[shuffled])
    with_gap = multiplicity.benjamini_hochberg([*p, float("nan")])
    assert np.isnan(with_gap[-1])
    assert np.allclose(with_gap[:-1], plain)


@given(e=st.lists(st.floats(0.0, 1e6), min_size=1, max_size=40), rate=st.floats(0.01, 0.5))
def test_e_bh_is_bh_on_reciprocals(e: list[float], rate: float) -> None:
    """e-BH at rate q rejects what BH at q rejects for p = 1/e (without the cut at 1)."""
    values = np.sort(e)[::-1]
    k = max((i + 1 for i in range(len(e)) if (i + 1) * values[i] * rate >= len(e)), default=0)
    rejected = multiplicity.e_bh(e, rate=rate)
    assert rejected.sum() == k
    assert k == 0 or np.array(e)[rejected].min() >= np.max(np.array(e)[~rejected], initial=0.0)


def test_impossible_values_are_refused() -> None:
    """Statistics in place of p-values, logarithms in place of e-values and a rate of 5 are errors."""
    with pytest.raises(errors.ValueRangeError, match="CAL-332"):
        multiplicity.benjamini_hochberg([0.1, 2.3])
    with pytest.raises(errors.ValueRangeError, match="CAL-333"):
        multiplicity.e_bh([-0.5, 2.0], rate=0.05)
    with pytest.raises(errors.UsageError, match="CAL-452"):
        multiplicity.e_bh([2.0], rate=5)


def test_no_tests_no_discoveries() -> None:
    """Empty arrays come back empty."""
    assert multiplicity.benjamini_hochberg([]).shape == (0,)
    assert multiplicity.e_bh([], rate=0.05).shape == (0,)


def test_false_discovery_rate() -> None:
    """With 80 of 100 hypotheses true the mean share of false discoveries stays at or below q, for both rules."""
    rng = np.random.default_rng(7)
    shares: list[list[float]] = [[], []]
    for _ in range(1_000):
        z = rng.normal(size=100) + np.where(np.arange(100) < 20, 3.0, 0.0)
        p = scipy_stats.norm.sf(z)
        e = np.exp(3.0 * z - 4.5)
        for found, kept in zip(
            (multiplicity.benjamini_hochberg(p) <= 0.1, multiplicity.e_bh(e, rate=0.1)), shares, strict=True
        ):
            kept.append(found[20:].sum() / max(found.sum(), 1))
    assert 0.06 < np.mean(shares[0]) <= 0.085  # exactly q times the share of true hypotheses, .08
    assert np.mean(shares[1]) <= 0.1
