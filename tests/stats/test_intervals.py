"""Intervals of shares: published values, independent libraries, invariances and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from calibrant import errors
from calibrant.stats import intervals


@pytest.mark.parametrize("method", ["wilson", "exact"])
@pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 30), (1, 1), (3, 10), (7, 7), (81, 263), (9_999, 10_000)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_equal_to_scipy(method: str, k: int, n: int, level: float) -> None:
    """Both intervals equal scipy.stats.binomtest to 1e-9."""
    ours = (intervals.wilson if method == "wilson" else intervals.clopper_pearson)(k, n, level=level)
    theirs = scipy_stats.binomtest(k, n).proportion_ci(level, method=method)
    assert np.allclose(ours, (theirs.low, theirs.high), rtol=0, atol=1e-9)


def test_newcombe_table() -> None:
    """Newcombe 1998, table II, method 10, examples (a) to (h): 56/70 - 48/80 and so on."""
    rows = [(56, 70, 48, 80), (9, 10, 3, 10), (6, 7, 2, 7), (5, 56, 0, 29), (0, 10, 0, 20), (0, 10, 0, 10)]
    published = [(0.0524, 0.3339), (0.1705, 0.8090), (0.0582, 0.8062), (-0.0381, 0.1926), (-0.1611, 0.2775)]
    published += [(-0.2775, 0.2775)]
    a, m, b, n = np.array(rows).T
    low, high = intervals.newcombe((b, a), (n, m))
    assert np.allclose(np.stack([low, high], 1), published, atol=5e-5)


def test_no_trials_say_nothing() -> None:
    """Without a trial the interval is all of [0, 1]."""
    for method in (intervals.wilson, intervals.clopper_pearson):
        assert [float(end) for end in method(0, 0)] == [0.0, 1.0]


@given(
    w=st.lists(st.floats(0.1, 10.0), min_size=2, max_size=30),
    scale=st.floats(1e-3, 1e3),
    positives=st.integers(0, 30),
)
def test_the_unit_of_weights_does_not_matter(w: list[float], scale: float, positives: int) -> None:
    """Multiplying every weight by a constant changes no interval."""
    weights = np.array(w)
    y = np.arange(len(w)) < positives
    ends = []
    for each in (weights, weights * scale):
        s, n = intervals.effective_counts((each * y).sum(), each.sum(), (each**2).sum())
        ends.append(intervals.wilson(s, n))
    assert np.allclose(ends[0], ends[1], atol=1e-9)


@given(k=st.floats(0.0, 50.0), extra=st.floats(0.0, 50.0))
def test_fractional_counts_are_nested_and_symmetric(k: float, extra: float) -> None:
    """Wilson lies around the share; failures in place of successes mirror both intervals; wider level, wider ends."""
    n = k + extra
    for method in (intervals.wilson, intervals.clopper_pearson):
        low, high = method(k, n)
        wide_low, wide_high = method(k, n, level=0.99)
        mirrored_low, mirrored_high = method(extra, n)
        assert 0.0 <= wide_low <= low <= high <= wide_high <= 1.0
        assert np.allclose((mirrored_low, mirrored_high), (1 - high, 1 - low), atol=1e-7)
        if n > 0:
            assert low <= k / n + 1e-12
            assert k / n <= high + 1e-12


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (np.nan, 5), (1, np.inf)])
def test_impossible_counts_are_refused(k: float, n: float) -> None:
    """More successes than trials, negative or non-finite counts raise CAL-331."""
    with pytest.raises(errors.ValueRangeError, match="CAL-331"):
        intervals.wilson(k, n)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, float("nan")])
def test_impossible_levels_are_refused(level: float) -> None:
    """A level outside (0, 1), such as 95, raises CAL-451."""
    with pytest.raises(errors.UsageError, match="CAL-451"):
        intervals.clopper_pearson(1, 2, level=level)


@pytest.mark.parametrize("n", [10, 50, 200])
def test_coverage(n: int) -> None:
    """Exact coverage, summed over all outcomes: Clopper-Pearson >= 95 % everywhere, Wilson 95 % +- 1.5 % on average."""
    k = np.arange(n + 1)
    shares = np.linspace(0.02, 0.98, 97)
    chance = scipy_stats.binom.pmf(k[None, :], n, shares[:, None])
    low, high = intervals.clopper_pearson(k, n)
    exact = (chance * ((low <= shares[:, None]) & (shares[:, None] <= high))).sum(1)
    low, high = intervals.wilson(k, n)
    wilson = (chance * ((low <= shares[:, None]) & (shares[:, None] <= high))).sum(1)
    assert exact.min() >= 0.95 - 1e-12
    assert abs(wilson.mean() - 0.95) < 0.015
