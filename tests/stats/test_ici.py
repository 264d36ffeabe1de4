"""ICI, E50, E90: an independent fit of the same spline, known truths, invariances, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from calibrant.stats import ici, results, summary


def draw(seed: int, n: int, *, slope: float = 1.0, intercept: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and labels that follow a line in log-odds."""
    rng = np.random.default_rng(seed)
    p = np.clip(rng.beta(1.5, 2.0, n), 0.005, 0.995)
    return p, rng.random(n) < expit(intercept + slope * logit(p))


def found(source: summary.Summary, *, replicates: int = 0, seed: int = 1) -> ici.Ici:
    """The index, which must be there."""
    made = ici.ici(source, replicates=replicates, rng=np.random.default_rng(seed))
    assert isinstance(made, ici.Ici)
    return made


def natural(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Natural cubic splines in the truncated-power form of Hastie, Tibshirani and Friedman, eq. 5.4."""

    def d(k: int) -> np.ndarray:
        top = np.maximum(x - knots[k], 0) ** 3 - np.maximum(x - knots[-1], 0) ** 3
        return top / (knots[-1] - knots[k])

    last = len(knots) - 2
    return np.column_stack([x, *[d(k) - d(last) for k in range(last)]])


@pytest.mark.parametrize("weighted", [False, True])
def test_equal_to_an_independent_fit(weighted: bool) -> None:
    """scikit-learn on another basis of the same spline space gives the same three numbers."""
    p, y = draw(1, 600, slope=0.6, intercept=0.3)
    w = np.random.default_rng(2).gamma(2.0, 1.0, 600) if weighted else np.ones(600)
    x = logit(p)
    knots = np.quantile(x, [0.05, 0.275, 0.5, 0.725, 0.95], method="inverted_cdf", weights=w)
    columns = natural(x, knots)
    columns = (columns - columns.mean(0)) / columns.std(0)
    model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=5000, solver="newton-cholesky")
    far = np.abs(model.fit(columns, y, sample_weight=w).predict_proba(columns)[:, 1] - p)
    ours = found(summary.summarise(p, y, weights=w, grid="distinct"))
    assert np.allclose(ours.knots, knots)
    assert ours.ici.value == pytest.approx(np.average(far, weights=w), abs=1e-6)
    for quantile, estimate in ((0.5, ours.e50), (0.9, ours.e90)):
        assert estimate.value == pytest.approx(np.quantile(far, quantile, method="inverted_cdf", weights=w), abs=1e-6)


def test_large_samples_find_the_truth() -> None:
    """200,000 rows: ICI within .003 of the mean distance of the true curve, and near 0 for calibrated scores."""
    p, y = draw(3, 200_000, slope=0.5, intercept=0.4)
    truth = np.abs(expit(0.4 + 0.5 * logit(p)) - p)
    ours = found(summary.summarise(p, y))
    assert ours.ici.value == pytest.approx(truth.mean(), abs=0.003)
    assert ours.e90.value == pytest.approx(np.quantile(truth, 0.9), abs=0.005)
    assert found(summary.summarise(*draw(4, 200_000))).ici.value < 0.004


def test_invariances() -> None:
    """The unit of the weights changes nothing; 1 - p for 1 - y changes little (quantiles take the other side)."""
    p, y = draw(5, 2000, slope=0.7)
    w = np.random.default_rng(6).gamma(2.0, 1.0, 2000)
    first = found(summary.summarise(p, y, weights=w), replicates=20)
    second = found(summary.summarise(p, y, weights=250.0 * w), replicates=20)
    assert [second.ici.value, second.ici.low, second.e90.high] == pytest.approx(
        [first.ici.value, first.ici.low, first.e90.high], abs=1e-9
    )
    turned = found(summary.summarise(1 - p, ~y, weights=w))
    assert turned.ici.value == pytest.approx(first.ici.value, abs=2e-3)


def test_few_scores_take_fewer_knots() -> None:
    """Nine scores allow five knots, three scores three, two scores only the line, which then fits exactly."""
    rng = np.random.default_rng(7)
    for scores, knots in ((9, 5), (3, 3), (2, 0)):
        p = np.tile(np.linspace(0.2, 0.8, scores), 100)
        y = rng.random(len(p)) < 0.1 + 0.7 * p
        source = summary.summarise(p, y, grid="distinct")
        made = found(source)
        assert len(made.knots) == knots
        if scores <= 3:
            exact = np.abs(source.rate - source.score) @ source.w / source.w.sum()
            assert made.ici.value == pytest.approx(exact, abs=1e-9)


def test_what_is_missing_is_said() -> None:
    """One label, few rows and separated labels are Insufficient."""
    for p, y in (
        ([0.1, 0.9], [0, 1]),
        (np.linspace(0, 1, 50), np.zeros(50)),
        (np.linspace(0, 1, 50), np.arange(50) > 24),
    ):
        made = ici.ici(summary.summarise(p, y), replicates=0, rng=np.random.default_rng(1))
        assert isinstance(made, results.Insufficient)


def coverage(repeats: int, n: int, replicates: int) -> float:
    """Share of simulations whose interval holds the true ICI of a miscalibrated score."""
    hits = 0
    for seed in range(repeats):
        p, y = draw(seed, n, slope=0.5, intercept=0.4)
        truth = np.abs(expit(0.4 + 0.5 * logit(p)) - p).mean()
        made = found(summary.summarise(p, y), replicates=replicates, seed=seed)
        assert made.ici.low is not None
        assert made.ici.high is not None
        hits += made.ici.low <= truth <= made.ici.high
    return hits / repeats


def test_coverage_quick() -> None:
    """40 samples of 1,000 rows: the interval holds the truth in at least 82 %."""
    assert coverage(40, 1_000, 40) >= 0.82


@pytest.mark.theory
def test_coverage() -> None:
    """200 samples of 1,000 rows: 95 % +- 4 %."""
    assert abs(coverage(200, 1_000, 150) - 0.95) < 0.04
