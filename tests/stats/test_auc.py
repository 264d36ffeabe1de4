"""AUC: scikit-learn's value, DeLong's variance by its definition, invariances, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from calibrant.stats import auc, results, summary


def draw(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with ties, both labels, weights."""
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(1.0, 2.0, n), rng.integers(1, 5))
    y = rng.random(n) < p
    y[:2] = [True, False]
    return p, y, rng.gamma(2.0, 1.0, n)


def number(found: results.Measured) -> results.Estimate:
    """The estimate, which must be there."""
    assert isinstance(found, results.Estimate)
    return found


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 300))
def test_equal_to_scikit_learn(seed: int, n: int) -> None:
    """On the distinct grid the value is scikit-learn's to 1e-9, weighted and with ties; dyadic within its bound."""
    p, y, w = draw(seed, n)
    for weights in (None, w):
        theirs = roc_auc_score(y, p, sample_weight=weights)
        exact = summary.summarise(p, y, weights=weights, grid="distinct")
        assert number(auc.auc(exact)).value == pytest.approx(theirs, abs=1e-9)
        assert auc.by_group(exact)[0] == pytest.approx(theirs, abs=1e-9)
        coarse = summary.summarise(p, y, weights=weights)
        assert abs(number(auc.auc(coarse)).value - theirs) <= auc.resolution(coarse) + 1e-12


def test_delong_by_its_definition() -> None:
    """The variance equals the one computed pair by pair from the kernel 1(x > y) + 1(x = y)/2."""
    p, y, _ = draw(1, 400)
    kernel = (p[y][:, None] > p[~y]) + 0.5 * (p[y][:, None] == p[~y])
    variance = kernel.mean(1).var(ddof=1) / y.sum() + kernel.mean(0).var(ddof=1) / (~y).sum()
    value = kernel.mean()
    found = number(auc.auc(summary.summarise(p, y, grid="distinct"), level=0.9))
    ends = expit(logit(value) + norm.ppf([0.05, 0.95]) * np.sqrt(variance) / (value * (1 - value)))
    assert [found.low, found.high] == pytest.approx(ends.tolist(), abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), unit=st.floats(1e-3, 1e3))
def test_invariances(seed: int, unit: float) -> None:
    """Unit of the weights, order of rows, and any increasing change of scores change nothing; 1 - p turns it."""
    p, y, w = draw(seed, 150)
    found = number(auc.auc(summary.summarise(p, y, weights=w, grid="distinct")))
    shuffled = np.random.default_rng(seed).permutation(150)
    other = number(
        auc.auc(summary.summarise(p[shuffled] ** 2 / 2, y[shuffled], weights=unit * w[shuffled], grid="distinct"))
    )
    assert [other.value, other.low, other.high] == pytest.approx([found.value, found.low, found.high], abs=1e-9)
    turned = number(auc.auc(summary.summarise(1 - p, y, weights=w, grid="distinct")))
    assert turned.value == pytest.approx(1 - found.value, abs=1e-9)


def test_groups() -> None:
    """Each group gets its own value; a group with one label gets NaN."""
    p, y, w = draw(3, 600)
    group = np.arange(600) % 4
    y[group == 3] = True
    found = auc.by_group(summary.summarise(p, y, weights=w, groups=group))
    for g in range(3):
        alone = summary.summarise(p[group == g], y[group == g], weights=w[group == g])
        assert found[g] == pytest.approx(number(auc.auc(alone)).value, abs=1e-12)
    assert np.isnan(found[3])


def test_what_is_missing_is_said() -> None:
    """One label is Insufficient; few rows of a label or separation leave a number without an interval."""
    assert isinstance(auc.auc(summary.summarise([0.1, 0.9], [1, 1])), results.Insufficient)
    assert isinstance(auc.auc(summary.empty()), results.Insufficient)
    few = number(auc.auc(summary.summarise([0.1, 0.9, 0.4], [1, 1, 0])))
    assert (few.low, few.high) == (None, None)
    assert "fewer than 5" in few.method
    p = np.linspace(0.01, 0.99, 50)
    assert "separated" in number(auc.auc(summary.summarise(p, p > 0.5))).method


def coverage(repeats: int, n: int, *, weighted: bool = False) -> float:
    """Share of simulations whose interval holds the binormal AUC, Phi(1.5 / sqrt 2)."""
    rng, hits = np.random.default_rng(5), 0
    for _ in range(repeats):
        y = rng.random(n) < 0.3
        p = expit(rng.normal(size=n) + 1.5 * y)
        w = rng.gamma(2.0, 1.0, n) if weighted else None
        found = number(auc.auc(summary.summarise(p, y, weights=w, grid="distinct")))
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= norm.cdf(1.5 / np.sqrt(2)) <= found.high
    return hits / repeats


@pytest.mark.parametrize("weighted", [False, True])
def test_coverage(weighted: bool) -> None:
    """3,000 samples of 200 rows: 95 % +- 1.5 %."""
    assert abs(coverage(3_000, 200, weighted=weighted) - 0.95) < 0.015
