"""Bets: no rate within the tolerance expects a gain, and what a label multiplies the wealth by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.calibrators import scales
from calibrant.stats.sequential import bets

unit = st.floats(0.0, 1.0)


@given(p=unit, q=st.floats(1e-6, 1.0 - 1e-6), tolerance=st.floats(0.0, 0.3), u=unit, place=st.floats(-1.0, 1.0))
def test_no_gain_is_expected_within_the_tolerance(p: float, q: float, tolerance: float, u: float, place: float) -> None:
    """For every rate within delta of the score, every alternative and every weight: E[exp(gain)] <= 1."""
    rate = min(max(p + place * tolerance, 0.0), 1.0)
    one, zero = (float(np.exp(bets.gains(_rows(p, label, u, tolerance), np.array([q])))[0]) for label in (1.0, 0.0))
    assert rate * one + (1.0 - rate) * zero <= 1.0 + 1e-9
    assert one >= 0.0
    assert zero >= 0.0


@given(p=unit, q=st.floats(-1.0, 2.0), tolerance=st.floats(0.0, 0.3), label=unit, u=unit)
def test_a_cautious_bet_costs_half_at_most(p: float, q: float, tolerance: float, label: float, u: float) -> None:
    """Whatever was learned, one row leaves half of the wealth, labels between 0 and 1 included."""
    rows = _rows(p, label, u, tolerance)
    careful = bets.cautious(rows, np.array([q]), slice(None))
    assert bets.gains(rows, careful)[0] >= np.log(0.5) - 1e-9


def test_likelihood_ratio() -> None:
    """With weight 1 and a 0/1 label the gain is the log likelihood ratio to the end of the band."""
    p, q = np.array([0.3, 0.3, 0.3]), np.array([0.6, 0.1, 0.31])
    ones = bets.rows(p, np.ones(3), np.ones(3), tolerance=0.02)
    zeros = bets.rows(p, np.zeros(3), np.ones(3), tolerance=0.02)
    np.testing.assert_allclose(bets.gains(ones, q), np.log([0.6 / 0.32, 0.1 / 0.28, 1.0]))
    np.testing.assert_allclose(bets.gains(zeros, q), np.log([0.4 / 0.68, 0.9 / 0.72, 1.0]))


def test_fixed_alternatives_are_lines_in_log_odds() -> None:
    """One row of gains for each, those of its line."""
    rows = _rows(0.2, 1.0, 1.0, 0.0)
    expected = [bets.gains(rows, scales.expit(a + b * rows.x))[0] for a, b in bets.FIXED]
    np.testing.assert_array_equal(bets.fixed_gains(rows)[:, 0], expected)
    assert bets.SHARES.sum() == pytest.approx(1.0)
    assert len(bets.SHARES) == bets.COUNT


def _rows(p: float, y: float, u: float, tolerance: float) -> bets.Rows:
    return bets.rows(np.array([p]), np.array([y]), np.array([u]), tolerance=tolerance)
