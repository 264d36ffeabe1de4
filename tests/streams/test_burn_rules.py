"""Burn rules: the standard ones, declared ones, and those that could never ring (invariant 18)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant import errors
from calibrant.streams import burn_rules, policies

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_the_standard_rules_of_thirty_days_of_minutes_are_those_of_the_book() -> None:
    """14.4, 6, 3 and 1 over 1 h, 6 h, 1 d and 3 d, with short windows of a twelfth."""
    found = burn_rules.standard(30 * 24 * 12)
    assert [(one.severity, round(one.factor, 6), one.long / 12, one.short / 12) for one in found] == [
        ("page", 14.4, 1, 1 / 12),
        ("page", 6, 6, 0.5),
        ("ticket", 3, 24, 2),
        ("ticket", 1, 72, 6),
    ]


@given(st.integers(burn_rules.FEWEST_SLICES, 10_000))
def test_every_period_has_a_page_and_a_ticket(slices: int) -> None:
    """Windows are whole slices, the short one inside the long one, the long one inside the period."""
    found = burn_rules.standard(slices)
    assert {one.severity for one in found} == {"page", "ticket"}
    assert all(1 <= one.short <= one.long <= slices and one.factor > 0 for one in found)


@pytest.mark.parametrize(
    "text", ["", "page", "page 4", "page x 7d/2d", "panic 4 7d/2d", "page 4 2d/7d", "page 4 36h/1d", "page 4 7d/12h"]
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    """With the form that is."""
    with pytest.raises(errors.UsageError, match="CAL-816"):
        policies.SloPolicy(burn=(text,))


def test_a_declared_rule_takes_the_place_of_the_standard_ones() -> None:
    """Read with the slices of the objective."""
    found = burn_rules.rules(("page 6 6h/1h", "ticket 1.5 3d/6h"), width=HOUR, period=28 * DAY)
    assert found == (burn_rules.BurnRule("page", 6.0, 6, 1), burn_rules.BurnRule("ticket", 1.5, 72, 6))


@pytest.mark.parametrize(
    ("objective", "burn"),
    [(0.95, ("page 20 7d/1d",)), (0.9, ("page 14.4 7d/1d",)), (0.75, ()), (0.5, ()), (0.95, ("page 0 7d/1d",))],
)
def test_a_factor_that_nothing_can_reach_is_refused_when_it_is_declared(
    objective: float, burn: tuple[str, ...]
) -> None:
    """Invariant 18: factor < 1 / (1 - objective)."""
    with pytest.raises(errors.UsageError, match="CAL-815"):
        policies.SloPolicy(objective=objective, burn=burn)


@given(st.floats(0.01, 0.9999), st.floats(0.1, 10_000))
def test_what_is_accepted_can_ring(objective: float, factor: float) -> None:
    """Invariant 18 over all objectives and factors: all slices bad is above every accepted rule."""
    declared = (f"page {factor:.6f} 7d/1d",)
    if 1 / (1 - objective) > float(f"{factor:.6f}"):
        policies.SloPolicy(objective=objective, burn=declared)
    else:
        with pytest.raises(errors.UsageError, match="CAL-815"):
            policies.SloPolicy(objective=objective, burn=declared)


def test_windows_fit_into_the_period_and_the_period_has_windows() -> None:
    """Otherwise the objective is refused."""
    with pytest.raises(errors.UsageError, match="longer than the period"):
        policies.SloPolicy(burn=("page 4 35d/2d",))
    with pytest.raises(errors.UsageError, match="too short"):
        policies.SloPolicy(period=timedelta(days=7))
