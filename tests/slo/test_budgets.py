"""Budgets and burn rates, counted by hand."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant import errors
from calibrant.slo import budgets, members, slices
from calibrant.streams import burn_rules, policies

DAY = timedelta(days=1)
POLICY = policies.SloPolicy()
RULES = burn_rules.rules((), width=DAY, period=28 * DAY)


def drawn(text: str, *, rows: int = 600) -> slices.Slices:
    """``g`` good, ``b`` bad, ``t`` too thin, ``.`` without any prediction; filled up with good ones."""
    each = np.array(list(text.rjust(28, "g")))
    counted = np.isin(each, ["g", "b"])
    predictions = np.where(each == ".", 0, rows)
    return slices.Slices(
        (members.WHOLE,), np.arange(28), 1, predictions[None], predictions[None], np.zeros((1, 28)),
        np.zeros((1, 28)), counted[None], (each == "b")[None],
    )  # fmt: skip


def status(text: str, *, objective: float = 0.95) -> budgets.Status:
    """The status of such a period."""
    return budgets.statuses(drawn(text), RULES, objective=objective, coverage=0.8)[0]


def test_a_good_period_is_healthy() -> None:
    """Nothing spent, all covered."""
    found = status("g")
    assert (found.state, found.spent, found.coverage) == ("healthy", 0.0, 1.0)
    assert found.burning("page") == found.burning("ticket") == "good"


def test_one_bad_slice_rings_for_nobody_and_two_in_a_week_page() -> None:
    """4 x 5 % is one slice in five: two of seven, one of the last two."""
    assert status("b").burning("page") == "good"
    assert status("bgggb").burning("page") == "bad"
    assert status("bgggbg").burning("page") == "bad"
    assert status("bgggbgg").burning("page") == "good"
    assert status("bb").state == "exhausted"


def test_a_budget_that_burns_and_is_not_used_up() -> None:
    """A longer period allows more bad slices than the page waits for."""
    rules = burn_rules.standard(120)
    rows = np.full((1, 120), 600)
    bad = np.zeros((1, 120), bool)
    bad[0, -4:] = True
    found = slices.Slices(
        (members.WHOLE,), np.arange(120), 1, rows, rows, 0.0 * rows, 0.0 * rows, np.ones((1, 120), bool), bad
    )
    burning = budgets.statuses(found, rules, objective=0.95, coverage=0.8)[0]
    assert burning.state == "burning"
    assert burning.spent == pytest.approx(4 / 6)


def test_thin_slices_neither_spend_nor_heal() -> None:
    """Too little data is a state of its own, and what is bad stays bad without data."""
    thin = status("t" * 10)
    assert thin.state == "insufficient_data"
    assert thin.coverage == pytest.approx(18 / 28)
    assert thin.covered == "bad"
    assert thin.burning("page") == "unknown"
    assert status("bb" + "t" * 4).state == "exhausted"
    assert status("bb" + "t" * 4).burning("page") == "unknown"


def test_nothing_at_all_is_unknown() -> None:
    """No prediction: neither covered nor uncovered."""
    nothing = status("." * 28)
    assert (nothing.state, nothing.coverage, nothing.covered) == ("insufficient_data", None, "unknown")


def test_days_without_predictions_are_no_gap_in_coverage() -> None:
    """Coverage is a share of predictions, not of time."""
    assert status("." * 20 + "g" * 8).coverage == 1.0


@given(st.text("gbt.", min_size=28, max_size=28), st.text("gbt.", min_size=28, max_size=28))
def test_counts_add_up(first: str, second: str) -> None:
    """The window of two streams is the sum of their windows; a rate is of the sum, never a mean of rates."""
    one, two = status(first).period, status(second).period
    both = one + two
    assert both.rate(0.95) == pytest.approx((one.bad + two.bad) / (56 * 0.05))
    assert (both.slices, both.counted) == (56, one.counted + two.counted)


@given(st.text("gbt.", min_size=28, max_size=28), st.integers(0, 27))
def test_a_label_that_turns_a_slice_bad_never_makes_the_state_better(text: str, at: int) -> None:
    """Budgets made again after a revision: more bad slices, no healthier state."""
    order = ("healthy", "burning", "exhausted")
    revised = text[:at] + "b" + text[at + 1 :]
    before, after = status(text), status(revised)
    if text[at] == "g" and before.state in order:
        assert order.index(after.state) >= order.index(before.state)


def test_an_exhausted_budget_keeps_rollouts_and_never_rollbacks() -> None:
    """Except for the rollout that repairs what burns."""
    with pytest.raises(errors.RefusedError, match="CAL-990"):
        budgets.demand(["all"], "rollout.start")
    budgets.demand(["all"], "rollout.start", repairs=True)
    budgets.demand(["all"], "rollout.rollback")
    budgets.demand([], "rollout.start")


def test_a_status_as_plain_data() -> None:
    """What the command line prints."""
    said = status("bb").to_dict()
    assert (said["cohort"], said["state"], said["bad"]) == ("all", "exhausted", 2)
    assert said["burns"][0]["long"] == {"slices": 7, "counted": 7, "bad": 2, "rate": pytest.approx(2 / 0.35)}
