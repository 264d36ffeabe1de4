"""Distances between samples of scores: scipy's values, laws of a distance, validity of the p-value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.spatial.distance import jensenshannon

from calibrant import errors
from calibrant.stats import distance, results, summary


def draw(seed: int, n: int, *, a: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores with ties, and weights."""
    rng = np.random.default_rng(seed)
    return np.round(rng.beta(a, 2.0, n), rng.integers(1, 5)), rng.gamma(2.0, 1.0, n)


def of(p: np.ndarray, w: np.ndarray | None = None, *, grid: summary.Grid = "distinct") -> summary.Summary:
    """A summary; labels play no part in these distances."""
    return summary.summarise(p, np.zeros(len(p)), weights=w, grid=grid)


def value(found: results.Measured) -> float:
    """The number, which must be there."""
    assert isinstance(found, results.Estimate)
    return found.value


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 200), m=st.integers(2, 200))
def test_equal_to_scipy(seed: int, n: int, m: int) -> None:
    """KS and its asymptotic p-value, Wasserstein (weighted) and Jensen-Shannon are scipy's."""
    (p, w), (q, v) = draw(seed, n), draw(seed + 1, m, a=1.5)
    ks = distance.kolmogorov_smirnov(of(p), of(q))
    assert isinstance(ks, distance.KolmogorovSmirnov)
    theirs = scipy_stats.ks_2samp(p, q, method="asymp")
    assert ks.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    assert ks.p_value == pytest.approx(scipy_stats.kstwobign.sf(np.sqrt(n * m / (n + m)) * theirs.statistic), abs=1e-9)
    moved = scipy_stats.wasserstein_distance(p, q, w, v)
    assert value(distance.wasserstein(of(p, w), of(q, v))) == pytest.approx(moved, abs=1e-9)
    first, second = (np.bincount((each * 60).astype(int), minlength=61) for each in (p, q))
    js = jensenshannon(first, second, base=2.0) ** 2
    assert value(distance.jensen_shannon(of(p), of(q))) == pytest.approx(js, abs=1e-9)


def test_psi_by_hand() -> None:
    """PSI over ten reference deciles of a continuous score, smoothed by half a row, as its definition says."""
    rng = np.random.default_rng(1)
    p, q = rng.random(5_000), rng.beta(1.3, 1.0, 4_000)
    edges = np.quantile(p, np.arange(1, 10) / 10)
    r = np.bincount(np.searchsorted(edges, p), minlength=10) + 0.5
    c = np.bincount(np.searchsorted(edges, q), minlength=10) + 0.5
    r, c = r / r.sum(), c / c.sum()
    assert value(distance.psi(of(p), of(q))) == pytest.approx(np.sum((c - r) * np.log(c / r)), rel=0.01)


def test_psi_of_two_bins_exactly() -> None:
    """Two scores, 50:50 against 80:20: the closed form."""
    r, c = np.repeat([0.2, 0.7], [50, 50]), np.repeat([0.2, 0.7], [80, 20])
    shares = np.array([50.5, 50.5]) / 101, np.array([80.5, 20.5]) / 101
    expected = np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0]))
    assert value(distance.psi(of(r), of(c), bins=2)) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), unit=st.floats(1e-3, 1e3))
def test_laws(seed: int, unit: float) -> None:
    """A sample is at no distance from itself; the unit of weights does not matter; W1 bounds the means."""
    (p, w), (q, v) = draw(seed, 80), draw(seed + 1, 60, a=1.5)
    measures = (distance.psi, distance.jensen_shannon, distance.wasserstein)
    for measure in measures:
        assert value(measure(of(p, w), of(p, w))) == pytest.approx(0.0, abs=1e-12)
        plain = value(measure(of(p, w), of(q, v)))
        assert plain >= 0.0
        assert value(measure(of(p, unit * w), of(q, v / unit))) == pytest.approx(plain, abs=1e-9)
    for measure in measures[1:]:
        turned = value(measure(of(q, v), of(p, w)))
        assert turned == pytest.approx(value(measure(of(p, w), of(q, v))), abs=1e-9)
    apart = abs(np.average(p, weights=w) - np.average(q, weights=v))
    assert value(distance.wasserstein(of(p, w), of(q, v))) >= apart - 1e-12


