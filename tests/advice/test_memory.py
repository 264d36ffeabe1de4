"""Latches, bars and what is kept between two looks."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from calibrant.advice import hysteresis, memory

DAY_US = 86_400_000_000


def test_two_rollbacks_in_a_row_latch_until_a_person_acts() -> None:
    """Of the same artifact or of two."""
    once = memory.Memory().taken_back("a", 10)
    assert not once.latched
    twice = once.taken_back("b", 20)
    assert twice.latched
    assert twice.changed(30).latched
    assert not twice.released(40).latched
    assert twice.released(40).taken_back("c", 50).taken_back("d", 60).latched


def test_a_change_that_proves_itself_ends_the_row() -> None:
    """One rollback before and one after it are not two in a row."""
    assert not memory.Memory().taken_back("a", 10).proved(20).taken_back("b", 30).latched


def test_one_artifact_taken_back_twice_is_spent_even_with_a_success_between() -> None:
    """Only a person makes it eligible again."""
    found = memory.Memory().taken_back("a", 10).proved(20).taken_back("a", 30)
    assert found.spent("a")
    assert not found.spent("b")
    assert not found.released(40).spent("a")


def test_the_cooldown_of_what_was_taken_back_doubles() -> None:
    """One day, two days, four days, from the last time."""
    found = memory.Memory()
    assert found.barred("a", DAY_US) is None
    for number, days in enumerate((1, 2, 4)):
        found = found.taken_back("a", number * 100 * DAY_US).released(number * 100 * DAY_US + 1)
        assert found.barred("a", DAY_US) == number * 100 * DAY_US + days * DAY_US


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(("changed", "proved", "taken_back", "released")), st.sampled_from("ab"), st.integers(0, 9)
    ),
    max_size=20,
)


@given(EVENTS)
def test_what_happened_is_kept_and_told_twice_counts_once(events: list[tuple[str, str, int]]) -> None:
    """The memory comes back from JSON as it was; each event may be delivered again at once."""
    found = memory.Memory(hysteresis.Gate(True, 1, 5))
    for kind, digest, at_us in events:
        for _ in range(2):
            again = found.taken_back(digest, at_us) if kind == "taken_back" else getattr(found, kind)(at_us)
            assert again == (found if _ else again)
            found = again
    assert memory.Memory.from_dict(json.loads(json.dumps(found.to_dict()))) == found
