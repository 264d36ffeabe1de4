"""Differences of losses: those of scikit-learn, and never beyond the bound."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from calibrant import errors
from calibrant.calibrators import logistic, steps
from calibrant.stats.sequential import losses

probabilities = st.floats(0.0, 1.0)


def test_equal_those_of_scikit_learn() -> None:
    """Mean differences of log loss and Brier score, inside the floor."""
    rng = np.random.default_rng(1)
    p, q, y = rng.uniform(0.01, 0.99, 500), rng.uniform(0.01, 0.99, 500), rng.integers(0, 2, 500)
    log = metrics.log_loss(y, p) - metrics.log_loss(y, q)
    brier = metrics.brier_score_loss(y, p) - metrics.brier_score_loss(y, q)
    assert losses.differences(y, p, q).mean() == pytest.approx(log)
    assert losses.differences(y, p, q, loss="brier").mean() == pytest.approx(brier)


@given(y=probabilities, p=probabilities, q=probabilities)
def test_turned_round_it_changes_sign(y: float, p: float, q: float) -> None:
    """Incumbent and candidate swapped; equal maps differ by nothing; all is finite at 0 and 1."""
    for loss in get_args(losses.Loss):
        there = losses.differences([y], [p], [q], loss=loss)[0]
        back = losses.differences([y], [q], [p], loss=loss)[0]
        assert np.isfinite(there)
        assert there == pytest.approx(-back, abs=1e-12)
        assert losses.differences([y], [p], [p], loss=loss)[0] == 0.0


@given(
    slope=st.floats(0.2, 3.0), intercept=st.floats(-3.0, 3.0), score=probabilities, y=probabilities,
    entries=st.integers(2, 50),
)  # fmt: skip
def test_no_score_is_beyond_the_bound(slope: float, intercept: float, score: float, y: float, entries: int) -> None:
    """Also scores between the entries of the table, and maps that jump there."""
    one = steps.Isotonic((0.0, 0.31, 0.77), (0.1, 0.4, 0.6))
    other = logistic.Platt(slope, intercept)
    table = np.linspace(0.0, 1.0, entries)
    for loss in get_args(losses.Loss):
        bound = losses.bound(one.apply(table), other.apply(table), loss=loss)
        found = losses.differences([y], one.apply([score]), other.apply([score]), loss=loss)
        assert abs(found[0]) <= bound + 1e-12


def test_floor_bounds_every_pair_of_maps() -> None:
    """With outputs of 0 and 1 the log loss differs by log((1 - floor) / floor) at most."""
    worst = losses.bound([0.0, 1.0], [0.0, 1.0], floor=0.01)
    assert worst == pytest.approx(np.log(99.0))


def test_equal_maps_have_a_bound_too() -> None:
    """Small, but a comparison can start with it."""
    assert 0.0 < losses.bound([0.3, 0.3], [0.3, 0.3]) < 1e-6


def test_maps_that_fall_have_no_bound() -> None:
    """Nor have tables of different lengths, or of one entry."""
    for one, other in (([0.2, 0.1], [0.1, 0.2]), ([0.1, 0.2], [0.1, 0.2, 0.3]), ([0.1], [0.1])):
        with pytest.raises(errors.UsageError, match="CAL-478"):
            losses.bound(one, other)
