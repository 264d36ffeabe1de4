"""Slope and intercept: an independent fit, invariances, groups, coverage of every interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from calibrant.stats import cox, results, summary


def draw(
    rng: np.random.Generator, n: int, *, intercept: float = 0.0, slope: float = 1.0, decimals: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Rounded scores, and labels that follow a line in log-odds."""
    p = np.clip(np.round(rng.beta(1.5, 2.0, n), decimals), 0.01, 0.99)
    return p, rng.random(n) < expit(intercept + slope * logit(p))


def fitted(found: cox.Cox | results.Insufficient) -> cox.Cox:
    """The line, which must be there."""
    assert isinstance(found, cox.Cox)
    return found


def test_equal_to_scikit_learn() -> None:
    """Coefficients are those of scikit-learn's unpenalised logistic regression, weights too."""
    rng = np.random.default_rng(1)
    p, y = draw(rng, 500, intercept=0.4, slope=0.7)
    for w in (None, rng.gamma(2.0, 1.0, 500)):
        theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000, solver="newton-cholesky")
        theirs.fit(logit(p)[:, None], y, sample_weight=w)
        ours = fitted(cox.cox(summary.summarise(p, y, weights=w, grid="distinct")))
        assert ours.slope.value == pytest.approx(theirs.coef_[0, 0], abs=1e-6)
        assert ours.intercept.value == pytest.approx(theirs.intercept_[0], abs=1e-6)


def test_covariance_is_the_inverse_of_a_numerical_hessian() -> None:
    """The Wald covariance inverts the observed information, found here by finite differences of the likelihood."""
    p, y = draw(np.random.default_rng(2), 400, slope=1.3)
    x = logit(p)
    ours = fitted(cox.cox(summary.summarise(p, y, grid="distinct")))

    def gradient(line: np.ndarray) -> np.ndarray:
        return optimize.approx_fprime(
            line, lambda at: float(np.sum(np.logaddexp(0, at[0] + at[1] * x) - y * (at[0] + at[1] * x))), 1e-5
        )

    at = np.array([ours.intercept.value, ours.slope.value])
    hessian = np.stack([(gradient(at + e) - gradient(at - e)) / 0.02 for e in 0.01 * np.eye(2)])
    assert np.allclose(np.linalg.inv(hessian), ours.covariance, rtol=1e-3)


def test_in_the_large_solves_its_equation() -> None:
    """After the shift the mean score is the base rate; on few rows the interval inverts the information."""
    p, y = draw(np.random.default_rng(3), 300, intercept=-0.5)
    found = cox.in_the_large(summary.summarise(p, y, grid="distinct"))
    assert isinstance(found, results.Estimate)
    q = expit(found.value + logit(p))
    assert q.mean() == pytest.approx(y.mean(), abs=1e-9)
    assert found.high == pytest.approx(found.value + 1.959964 / np.sqrt((q * (1 - q)).sum()), abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), unit=st.floats(1e-3, 1e3))
def test_the_unit_of_weights_does_not_matter(seed: int, unit: float) -> None:
    """w -> c w changes neither line nor covariance, and equal weights are no weights."""
    rng = np.random.default_rng(seed)
    p, y = draw(rng, 200)
    w = rng.gamma(2.0, 1.0, 200)
    made = [fitted(cox.cox(summary.summarise(p, y, weights=each, grid="distinct"))) for each in (w, w * unit)]
    assert np.allclose(made[0].covariance, made[1].covariance, rtol=1e-6)
    plain = fitted(cox.cox(summary.summarise(p, y, grid="distinct")))
    equal = fitted(cox.cox(summary.summarise(p, y, weights=np.full(200, unit), grid="distinct")))
    assert np.allclose(plain.covariance, equal.covariance, rtol=1e-6)
    assert plain.slope.value == pytest.approx(equal.slope.value, abs=1e-8)


def test_turning_the_question_round() -> None:
    """1 - p for 1 - y keeps the slope and turns the sign of the intercept."""
    p, y = draw(np.random.default_rng(5), 500, intercept=0.3, slope=0.8)
    straight = fitted(cox.cox(summary.summarise(p, y, grid="distinct")))
    turned = fitted(cox.cox(summary.summarise(1 - p, ~y, grid="distinct")))
    assert turned.slope.value == pytest.approx(straight.slope.value, abs=1e-8)
    assert turned.intercept.value == pytest.approx(-straight.intercept.value, abs=1e-8)