def test_the_grid_changes_little() -> None:
    """On the dyadic grid KS and Wasserstein stay within .01 and .001; Jensen-Shannon is the same."""
    rng = np.random.default_rng(2)
    p, q = rng.beta(1.0, 2.0, 5_000), rng.beta(1.2, 2.0, 5_000)
    exact, coarse = (of(p), of(q)), (of(p, grid="dyadic"), of(q, grid="dyadic"))
    assert value(distance.wasserstein(*coarse)) == pytest.approx(value(distance.wasserstein(*exact)), abs=1e-3)
    assert value(distance.jensen_shannon(*coarse)) == pytest.approx(value(distance.jensen_shannon(*exact)), abs=1e-12)
    ks = [distance.kolmogorov_smirnov(*pair) for pair in (coarse, exact)]
    assert isinstance(ks[0], distance.KolmogorovSmirnov)
    assert isinstance(ks[1], distance.KolmogorovSmirnov)
    assert ks[1].statistic - 0.01 <= ks[0].statistic <= ks[1].statistic + 1e-12


def test_base_rates() -> None:
    """The change is current less reference; equal weights of any size change nothing."""
    first = summary.summarise(np.full(80, 0.5), np.arange(80) < 48)
    second = summary.summarise(np.full(70, 0.5), np.arange(70) < 56, weights=np.full(70, 9.0))
    found = distance.base_rate_change(first, second)
    assert isinstance(found, results.Estimate)
    assert [found.value, found.low, found.high] == pytest.approx([0.2, 0.0524, 0.3339], abs=5e-5)


def test_base_rate_p_value_is_pearsons() -> None:
    """The p-value is scipy's chi-squared test without correction; one label or no rows give 1."""
    first = summary.summarise(np.full(80, 0.5), np.arange(80) < 48)
    second = summary.summarise(np.full(70, 0.5), np.arange(70) < 56)
    theirs = scipy_stats.chi2_contingency([[48, 32], [56, 14]], correction=False)
    assert distance.base_rate_p_value(first, second) == pytest.approx(theirs.pvalue, abs=1e-12)
    assert distance.base_rate_p_value(first, summary.empty()) == 1.0
    negatives = summary.summarise([0.5, 0.5], [0, 0])
    assert distance.base_rate_p_value(negatives, negatives) == 1.0


def test_what_cannot_be_compared() -> None:
    """Different grids and one bin are errors; empty summaries are Insufficient."""
    p, _ = draw(3, 50)
    with pytest.raises(errors.UsageError, match="CAL-455"):
        distance.wasserstein(of(p), of(p, grid="dyadic"))
    with pytest.raises(errors.UsageError, match="CAL-456"):
        distance.psi(of(p), of(p), bins=1)
    nothing = summary.empty("distinct")
    for measure in (
        distance.psi,
        distance.jensen_shannon,
        distance.wasserstein,
        distance.kolmogorov_smirnov,
        distance.base_rate_change,
    ):
        assert isinstance(measure(of(p), nothing), results.Insufficient)


def test_no_drift_is_not_called_drift() -> None:
    """300 pairs of one distribution: KS rejects at 5 % in at most 8 %, base-rate intervals hold 0 in 92 to 98 %."""
    rng = np.random.default_rng(4)
    rejected = held = 0
    for _ in range(300):
        pair = [summary.summarise(p, rng.random(len(p)) < p) for p in (rng.random(400), rng.random(300))]
        ks = distance.kolmogorov_smirnov(*pair)
        assert isinstance(ks, distance.KolmogorovSmirnov)
        rejected += ks.p_value < 0.05
        change = distance.base_rate_change(*pair)
        assert isinstance(change, results.Estimate)
        assert change.low is not None
        assert change.high is not None
        held += change.low <= 0.0 <= change.high
    assert rejected / 300 <= 0.08
    assert 0.92 <= held / 300 <= 0.98
