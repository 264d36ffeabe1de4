"""Counts: their closed forms, their intervals, and false alarms under peeking."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from calibrant import errors
from calibrant.stats.sequential import counts


def test_sample_ratio_by_quadrature_and_scipy() -> None:
    """The e-value is the beta mixture of likelihood ratios; one look is scipy's chi-squared test."""
    found = counts.sample_ratio(60, 90, planned=0.5)
    prior = stats.beta(100.0, 100.0)
    expected, _ = integrate.quad(
        lambda q: prior.pdf(q) * (2 * q) ** 60 * (2 * (1 - q)) ** 90, 0.2, 0.8, points=[0.4, 0.5]
    )
    assert found.e_value == pytest.approx(expected, rel=1e-6)
    assert found.p_value == pytest.approx(min(1.0, 1.0 / expected))
    assert found.one_look == pytest.approx(stats.chisquare([60, 90]).pvalue)
    assert found.share == 0.4


def test_rate_above_by_quadrature() -> None:
    """The mixture over rates above the limit."""
    prior = stats.beta(0.5, 0.5)
    inside = lambda q: prior.pdf(q) * (q / 0.1) ** 9 * ((1 - q) / 0.9) ** 31  # noqa: E731
    expected = integrate.quad(inside, 0.1, 1.0)[0] / prior.sf(0.1)
    assert counts.rate_above(9, 40, limit=0.1) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("call", [
    lambda: counts.sample_ratio(0, 0).e_value,
    lambda: counts.rate_above(0, 0, limit=0.1),
])  # fmt: skip
def test_nothing_seen_is_no_evidence(call: object) -> None:
    """e = 1 before the first row."""
    assert call() == pytest.approx(1.0)  # type: ignore[operator]


def test_large_counts_stay_numbers() -> None:
    """A billion units: infinite evidence where it is, none where it is not, and no NaN."""
    assert counts.sample_ratio(6 * 10**8, 4 * 10**8).p_value == 0.0
    assert counts.sample_ratio(5 * 10**8, 5 * 10**8).p_value == 1.0
    assert counts.rate_above(10**7, 10**9, limit=0.02) == 0.0
    assert counts.rate_above(3 * 10**7, 10**9, limit=0.02) > 1e100


def test_interval() -> None:
    """Contains what was seen, narrows with rows, is everything before the first."""
    assert counts.rate_interval(0, 0) == (0.0, 1.0)
    low, high = counts.rate_interval(100, 1_000)
    assert low < 0.1 < high
    lower, higher = counts.rate_interval(10_000, 100_000)
    assert low < lower < 0.1 < higher < high
    assert counts.rate_interval(0, 50)[0] == 0.0
    assert counts.rate_interval(50, 50)[1] == 1.0


@pytest.mark.parametrize("bad", [(-1, 5, 0.5), (6, 5, 0.5), (1, 5, 0.0), (1, 5, 1.0)])
def test_refused_counts(bad: tuple[int, int, float]) -> None:
    """Each with its code."""
    with pytest.raises(errors.UsageError, match="CAL-470"):
        counts.rate_above(bad[0], bad[1], limit=bad[2])


@pytest.mark.theory
def test_false_alarms_under_peeking() -> None:
    """500 healthy streams, 40 looks: each test alarms, and each interval misses, in at most 5 % of them."""
    rng = np.random.default_rng(9)
    ratio, above, missed = np.zeros(500, bool), np.zeros(500, bool), np.zeros(500, bool)
    for stream in range(500):
        arms, hits = rng.random(4_000) < 0.5, rng.random(4_000) < 0.03
        for look in range(100, 4_001, 100):
            canary, seen = int(arms[:look].sum()), int(hits[:look].sum())
            ratio[stream] |= counts.sample_ratio(canary, look - canary).p_value <= 0.05
            above[stream] |= counts.rate_above(seen, look, limit=0.03) >= 20.0
            low, high = counts.rate_interval(seen, look)
            missed[stream] |= not low <= 0.03 <= high
    assert ratio.mean() <= 0.05
    assert above.mean() <= 0.05
    assert missed.mean() <= 0.05