def test_groups_are_each_for_themselves() -> None:
    """by_group gives every group what it gets alone, broken groups beside it or not."""
    rng = np.random.default_rng(6)
    p, y = draw(rng, 900, slope=0.6)
    p = np.concatenate([p, np.full(40, 0.3), np.linspace(0.1, 0.9, 40), [0.2, 0.8, 0.4]])
    y = np.concatenate([y, rng.random(40) < 0.5, np.linspace(0.1, 0.9, 40) > 0.5, [0, 1, 1]])
    group = np.concatenate([np.arange(900) % 3, np.full(40, 3), np.full(40, 4), np.full(3, 5)])
    both = summary.summarise(p, y, groups=group, grid="distinct")
    fits = cox.by_group(both)
    assert fits.converged.tolist() == [True, True, True, False, False, False]
    low, high = fits.interval()
    assert np.isinf(low[3:]).all()
    for g, part in enumerate(list(both.groups())[:3]):
        alone = fitted(cox.cox(part))
        assert np.allclose(fits.coefficients[g], [alone.intercept.value, alone.slope.value])
        assert high[g, 1] == pytest.approx(alone.slope.high)


def test_what_is_missing_is_said() -> None:
    """Few rows, one label, one score and separated labels are each named."""
    said = {
        "rows": ([0.2, 0.8, 0.5], [0, 1, 1]),
        "rows of the rarer label": (np.linspace(0.1, 0.9, 50), np.zeros(50)),
        "distinct scores": (np.full(50, 0.4), np.arange(50) % 2),
        "scores at which both labels occur": (np.linspace(0.1, 0.9, 50), np.linspace(0.1, 0.9, 50) > 0.6),
    }
    for unit, (p, y) in said.items():
        found = cox.cox(summary.summarise(p, y, grid="distinct"))
        assert isinstance(found, results.Insufficient)
        assert found.unit == unit
    assert isinstance(cox.cox(summary.empty()), results.Insufficient)
    assert not cox.by_group(summary.empty()).converged.any()


def test_scores_of_zero_and_one_do_not_break_it() -> None:
    """Certain scores that are wrong now and then give a flat but finite line."""
    p = np.tile([0.0, 1.0, 0.5, 0.9], 100)
    y = (np.arange(400) % 7 < 3) ^ (p > 0.7)
    found = fitted(cox.cox(summary.summarise(p, y, grid="distinct")))
    assert 0.0 < abs(found.slope.value) < 0.2


def coverage(repeats: int, n: int, *, weighted: bool) -> np.ndarray:
    """Share of simulations in which slope, intercept and shift intervals hold the truth."""
    rng = np.random.default_rng(9)
    hits = np.zeros(3)
    for _ in range(repeats):
        p, y = draw(rng, n, intercept=0.3, slope=0.7, decimals=3)
        w = np.where(p > 0.5, 4.0, 1.0) * rng.gamma(4.0, 0.25, n) if weighted else None
        source = summary.summarise(p, y, weights=w)
        line = fitted(cox.cox(source))
        shifted = summary.summarise(p, rng.random(n) < expit(0.3 + logit(p)), weights=w)
        large = cox.in_the_large(shifted)
        for i, (found, true) in enumerate([(line.slope, 0.7), (line.intercept, 0.3), (large, 0.3)]):
            assert isinstance(found, results.Estimate)
            assert found.low is not None
            assert found.high is not None
            hits[i] += found.low <= true <= found.high
    return hits / repeats


def test_coverage_quick() -> None:
    """60 simulations of 300 rows: every interval holds the truth at least 86 % of the time."""
    assert (coverage(60, 300, weighted=True) >= 0.86).all()


@pytest.mark.theory
@pytest.mark.parametrize("weighted", [False, True])
def test_coverage(weighted: bool) -> None:
    """800 simulations of 500 rows: Wald intervals at 95 % +- 2.5 %."""
    found = coverage(800, 500, weighted=weighted)
    assert (np.abs(found - 0.95) < 0.025).all()
