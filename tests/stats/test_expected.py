"""The ECE of a perfect model: exact where it can be enumerated, equal to what simulation shows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from calibrant.stats import binned, expected, redraw, results, summary


def seen(one: summary.Summary, **options: object) -> results.Estimate:
    found = expected.expected_ece(one, **options)  # type: ignore[arg-type]
    assert isinstance(found, results.Estimate)
    return found


@pytest.mark.parametrize(("n", "p"), [(1, 0.3), (2, 0.5), (7, 0.21), (50, 0.5), (1000, 0.0015), (100_000, 0.7)])
def test_exact_for_one_score(n: int, p: float) -> None:
    """One distinct score: E|Bin(n, p)/n - p| by enumeration."""
    one = summary.summarise(np.full(n, p), np.zeros(n))
    k = np.arange(n + 1)
    enumerated = float(binom.pmf(k, n, p) @ np.abs(k / n - p))
    assert expected.expected_ece_by_group(one)[0] == pytest.approx(enumerated, rel=1e-9)


def test_certain_scores_show_no_noise() -> None:
    """Scores of 0 and 1 are right without scatter."""
    one = summary.summarise([0.0, 1.0, 1.0], [1, 0, 0])
    assert expected.expected_ece_by_group(one)[0] == 0.0


@pytest.mark.parametrize(("n", "shown", "samples"), [(20, 0.157, 600), (200, 0.054, 200), (2000, 0.017, 60)])
def test_known_sizes(n: int, shown: float, samples: int) -> None:
    """.157, .054 and .017 at n = 20, 200 and 2,000 for ten bins: scores Beta(.6, 2.4), base rate .2, to .0015."""
    rng = np.random.default_rng(5)
    values, observed, above = [], [], 0
    for _ in range(samples):
        p = rng.beta(0.6, 2.4, n)
        one = summary.summarise(p, rng.random(n) < p, grid="distinct")
        found, ece = seen(one, rng=rng, draws=60), binned.ece(one)
        assert isinstance(ece, results.Estimate)
        assert found.high is not None
        values.append(found.value)
        observed.append(ece.value)
        above += ece.value > found.high
    assert np.mean(values) == pytest.approx(shown, abs=0.0015)
    assert np.mean(values) == pytest.approx(np.mean(observed), rel=0.07)
    assert above <= 0.05 * samples + 4 * (0.05 * samples) ** 0.5


@pytest.mark.parametrize("weighted", [False, True])
def test_closed_form_is_the_mean_of_simulations(weighted: bool) -> None:
    """The closed mean against 4,000 drawn sets of labels, with and without weights."""
    rng = np.random.default_rng(6)
    p = rng.beta(0.8, 1.2, 150)
    w = rng.uniform(0.5, 2.0, 150) if weighted else None
    one = summary.summarise(p, np.zeros(150), weights=w, grid="distinct")
    drawn = redraw.label_sums(one, one.score, draws=4000, rng=rng) - one.w * one.score
    in_bins = np.stack([drawn[:, one.bins(10) == b].sum(axis=1) for b in range(10)])
    simulated = np.abs(in_bins).sum(axis=0) / one.w.sum()
    assert expected.expected_ece_by_group(one)[0] == pytest.approx(simulated.mean(), rel=0.015)
    found = seen(one, rng=rng, draws=2000)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(simulated, [0.05, 0.95])), rel=0.03)


def test_groups_and_units() -> None:
    """Groups at once are groups alone; the unit of weight and the labels do not matter."""
    rng = np.random.default_rng(7)
    p, w, g = rng.random(200), rng.uniform(0.5, 2, 200), np.arange(200) % 5
    stacked = summary.summarise(p, np.zeros(200), weights=w, groups=g)
    other = summary.summarise(p, np.ones(200), weights=9 * w, groups=g)
    alone = [expected.expected_ece_by_group(one)[0] for one in stacked.groups()]
    np.testing.assert_allclose(expected.expected_ece_by_group(stacked), alone, atol=1e-12)
    np.testing.assert_allclose(expected.expected_ece_by_group(other), alone, atol=1e-12)


def test_same_seed_same_answer() -> None:
    """All randomness comes from the generator."""
    one = summary.summarise(np.linspace(0, 1, 50), np.zeros(50))
    first, second = (seen(one, rng=np.random.default_rng(8)) for _ in range(2))
    assert first == second


def test_no_rows() -> None:
    """No rows are insufficient."""
    found = expected.expected_ece(summary.empty(), rng=np.random.default_rng(0))
    assert found == results.Insufficient(0, 1)


def test_redrawn_labels_have_the_right_moments() -> None:
    """Mean w q and variance sum w^2 q (1 - q) of the weighted label sums of each cell."""
    one = summary.summarise(np.repeat([0.2, 0.7], 50), np.zeros(100), weights=np.arange(1.0, 101.0), grid="distinct")
    q = np.array([0.3, 0.9])
    drawn = redraw.label_sums(one, q, draws=40_000, rng=np.random.default_rng(9))
    np.testing.assert_allclose(drawn.mean(axis=0), one.w * q, rtol=0.01)
    np.testing.assert_allclose(drawn.var(axis=0), one.ww * q * (1 - q), rtol=0.03)
