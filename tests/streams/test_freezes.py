"""Times in which nothing is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant import errors
from calibrant.streams import freezes, policies
from calibrant.streams.bounds import Problem


def us(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )


@pytest.mark.parametrize(
    ("text", "now", "until"),
    [
        ("2026-12-24/2026-12-27", "2026-12-24T00:00", "2026-12-28T00:00"),
        ("2026-12-24/2026-12-27", "2026-12-27T23:59", "2026-12-28T00:00"),
        ("2026-12-24/2026-12-27", "2026-12-23T23:59", None),
        ("2026-12-24/2026-12-27", "2026-12-28T00:00", None),
        ("2026-12-24T16:00/2026-12-27T08:00", "2026-12-27T07:59", "2026-12-27T08:00"),
        ("2026-12-24T16:00+02:00/2026-12-24T17:00+02:00", "2026-12-24T14:30", "2026-12-24T15:00"),
        # 2026-03-06 is a Friday
        ("Fri 16:00/Mon 08:00", "2026-03-06T15:59", None),
        ("Fri 16:00/Mon 08:00", "2026-03-06T16:00", "2026-03-09T08:00"),
        ("Fri 16:00/Mon 08:00", "2026-03-08T12:00", "2026-03-09T08:00"),
        ("Fri 16:00/Mon 08:00", "2026-03-09T08:00", None),
        ("Tue 09:00/Tue 17:00", "2026-03-10T10:00", "2026-03-10T17:00"),
    ],
)
def test_a_freeze_holds_from_its_beginning_to_its_end(text: str, now: str, until: str | None) -> None:
    """Dates hold whole days, times to the minute, weeks come round."""
    found = freezes.holding([text], us(now))
    assert found == (None if until is None else (text, us(until)))


@pytest.mark.parametrize(
    "text", ["", "Christmas", "2026-12-27/2026-12-24", "Fri 25:00/Mon 08:00", "2026-12-24", "Fri 16:00/Fri 16:00"]
)
def test_what_is_no_freeze_says_so(text: str) -> None:
    """A freeze that cannot be read would be one that never holds."""
    found = freezes.parse(text)
    assert isinstance(found, Problem)
    assert found.code == "CAL-814"


@given(st.integers(0, 4 * 10**15))
def test_the_freeze_that_ends_last_is_told(now_us: int) -> None:
    """Overlapping freezes: changes are allowed when all have ended."""
    both = ["Mon 00:00/Wed 00:00", "Tue 00:00/Fri 00:00"]
    found = freezes.holding(both, now_us)
    each = [one for one in (freezes.holding([text], now_us) for text in both) if one is not None]
    assert (found is None) == (not each)
    if found is not None:
        assert found[1] == max(one[1] for one in each)
        assert found[1] > now_us


def test_a_policy_with_a_freeze_that_nobody_can_read_does_not_exist() -> None:
    """It would never hold anything back."""
    with pytest.raises(errors.UsageError, match="CAL-814"):
        policies.AdvicePolicy(freezes=("over Christmas",))
