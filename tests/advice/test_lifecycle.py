"""The states of a recommendation."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant import errors
from calibrant.advice import lifecycle
from calibrant.streams import policies

SIGNALS: tuple[lifecycle.Signal, ...] = (
    lifecycle.Begin(),
    *(lifecycle.Validated(verdict) for verdict in ("passed", "failed", "inconclusive", "error")),
    lifecycle.Decided("approve", "alice"),
    lifecycle.Decided("decline", "bob"),
    lifecycle.Expired(),
    lifecycle.RolledOut(),
    lifecycle.Superseded("next"),
    lifecycle.Suppressed(("freeze",)),
    lifecycle.Moved("another champion"),
)
MODES: tuple[policies.Mode, ...] = get_args(policies.Mode)


def run(mode: policies.Mode, *signals: lifecycle.Signal) -> tuple[lifecycle.State, list[lifecycle.Command]]:
    state = lifecycle.State("proposed", mode)
    said: list[lifecycle.Command] = []
    for signal in signals:
        state, commands = lifecycle.step(state, signal)
        said += commands
    return state, said


def test_each_mode_has_its_way_from_a_proposal_to_a_rollout() -> None:
    """Advice only waits for a person, approve asks for one, auto goes on."""
    passed = lifecycle.Begin(), lifecycle.Validated("passed")
    yes = lifecycle.Decided("approve", "alice")
    assert run("manual", *passed)[0].phase == "validated"
    assert run("approve", *passed)[0].phase == "awaiting_approval"
    assert run("auto", *passed) == (
        lifecycle.State("approved", "auto", "inside the limits of the stream's policy"), ["validate", "start_rollout"],
    )  # fmt: skip
    for mode in ("manual", "approve"):
        state, said = run(mode, *passed, yes, lifecycle.RolledOut())
        assert (state.phase, state.decided_by, said[-1]) == ("rolled_out", "alice", "start_rollout")


@pytest.mark.parametrize("verdict", ["failed", "inconclusive", "error"])
def test_only_a_pass_leads_on(verdict: str) -> None:
    """Not knowing is no good news."""
    for mode in MODES:
        assert run(mode, lifecycle.Begin(), lifecycle.Validated(verdict))[0].phase == "rejected"  # type: ignore[arg-type]


def test_when_champion_or_data_change_it_starts_over() -> None:
    """Approvals were of something else; the request is withdrawn."""
    state, said = run("approve", lifecycle.Begin(), lifecycle.Validated("passed"), lifecycle.Moved("new champion"))
    assert (state.phase, said[-1]) == ("stale", "withdraw_approval")
    assert lifecycle.step(state, lifecycle.Decided("approve", "alice")) == (state, ())
    assert lifecycle.step(state, lifecycle.Begin())[0].phase == "validating"


@given(st.sampled_from(MODES), st.lists(st.sampled_from(SIGNALS), max_size=30))
def test_no_rollout_without_a_pass_and_no_step_twice(mode: policies.Mode, signals: list[lifecycle.Signal]) -> None:
    """A rollout starts only after a pass since the last change of what it rests on, and with a person unless auto.

    Delivering a signal again changes nothing, except that what can begin, begins.
    """
    state, passed, person = lifecycle.State("proposed", mode), False, False
    for signal in signals:
        before = state
        state, commands = lifecycle.step(state, signal)
        if isinstance(signal, lifecycle.Validated) and before.phase == "validating":
            passed, person = signal.verdict == "passed", False
        if isinstance(signal, lifecycle.Decided) and before.phase in ("awaiting_approval", "validated"):
            person = signal.verdict == "approve"
        if "start_rollout" in commands:
            assert passed
            assert person or mode == "auto"
        if before.phase in lifecycle.ENDED:
            assert (state, commands) == (before, ())
        assert lifecycle.step(state, signal) == (state, ())
        assert lifecycle.State.from_body(state.to_body()) == state


def test_what_is_no_recommendation_is_refused() -> None:
    """An unknown phase, a missing member, a stranger."""
    body = lifecycle.State("proposed", "auto").to_body()
    for wrong in ({**body, "phase": "shipped"}, {"phase": "proposed"}, {**body, "more": 1}, {**body, "mode": "yolo"}):
        with pytest.raises(errors.UsageError, match="CAL-467"):
            lifecycle.State.from_body(wrong)
