"""Confusion matrices: scikit-learn's values, the resolution bound, invariances, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from calibrant import errors
from calibrant.stats import classification, results, summary

SHARES = ("fpr", "fnr", "precision", "recall", "alert_rate", "accuracy")


def draw(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with ties, both labels, weights."""
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(1.0, 2.0, n), rng.integers(1, 4))
    y = rng.random(n) < p
    y[:2] = [True, False]
    return p, y, rng.gamma(2.0, 1.0, n)


def number(found: results.Measured) -> results.Estimate:
    """The estimate, which must be there."""
    assert isinstance(found, results.Estimate)
    return found


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), n=st.integers(3, 200), threshold=st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5]))
def test_equal_to_scikit_learn(seed: int, n: int, threshold: float) -> None:
    """Counts and shares are scikit-learn's for score >= threshold, weights too."""
    p, y, w = draw(seed, n)
    found = classification.at_threshold(summary.summarise(p, y, weights=w, grid="distinct"), threshold)
    alert = p >= threshold
    tn, fp, fn, tp = metrics.confusion_matrix(y, alert, sample_weight=w, labels=[False, True]).ravel()
    assert [found.tn, found.fp, found.fn, found.tp] == pytest.approx([tn, fp, fn, tp], abs=1e-9)
    assert number(found.recall).value == pytest.approx(metrics.recall_score(y, alert, sample_weight=w))
    assert number(found.accuracy).value == pytest.approx(metrics.accuracy_score(y, alert, sample_weight=w))
    if alert.any():
        assert number(found.precision).value == pytest.approx(metrics.precision_score(y, alert, sample_weight=w))
    else:
        assert found.precision == results.Insufficient(0, 1, "alerts")
    assert found.resolution == 0.0


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), threshold=st.floats(0.0, 1.0))
def test_the_grid_errs_by_its_resolution_at_most(seed: int, threshold: float) -> None:
    """On the dyadic grid every count is within the resolution bound of the exact one; at an edge it is exact."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1.0, 2.0, 500)
    y = rng.random(500) < p
    coarse, exact = summary.summarise(p, y), summary.summarise(p, y, grid="distinct")
    found, truth = classification.at_threshold(coarse, threshold), classification.at_threshold(exact, threshold)
    for name in ("tp", "fp", "fn", "tn"):
        assert abs(getattr(found, name) - getattr(truth, name)) <= found.resolution * 500 + 1e-9
    assert classification.at_threshold(coarse, 0.25).resolution == 0.0
    assert classification.at_threshold(coarse, 0.25).tp == classification.at_threshold(exact, 0.25).tp


@pytest.mark.parametrize("grid", ["dyadic", "distinct"])
def test_the_curve_is_every_threshold(grid: summary.Grid) -> None:
    """Each entry of the curve equals at_threshold there, intervals too, and the last one alerts on nothing."""
    p, y, w = draw(4, 300)
    source = summary.summarise(p, y, weights=w, grid=grid)
    found = classification.curve(source)
    precision, recall = found.precision_interval(level=0.9), found.recall_interval(level=0.9)
    for i, threshold in enumerate(found.thresholds[:-1].tolist()):
        single = classification.at_threshold(source, threshold, level=0.9)
        assert single.resolution == 0.0
        for name in ("tp", "fp", "fn", "tn"):
            assert getattr(found, name)[i] == pytest.approx(getattr(single, name), abs=1e-9)
        for name in ("precision", "recall", "fpr", "alert_rate"):
            assert getattr(found, name)[i] == pytest.approx(number(getattr(single, name)).value)
        ends = number(single.precision), number(single.recall)
        assert [precision[0][i], recall[1][i]] == pytest.approx([ends[0].low, ends[1].high], abs=1e-9)
    assert found.tp[-1] == found.fp[-1] == 0.0
    assert np.isnan(found.precision[-1])
    assert found.thresholds[-1] == np.inf


@given(unit=st.floats(1e-3, 1e3))
def test_the_unit_of_weights_does_not_matter(unit: float) -> None:
    """w -> c w changes no share and no interval."""
    p, y, w = draw(5, 100)
    made = [
        classification.at_threshold(summary.summarise(p, y, weights=each, grid="distinct"), 0.2)
        for each in (w, w * unit)
    ]
    for name in SHARES:
        first, second = (number(getattr(each, name)) for each in made)
        assert [second.value, second.low, second.high] == pytest.approx([first.value, first.low, first.high])


def test_empty_and_one_label() -> None:
    """No rows, or no rows of a label, are Insufficient where a share has nothing to be a share of."""
    nothing = classification.at_threshold(summary.empty(), 0.5)
    assert all(isinstance(getattr(nothing, name), results.Insufficient) for name in SHARES)
    negatives = classification.at_threshold(summary.summarise([0.1, 0.9], [0, 0]), 0.5)
    assert negatives.recall == results.Insufficient(0, 1, "positive rows")
    assert number(negatives.fpr).value == 0.5
    assert classification.curve(summary.empty()).thresholds.tolist() == [np.inf]


def test_nan_is_refused_and_the_plain_form_is_complete() -> None:
    """NaN raises CAL-454; to_dict has every field."""
    with pytest.raises(errors.UsageError, match="CAL-454"):
        classification.at_threshold(summary.empty(), float("nan"))
    plain = classification.at_threshold(summary.summarise([0.1, 0.9], [0, 1]), 0.5).to_dict()
    assert set(plain) == {"threshold", "tp", "fp", "fn", "tn", "resolution", *SHARES}


@pytest.mark.parametrize("weighted", [False, True])
def test_coverage(weighted: bool) -> None:
    """400 samples of 400 rows: precision and recall intervals hold the truth 95 % +- 3.5 % of the time."""
    rng = np.random.default_rng(6)
    hits = np.zeros(2)
    for _ in range(400):
        y = rng.random(400) < 0.3
        p = np.where(rng.random(400) < np.where(y, 0.8, 0.1), 0.7, 0.2)
        w = rng.gamma(2.0, 1.0, 400) if weighted else None
        found = classification.at_threshold(summary.summarise(p, y, weights=w, grid="distinct"), 0.5)
        for i, (share, truth) in enumerate([(found.precision, 0.24 / 0.31), (found.recall, 0.8)]):
            ends = number(share)
            assert ends.low is not None
            assert ends.high is not None
            hits[i] += ends.low <= truth <= ends.high
    assert (np.abs(hits / 400 - 0.95) < 0.035).all()
