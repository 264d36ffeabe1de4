"""Binned errors: against plain loops over rows, ties, weights, groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest

from calibrant import errors
from calibrant.stats import binned, results, summary

Floats = NDArray[np.float64]
seeds = st.integers(0, 10_000)


def sample(seed: int, n: int = 300) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.7, 1.5, n)
    p[: n // 3] = np.round(p[: n // 3], 1)  # ties, on the edges of bins
    return p, (rng.random(n) < p).astype(float), rng.uniform(0.2, 5.0, n)


def value(measured: results.Measured) -> float:
    assert isinstance(measured, results.Estimate)
    return measured.value


def plain(p: Floats, y: Floats, w: Floats, count: int) -> list[tuple[float, float]]:
    """Weight share and gap of each equal-width bin, by a loop."""
    edges = np.arange(count + 1) / count
    found = []
    for b in range(count):
        inside = (p >= edges[b]) & ((p < edges[b + 1]) if b < count - 1 else (p <= 1.0))
        if inside.any():
            gap = abs(np.average(y[inside], weights=w[inside]) - np.average(p[inside], weights=w[inside]))
            found.append((float(w[inside].sum() / w.sum()), float(gap)))
    return found


@pytest.mark.parametrize("grid", ["dyadic", "distinct"])
@pytest.mark.parametrize("count", [1, 10, 15, 20, 60])
def test_loop_over_rows(grid: summary.Grid, count: int) -> None:
    """ECE and MCE with weights and ties equal a loop over bins, on both grids."""
    p, y, w = sample(0)
    p[:2] = [0.0, 1.0]
    bins = plain(p, y, w, count)
    one = summary.summarise(p, y, weights=w, grid=grid)
    assert value(binned.ece(one, count=count)) == pytest.approx(sum(share * gap for share, gap in bins), abs=1e-12)
    assert value(binned.mce(one, count=count)) == pytest.approx(max(gap for _, gap in bins), abs=1e-12)


def test_any_count_on_the_distinct_grid() -> None:
    """There is no reason to insist on divisors of 60 where every score is known."""
    p, y, w = sample(1)
    one = summary.summarise(p, y, weights=w, grid="distinct")
    expected = sum(share * gap for share, gap in plain(p, y, w, 7))
    assert value(binned.ece(one, count=7)) == pytest.approx(expected, abs=1e-12)


def test_bins_against_rows() -> None:
    """Counts, means and Wilson ends of the occupied bins; the Wilson ends are scipy's."""
    p = np.repeat([0.05, 0.55, 1.0], [10, 20, 5])
    y = np.concatenate([np.arange(10) < 2, np.arange(20) < 9, np.ones(5)]).astype(float)
    found = binned.equal_width(summary.summarise(p, y), count=10)
    np.testing.assert_array_equal(found.n, [10, 20, 5])
    np.testing.assert_allclose(found.score, [0.05, 0.55, 1.0])
    np.testing.assert_allclose(found.rate, [0.2, 0.45, 1.0])
    np.testing.assert_allclose([found.low, found.high], [[0.0, 0.5, 0.9], [0.1, 0.6, 1.0]])
    for b, (hits, n) in enumerate(((2, 10), (9, 20), (5, 5))):
        ends = binomtest(hits, n).proportion_ci(method="wilson")
        np.testing.assert_allclose([found.rate_low[b], found.rate_high[b]], [ends.low, ends.high], atol=1e-9)


@pytest.mark.parametrize("grid", ["dyadic", "distinct"])
@given(seed=seeds, count=st.integers(1, 20))
@settings(max_examples=25, deadline=None)
def test_equal_mass(grid: summary.Grid, seed: int, count: int) -> None:
    """Bins are in order and do not overlap, no score is in two, and none is much heavier than its share."""
    p, y, w = sample(seed)
    found = binned.equal_mass(summary.summarise(p, y, weights=w, grid=grid), count=count)
    assert (found.low[1:] > found.high[:-1]).all()
    assert ((found.low <= found.score + 1e-12) & (found.score <= found.high + 1e-12)).all()
    assert found.n.sum() == len(p)
    one = summary.summarise(p, y, weights=w, grid=grid)
    assert (found.w <= w.sum() / count + one.w.max() + 1e-9).all()


def test_equal_mass_without_ties_is_even() -> None:
    """Without ties and with n divisible by the count the bins are exactly even, and ACE is a loop over chunks."""
    rng = np.random.default_rng(2)
    p = np.sort(rng.random(200))
    y = (rng.random(200) < p).astype(float)
    one = summary.summarise(p, y, grid="distinct")
    np.testing.assert_array_equal(binned.equal_mass(one, count=20).n, np.full(20, 10))
    expected = np.abs(y.reshape(20, 10).mean(1) - p.reshape(20, 10).mean(1)).mean()
    assert value(binned.ace(one, count=20)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("grid", ["dyadic", "distinct"])
@given(seed=seeds, unit=st.floats(0.01, 100.0))
@settings(max_examples=20, deadline=None)
def test_invariances(grid: summary.Grid, seed: int, unit: float) -> None:
    """Neither the unit of weight, nor row order, nor cutting into parts changes a binned error."""
    p, y, w = sample(seed, 120)
    order = np.random.default_rng(seed).permutation(120)
    whole = summary.summarise(p, y, weights=w, grid=grid)
    others = (
        summary.summarise(p, y, weights=unit * w, grid=grid),
        summary.summarise(p[order], y[order], weights=w[order], grid=grid),
        summary.summarise(p[:50], y[:50], weights=w[:50], grid=grid)
        + summary.summarise(p[50:], y[50:], weights=w[50:], grid=grid),
    )
    for measure in (binned.ece, binned.ace, binned.mce):
        for other in others:
            assert value(measure(other)) == pytest.approx(value(measure(whole)), abs=1e-9)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_groups(seed: int) -> None:
    """ECE of all groups at once is that of each group alone."""
    p, y, w = sample(seed, 90)
    stacked = summary.summarise(p, y, weights=w, groups=np.arange(90) % 4)
    alone = [value(binned.ece(one)) for one in stacked.groups()]
    np.testing.assert_allclose(binned.ece_by_group(stacked), alone, atol=1e-12)


def test_a_perfect_table_has_no_error() -> None:
    """Where rates equal scores in every bin all three are 0."""
    p = np.repeat([0.25, 0.75], 4)
    one = summary.summarise(p, [0, 0, 0, 1, 0, 1, 1, 1])
    assert [value(measure(one)) for measure in (binned.ece, binned.ace, binned.mce)] == [0.0, 0.0, 0.0]


def test_no_rows_and_no_bins() -> None:
    """No rows are insufficient; no bins are wrong use; seven bins are not on the dyadic grid."""
    for measure in (binned.ece, binned.ace, binned.mce):
        assert measure(summary.empty()) == results.Insufficient(0, 1)
        with pytest.raises(errors.UsageError, match="CAL-461"):
            measure(summary.summarise([0.5], [1]), count=0)
    assert len(binned.equal_width(summary.empty()).n) == 0
    with pytest.raises(errors.UsageError, match="CAL-404"):
        binned.ece(summary.summarise([0.5], [1]), count=7)
