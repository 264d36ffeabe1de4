"""What all binary fits have in common: refusals, invariances, the grid's resolution, speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant import errors
from calibrant.calibrators import scales
from calibrant.fitting import (
    beta,
    grouped,
    intercept,
    isotonic,
    platt,
    quadratic,
    selection,
    spline,
    temperature,
    venn_abers,
)
from calibrant.stats import summary

PARAMETRIC = [intercept.fit, platt.fit, temperature.fit, beta.fit, quadratic.fit]
STEPPED = [isotonic.fit, isotonic.fit_centered, venn_abers.fit]
FITS = [*PARAMETRIC, *STEPPED, spline.fit]
AT = np.array([0.0, 1e-6, 0.01, 0.1, 0.3, 0.5, 0.77, 0.97, 1.0])

Fit = Callable[..., Any]


def rows(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are overconfident and shifted, in a way that every family can mend in part."""
    rng = np.random.default_rng(seed)
    x = rng.normal(-1.0, 1.5, n)
    return scales.expit(x), (rng.random(n) < scales.expit(0.3 + 0.8 * x + 0.03 * x * x)).astype(np.int8)


P, Y = rows(3000)
RAW = {fit: fit(summary.summarise(P, Y, grid="distinct")) for fit in FITS}


def test_every_method_of_the_selection_is_covered_here() -> None:
    """A new method must pass this file too."""
    assert set(selection.METHODS.values()) == set(FITS)


@pytest.mark.parametrize("fit", FITS)
@settings(max_examples=8, deadline=None)
@given(factor=st.floats(1e-6, 1e6))
def test_weights_in_another_unit_change_nothing(fit: Fit, factor: float) -> None:
    """w -> c w gives the same map, also with unequal weights."""
    w = np.random.default_rng(1).gamma(2.0, size=len(P))
    one, other = (fit(summary.summarise(P, Y, weights=c * w, grid="distinct")) for c in (1.0, factor))
    np.testing.assert_allclose(one.apply(AT), other.apply(AT), rtol=1e-7)


@pytest.mark.parametrize("fit", FITS)
def test_equal_weights_are_no_weights(fit: Fit) -> None:
    """Weights that are all 3 tell nothing, and do not make 3 n rows."""
    found = fit(summary.summarise(P, Y, weights=np.full(len(P), 3.0), grid="distinct"))
    np.testing.assert_allclose(found.apply(AT), RAW[fit].apply(AT), rtol=1e-8)


@pytest.mark.parametrize("fit", FITS)
def test_row_order_and_splitting_change_nothing(fit: Fit) -> None:
    """A merge of summaries of shuffled parts is as good as the rows."""
    order = np.random.default_rng(2).permutation(len(P))
    parts = [summary.summarise(P[part], Y[part], grid="distinct") for part in np.array_split(order, 3)]
    found = fit(parts[0] + parts[1] + parts[2])
    np.testing.assert_allclose(found.apply(AT), RAW[fit].apply(AT), rtol=1e-9)


@pytest.mark.parametrize("fit", FITS)
def test_never_falls_and_never_certain(fit: Fit) -> None:
    """The map does not decrease, and inside (0, 1) it stays inside: no infinite log loss."""
    q = RAW[fit].apply(np.linspace(0.0005, 0.9995, 4001))
    assert (np.diff(q) >= -1e-15).all()
    assert 0.0 < q.min() < q.max() < 1.0


@pytest.mark.parametrize("fit", FITS)
def test_scale_of_the_scores_is_kept(fit: Fit) -> None:
    """The map reads raw scores on the declared scale."""
    data = summary.summarise(P, Y, grid="distinct")
    found = fit(data, scale=scales.Scale("logit"))
    assert found.scale == scales.Scale("logit")
    np.testing.assert_allclose(found.apply(scales.logit(AT[1:-1])), RAW[fit].apply(AT[1:-1]), atol=1e-9)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    ("scores", "labels", "code"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5], [0, 0, 1, 0, 1], "CAL-501"),
        (np.linspace(0.1, 0.9, 50), np.zeros(50), "CAL-502"),
        (np.linspace(0.1, 0.9, 50), np.ones(50), "CAL-502"),
        (np.full(50, 0.3), [0, 1] * 25, "CAL-503"),
    ],
)
def test_refuses_what_must_not_be_fitted(fit: Fit, scores: Any, labels: Any, code: str) -> None:
    """Five rows, one class and constant scores end in a FitError, for every method."""
    with pytest.raises(errors.FitError, match=code):
        fit(summary.summarise(scores, labels, grid="distinct"))


