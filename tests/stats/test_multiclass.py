"""Measures of class probabilities and their binary shadows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from calibrant import errors
from calibrant.calibrators import scales
from calibrant.stats import classes, ecce, means, multiclass, results, scores


def data(n: int = 400, k: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(k), n)
    y = (rng.random(n)[:, None] > (0.8 * p + 0.2 / k).cumsum(axis=1)).sum(axis=1)
    return p, y, rng.exponential(size=n)


def naive_ece(p: np.ndarray, hit: np.ndarray, w: np.ndarray, bins: int) -> float:
    total = 0.0
    for b in range(bins):
        inside = np.minimum((p * bins).astype(int), bins - 1) == b
        total += abs((w * (hit - p))[inside].sum())
    return total / w.sum()


def test_proper_scores_are_scikit_learns() -> None:
    """Log loss and Brier score, weighted, to 1e-12; the Brier score is the sum over classes, in [0, 2]."""
    p, y, w = data()
    found = multiclass.measure(p, y, weights=w)
    assert found.log_loss.value == pytest.approx(metrics.log_loss(y, p, sample_weight=w), abs=1e-12)
    brier = metrics.brier_score_loss(y, p, sample_weight=w, scale_by_half=False, labels=np.arange(4))
    assert found.brier.value == pytest.approx(brier, abs=1e-12)
    assert found.accuracy.value == pytest.approx(np.average(p.argmax(axis=1) == y, weights=w), abs=1e-12)


def test_binned_errors_are_their_definitions() -> None:
    """Three loops over rows say the same as the summaries."""
    p, y, w = data()
    found = multiclass.measure(p, y, weights=w, bins=10)
    top, hit = p.max(axis=1), (p.argmax(axis=1) == y).astype(float)
    assert found.confidence_ece.value == pytest.approx(naive_ece(top, hit, w, 10), abs=1e-12)
    by_class = [naive_ece(p[:, k], (y == k).astype(float), w, 10) for k in range(4)]
    assert found.classwise_ece.value == pytest.approx(np.mean(by_class), abs=1e-12)
    by_label = 0.0
    for k in range(4):
        inside = p.argmax(axis=1) == k
        by_label += naive_ece(top[inside], hit[inside], w[inside], 10) * w[inside].sum() / w.sum()
    assert found.top_label_ece.value == pytest.approx(by_label, abs=1e-12)
    assert found.top_label_ece.value >= found.confidence_ece.value


def test_two_classes_are_the_binary_measures() -> None:
    """For K = 2 log loss is the binary one and the Brier score twice the binary one."""
    p, y, w = data(k=2)
    shadow = classes.one_vs_rest(classes.rows(p, y, weights=w))
    second = list(shadow.groups())[1]
    found = multiclass.measure(p, y, weights=w)
    assert found.log_loss.value == pytest.approx(scores.log_loss(second).value, abs=1e-12)
    assert found.brier.value == pytest.approx(2.0 * scores.brier(second).value, abs=1e-12)


@settings(max_examples=25)
@given(st.floats(0.01, 100.0), st.integers(0, 1000))
def test_unit_of_weights_and_order_of_rows_do_not_count(factor: float, seed: int) -> None:
    """w -> c w and any permutation of rows leave every number as it is."""
    p, y, w = data(60, 3, seed)
    order = np.random.default_rng(seed).permutation(60)
    one, other = multiclass.measure(p, y, weights=w), multiclass.measure(p[order], y[order], weights=factor * w[order])
    for name in ("accuracy", "log_loss", "brier", "confidence_ece", "top_label_ece", "classwise_ece"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.value == pytest.approx(b.value, abs=1e-12)
        assert (a.low is None) == (b.low is None)
        assert a.low is None or a.low == pytest.approx(b.low, abs=1e-9)


def test_calibrated_rows_have_small_ecce_and_overconfident_ones_do_not() -> None:
    """The decision measure of the top label: within noise if labels are drawn from the rows, far out if not."""
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.ones(5), 5000)
    y = (rng.random(5000)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    right = multiclass.measure(p, y).confidence_ecce
    sharp = p**2 / (p**2).sum(axis=1, keepdims=True)
    wrong = multiclass.measure(sharp, y).confidence_ecce
    assert isinstance(right, ecce.Ecce)
    assert isinstance(wrong, ecce.Ecce)
    assert right.p_value > 0.001
    assert wrong.p_value < 1e-12


def test_few_rows_are_insufficient_not_zero() -> None:
    """Below ten effective rows every measure says so."""
    p, y, _ = data(9)
    found = multiclass.measure(p, y)
    assert isinstance(found.log_loss, results.Insufficient)
    assert isinstance(found.confidence_ecce, results.Insufficient)
    assert isinstance(means.mean(np.ones(9)), results.Insufficient)


@pytest.mark.parametrize(
    ("scores_", "labels", "weights", "code"),
    [
        ([[0.5, 0.5]], [0, 1], None, "CAL-342"),
        ([[1.0]], [0], None, "CAL-342"),
        ([[0.5, 0.6]], [0], None, "CAL-343"),
        ([[1.5, -0.5]], [0], None, "CAL-343"),
        ([[np.nan, 0.5]], [0], None, "CAL-343"),
        ([[0.5, 0.5]], [2], None, "CAL-344"),
        ([[0.5, 0.5]], [0.5], None, "CAL-344"),
        ([[0.5, 0.5]], [0], [-1.0], "CAL-345"),
        ([[0.5, 0.5]], [0], [0.0], "CAL-345"),
    ],
)
def test_bad_rows_are_refused_at_the_door(scores_, labels, weights, code: str) -> None:
    """Shapes, scale, sums, labels and weights, each with its own code."""
    with pytest.raises(errors.ValueRangeError, match=code):
        classes.rows(scores_, labels, weights=weights)


def test_rows_of_weight_zero_are_as_if_absent() -> None:
    """They change no measure."""
    p, y, _ = data(50)
    w = np.repeat([1.0, 0.0], 25)
    one, other = multiclass.measure(p, y, weights=w), multiclass.measure(p[:25], y[:25])
    assert one == other


def test_logits_need_no_sum() -> None:
    """On the logit scale a row may hold any finite numbers."""
    assert len(classes.rows([[3.0, -2.0]], [0], scale=scales.Scale("logit")).labels) == 1


@pytest.mark.theory
def test_the_interval_of_a_weighted_mean_covers() -> None:
    """95 % Wald intervals of weighted exponential rows cover their mean in 93 to 96.5 % of 4,000 samples of 200."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(4000):
        found = means.mean(rng.exponential(size=200), rng.exponential(size=200) + 0.2)
        assert isinstance(found, results.Estimate)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 1.0 <= found.high
    assert 0.925 < covered / 4000 < 0.965
