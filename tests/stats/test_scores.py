"""Mean scores: equal to scikit-learn, the same from one summary or many, intervals that cover."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from calibrant.stats import results, scores, summary

Floats = NDArray[np.float64]
Measure = Callable[[summary.Summary], results.Measured]
ALL: tuple[Measure, ...] = (scores.brier, scores.log_loss, scores.base_rate, scores.mean_score, scores.sharpness)
GRIDS: tuple[summary.Grid, ...] = ("dyadic", "distinct")
seeds = st.integers(0, 10_000)


def sample(seed: int, n: int = 400) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(0.7, 1.5, n), 3)
    return p, (rng.random(n) < 0.2 + 0.6 * p).astype(float), rng.uniform(0.2, 5.0, n)


def value(measured: results.Measured) -> float:
    assert isinstance(measured, results.Estimate)
    return measured.value


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_scikit_learn(grid: summary.Grid, weighted: bool) -> None:
    """Brier score and log loss to 1e-9 on both grids, scores of 0 and 1 included."""
    p, y, w = sample(1)
    p[:4], y[:4] = [0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0]
    weights = w if weighted else None
    one = summary.summarise(p, y, weights=weights, grid=grid)
    assert value(scores.brier(one)) == pytest.approx(metrics.brier_score_loss(y, p, sample_weight=weights), abs=1e-9)
    assert value(scores.log_loss(one)) == pytest.approx(metrics.log_loss(y, p, sample_weight=weights), abs=1e-9)


@pytest.mark.parametrize("grid", GRIDS)
def test_moments(grid: summary.Grid) -> None:
    """Base rate, mean score and sharpness are weighted means and variance of the rows."""
    p, y, w = sample(2)
    one = summary.summarise(p, y, weights=w, grid=grid)
    mean = np.average(p, weights=w)
    assert value(scores.base_rate(one)) == pytest.approx(np.average(y, weights=w), abs=1e-12)
    assert value(scores.mean_score(one)) == pytest.approx(mean, abs=1e-12)
    assert value(scores.sharpness(one)) == pytest.approx(np.average((p - mean) ** 2, weights=w), abs=1e-12)


def test_interval_of_the_brier_score_from_rows() -> None:
    """On the distinct grid the variance is that of the rows' losses, to the last digit."""
    p, y, _ = sample(3)
    losses = (y - p) ** 2
    found = scores.brier(summary.summarise(p, y, grid="distinct"))
    half = 1.959963984540054 * losses.std() / len(p) ** 0.5
    assert isinstance(found, results.Estimate)
    assert (found.low, found.high) == pytest.approx((losses.mean() - half, losses.mean() + half), abs=1e-12)
    assert found.method == "normal"


def test_interval_with_weights_from_rows() -> None:
    """With weights that are constant within each score: sum w^2 (loss - mean)^2 / (sum w)^2."""
    p, y, _ = sample(4)
    w = 1.0 + 3.0 * p
    losses = -np.log(np.clip(np.where(y == 1, p, 1 - p), summary.EPSILON, 1.0))
    mean = np.average(losses, weights=w)
    spread = (w**2 @ (losses - mean) ** 2) ** 0.5 / w.sum()
    found = scores.log_loss(summary.summarise(p, y, weights=w, grid="distinct"))
    assert isinstance(found, results.Estimate)
    assert found.high == pytest.approx(mean + 1.959963984540054 * spread, abs=1e-9)


@pytest.mark.parametrize("grid", GRIDS)
@settings(max_examples=15, deadline=None)
@given(seed=seeds, unit=st.floats(0.01, 100.0))
def test_invariances(grid: summary.Grid, seed: int, unit: float) -> None:
    """Neither the unit of weight, nor row order, nor cutting into parts changes value or interval."""
    p, y, w = sample(seed, 100)
    order = np.random.default_rng(seed).permutation(100)
    whole = summary.summarise(p, y, weights=w, grid=grid)
    others = (
        summary.summarise(p, y, weights=unit * w, grid=grid),
        summary.summarise(p[order], y[order], weights=w[order], grid=grid),
        summary.summarise(p[:30], y[:30], weights=w[:30], grid=grid)
        + summary.summarise(p[30:], y[30:], weights=w[30:], grid=grid),
    )
    for measure in ALL:
        expected = measure(whole)
        for other in others:
            found = measure(other)
            assert isinstance(found, results.Estimate)
            assert isinstance(expected, results.Estimate)
            assert (found.value, found.low, found.high) == pytest.approx(
                (expected.value, expected.low, expected.high), abs=1e-9
            )


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_groups(seed: int) -> None:
    """Point values of all groups at once are those of each group alone."""
    p, y, w = sample(seed, 60)
    stacked = summary.summarise(p, y, weights=w, groups=np.arange(60) % 4)
    means = scores.means_by_group(stacked)
    for g, one in enumerate(stacked.groups()):
        found = [value(measure(one)) for measure in ALL]
        together = [means.brier, means.log_loss, means.base_rate, means.mean_score, means.sharpness]
        np.testing.assert_allclose(found, [column[g] for column in together], atol=1e-12)


def test_too_few_rows_and_rates() -> None:
    """No rows: insufficient. Few rows: a value that says why it has no interval. Rates: the same."""
    for measure in ALL:
        assert isinstance(measure(summary.empty()), results.Insufficient)
    few = scores.brier(summary.summarise([0.5] * 9, [0] * 9))
    rates = scores.log_loss(summary.summarise([0.5] * 20, [0.3] * 20))
    for bare in (few, rates):
        assert isinstance(bare, results.Estimate)
        assert bare.low is None
        assert bare.method.startswith("none (")
    assert value(rates) == pytest.approx(np.log(2))


@pytest.mark.parametrize("measure", ALL)
def test_intervals_cover(measure: Measure) -> None:
    """At level .95 the truth is inside in about 95 % of 400 samples of 300 rows."""
    rng = np.random.default_rng(7)
    big = rng.beta(0.7, 1.5, 400_000)
    rate = 0.2 + 0.6 * big
    truth = {
        scores.brier: float((rate * (1 - big) ** 2 + (1 - rate) * big**2).mean()),
        scores.log_loss: float(-(rate * np.log(big) + (1 - rate) * np.log1p(-big)).mean()),
        scores.base_rate: float(rate.mean()),
        scores.mean_score: float(big.mean()),
        scores.sharpness: float(big.var()),
    }[measure]
    inside = 0
    for _ in range(400):
        p = rng.choice(big, 300)
        y = rng.random(300) < 0.2 + 0.6 * p
        found = measure(summary.summarise(p, y))
        assert isinstance(found, results.Estimate)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= truth <= found.high
    assert 0.915 <= inside / 400 <= 0.985
