"""The life of an alert, reading by reading."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from calibrant.slo import lifecycle
from calibrant.slo.budgets import Condition

MINUTE = 60_000_000
HOUR = 60 * MINUTE
RULES = lifecycle.Rules()
CONDITIONS: st.SearchStrategy[Condition] = st.sampled_from(["bad", "good", "unknown"])


def live(
    readings: Iterable[tuple[int, Condition]], life: lifecycle.Life | None = None
) -> tuple[lifecycle.Life, list[tuple[int, lifecycle.Event]]]:
    """All readings, and the events with their times."""
    life, told = life or lifecycle.Life(), []
    for at, condition in readings:
        stepped = lifecycle.step(life, condition, now_us=at, rules=RULES)
        life = stepped.life
        told += [(at, event) for event in stepped.events]
    return life, told


def every(minutes: int, hours: float, condition: Condition, *, start: int = 0) -> list[tuple[int, Condition]]:
    """The same reading again and again."""
    return [(start + at * minutes * MINUTE, condition) for at in range(int(hours * 60 / minutes))]


def test_it_fires_after_the_condition_held_and_resolves_after_it_ended() -> None:
    """Five minutes and fifteen."""
    life, told = live([*every(1, 0.5, "bad"), *every(1, 0.5, "good", start=HOUR // 2)])
    assert told == [(5 * MINUTE, "fired"), (HOUR // 2 + 15 * MINUTE, "resolved")]
    assert (life.state, life.episode, life.started_us) == ("resolved", 1, 0)


def test_one_bad_reading_is_nothing() -> None:
    """It was pending, and is not any more."""
    life, told = live([(0, "bad"), (MINUTE, "good"), (10 * MINUTE, "bad")])
    assert not told
    assert life.state == "pending"


def test_missing_data_resolve_nothing_and_fire_nothing() -> None:
    """Seventy-two hours without labels: still firing; a pending alert stays pending."""
    life, told = live([*every(5, 1, "bad"), *every(5, 72, "unknown", start=HOUR)])
    assert [event for _, event in told] == ["fired"]
    assert life.state == "firing"
    pending, told = live([(0, "bad"), *every(5, 72, "unknown", start=MINUTE)])
    assert (pending.state, told) == ("pending", [])


def test_a_gap_starts_the_quiet_anew() -> None:
    """Good, unknown, good is not fifteen good minutes."""
    readings: list[tuple[int, Condition]] = [*every(1, 1, "bad"), (HOUR, "good"), (HOUR + 14 * MINUTE, "unknown")]
    life, _ = live([*readings, (HOUR + 15 * MINUTE, "good"), (HOUR + 29 * MINUTE, "good")])
    assert life.state == "firing"
    assert live([(HOUR + 30 * MINUTE, "good")], life)[1] == [(HOUR + 30 * MINUTE, "resolved")]


def test_a_metric_that_hugs_its_threshold_for_thirty_days_is_told_a_few_times() -> None:
    """1,440 changes of condition: three firings in the first hours, then it flaps and stays."""
    readings: list[tuple[int, Condition]] = []
    for half_hour in range(30 * 48):
        condition: Condition = "good" if half_hour % 2 else "bad"
        readings += every(5, 0.5, condition, start=half_hour * HOUR // 2)
    life, told = live(readings)
    assert [event for _, event in told] == ["fired", "resolved", "fired", "resolved", "fired", "flapping"]
    assert life.flapping
    ended, told = live(every(5, 25, "good", start=30 * 24 * HOUR), life)
    assert [event for _, event in told] == ["resolved"]
    assert not ended.flapping


def test_a_clock_that_jumps_back_is_held() -> None:
    """An hour back: nothing resolves early, nothing fires twice."""
    life, told = live([(2 * HOUR, "bad"), (2 * HOUR + 6 * MINUTE, "bad"), (HOUR, "good"), (HOUR + 20 * MINUTE, "good")])
    assert [event for _, event in told] == ["fired"]
    assert life.seen_us == 2 * HOUR + 6 * MINUTE


@given(st.lists(st.tuples(st.integers(0, 3 * HOUR), CONDITIONS), max_size=60))
def test_whatever_is_read(steps: list[tuple[int, Condition]]) -> None:
    """Firings and ends alternate; unknown changes no state; the life survives being written down."""
    life, now, told = lifecycle.Life(), 0, []
    for wait, condition in steps:
        now += wait
        stepped = lifecycle.step(life, condition, now_us=now, rules=RULES)
        if condition == "unknown":
            assert (stepped.life.state, stepped.events) == (life.state, ())
        if "resolved" in stepped.events:
            assert condition == "good"
        if "fired" in stepped.events:
            assert condition == "bad"
        told += [event for event in stepped.events if event != "flapping"]
        life = stepped.life
        assert lifecycle.Life.from_body(json.loads(json.dumps(life.to_body()))) == life
    assert told == ["fired", "resolved"] * (len(told) // 2) + ["fired"] * (len(told) % 2)
    assert life.episode == told.count("fired")


@given(st.lists(st.tuples(st.integers(0, 3 * HOUR), CONDITIONS), max_size=30))
def test_a_reading_that_comes_twice_changes_nothing(steps: list[tuple[int, Condition]]) -> None:
    """Invariant 10."""
    life, now = lifecycle.Life(), 0
    for wait, condition in steps:
        now += wait
        once = lifecycle.step(life, condition, now_us=now, rules=RULES)
        twice = lifecycle.step(once.life, condition, now_us=now, rules=RULES)
        assert (twice.life, twice.events) == (once.life, ())
        life = once.life
