"""The gate between acting and not acting."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from calibrant.advice import hysteresis
from calibrant.streams import policies

DAY_US = 86_400_000_000
STEP_US = 300_000_000
POLICY = policies.AdvicePolicy()


def turns(readings: Sequence[float | None], *, step_us: int, policy: policies.AdvicePolicy = POLICY) -> list[int]:
    """The times at which the gate turned."""
    gate, found = hysteresis.QUIET, []
    for place, reading in enumerate(readings):
        after = hysteresis.read(gate, reading, policy, now_us=place * step_us)
        found += [place * step_us] if after.acting != gate.acting else []
        gate = after
    return found


def hugging(seed: int) -> list[float]:
    """A month of readings, one each five minutes, that wander about the level at which acting begins."""
    rng = np.random.default_rng(seed)
    noise, value, found = rng.normal(size=30 * 288), 0.0, []
    for one in noise:
        value = 0.8 * value + 0.6 * float(one)
        found.append(POLICY.enter + 0.01 * value)
    return found


def test_a_metric_that_hugs_its_level_turns_the_gate_at_most_once_a_day() -> None:
    """Thirty days: a plain comparison flips some 1,700 times, the gate at most thirty."""
    for seed in range(5):
        readings = hugging(seed)
        above = np.array(readings) > POLICY.enter
        assert 1_600 < int((above[1:] != above[:-1]).sum()) < 1_900
        found = turns(readings, step_us=STEP_US)
        assert 1 <= len(found) <= 30
        assert np.diff(found).min(initial=DAY_US) >= DAY_US


READINGS = st.lists(st.one_of(st.none(), st.floats(0.0, 0.5)), max_size=200)


@given(READINGS, st.integers(1, 2 * DAY_US), st.integers(1, 5))
def test_whatever_is_read_two_turns_are_a_cooldown_apart(
    readings: list[float | None], step_us: int, needed: int
) -> None:
    """For any readings at any pace, with any number in a row."""
    policy = policies.AdvicePolicy(readings=needed)
    found = turns(readings, step_us=step_us, policy=policy)
    assert all(later - earlier >= DAY_US for earlier, later in itertools.pairwise(found))


@given(READINGS)
def test_a_turn_needs_its_readings_in_a_row(readings: list[float | None]) -> None:
    """The readings before each turn all lie beyond the level that asks for it."""
    policy = policies.AdvicePolicy(cooldown=timedelta(microseconds=1), readings=3)
    gate = hysteresis.QUIET
    for place, reading in enumerate(readings):
        after = hysteresis.read(gate, reading, policy, now_us=place)
        if after.acting != gate.acting:
            last = readings[place - 2 : place + 1]
            assert len(last) == 3
            for one in last:
                assert one is not None
                assert one > policy.enter if after.acting else one < policy.leave
        gate = after


def test_no_data_begins_nothing_and_ends_nothing() -> None:
    """A gap breaks the row in both directions, however long it is."""
    high, low = [0.1, 0.1, None, 0.1, 0.1], [0.0, 0.0, None, 0.0, 0.0]
    assert turns(high, step_us=DAY_US) == []
    assert turns([0.1] * 3 + [None] * 50 + low, step_us=DAY_US) == [2 * DAY_US]


def test_between_the_two_levels_nothing_turns() -> None:
    """Begin above ``enter``, end below ``leave``: what lies between keeps the state."""
    between = (POLICY.enter + POLICY.leave) / 2
    assert turns([between] * 50, step_us=DAY_US) == []
    assert turns([0.1] * 3 + [between] * 50, step_us=DAY_US) == [2 * DAY_US]


def test_a_gate_is_kept_and_read_back() -> None:
    """JSON and back."""
    gate = hysteresis.Gate(acting=True, run=2, turned_us=7)
    assert hysteresis.Gate.from_dict(gate.to_dict()) == gate