@pytest.mark.parametrize("fit", [fit for fit in FITS if fit not in (intercept.fit, quadratic.fit, venn_abers.fit)])
def test_anti_ranking_is_reported(fit: Fit) -> None:
    """Scores the wrong way round are an error, not a constant or falling map."""
    rng = np.random.default_rng(3)
    p = rng.integers(1, 10, 4000) / 10
    with pytest.raises(errors.FitError, match="CAL-504"):
        fit(summary.summarise(p, rng.random(4000) < 1 - p, grid="distinct"))


@pytest.mark.parametrize("fit", [temperature.fit, beta.fit, quadratic.fit, spline.fit])
def test_separated_classes_are_reported(fit: Fit) -> None:
    """A likelihood without a maximum is an error; Platt's targets and the clipped steps have one."""
    p = np.linspace(0.02, 0.98, 100)
    with pytest.raises(errors.FitError, match="CAL-505"):
        fit(summary.summarise(p, p > 0.5, grid="distinct"))


def test_separated_classes_where_a_fit_exists() -> None:
    """Platt and isotonic give finite maps there."""
    p = np.linspace(0.02, 0.98, 100)
    data = summary.summarise(p, p > 0.5, grid="distinct")
    for fit in (platt.fit, isotonic.fit, isotonic.fit_centered, venn_abers.fit):
        q = fit(data).apply(p)
        assert 0.0 < q.min() < q.max() < 1.0


@pytest.mark.parametrize("fit", [*PARAMETRIC, spline.fit])
def test_the_grid_hides_less_than_a_ten_thousandth(fit: Fit) -> None:
    """From the dyadic grid and from every row: the same map within 1e-4."""
    p, y = rows(60_000, seed=4)
    one, other = (fit(summary.summarise(p, y, grid=grid)) for grid in ("dyadic", "distinct"))
    q, r = one.apply(p), other.apply(p)
    assert np.abs(q - r).max() < 1e-4


@pytest.mark.parametrize("fit", STEPPED)
def test_step_maps_from_the_grid_are_as_good(fit: Fit) -> None:
    """A step can move by one cell, so single values differ by a block's noise; the loss does not."""
    p, y = rows(60_000, seed=5)
    one, other = (fit(summary.summarise(p, y, grid=grid)) for grid in ("dyadic", "distinct"))
    fresh, labels = rows(60_000, seed=6)

    def loss(q: np.ndarray) -> float:
        return float(-np.mean(np.where(labels == 1, np.log(q), np.log1p(-q))))

    assert abs(loss(one.apply(fresh)) - loss(other.apply(fresh))) < 1e-4
    assert np.abs(one.apply(fresh) - other.apply(fresh)).mean() < 5e-3


@pytest.mark.parametrize("fit", FITS)
def test_a_million_rows_from_their_summary_in_ten_milliseconds(fit: Fit) -> None:
    """Processor time of the quickest of twenty fits; the cost does not depend on the number of rows."""
    taken = []
    for _ in range(20):
        start = time.process_time()
        fit(MILLION)
        taken.append(time.process_time() - start)
    assert min(taken) <= 0.010


MILLION = summary.summarise(*rows(1_000_000, seed=7))


def test_ten_equal_weights_are_ten_rows() -> None:
    """Rounding of the effective number of rows does not refuse the least number of rows."""
    data = summary.summarise(np.linspace(0.1, 0.9, 10), [0, 1] * 5, weights=np.full(10, 0.1), grid="distinct")
    assert grouped.read(data).rows == pytest.approx(10.0)
