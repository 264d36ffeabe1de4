"""Instants: leap seconds, odd offsets, the ends of the range."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.events import refusals, times


@given(st.integers(times.FIRST, times.END - 1))
def test_what_is_written_is_read_again(us: int) -> None:
    """Microseconds since 1970 survive their text."""
    assert times.to_us(times.parse(times.text(us), "at")) == us
    assert times.to_us(times.of_us(us)) == us


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00Z"),
        ("2017-01-01T00:59:60+01:00", "2017-01-01T00:00:00Z"),
        ("2026-01-31T12:00:00+05:45", "2026-01-31T06:15:00Z"),
        ("2026-01-31T12:00:00-2359", "2026-02-01T11:59:00Z"),
        ("2024-02-29T00:00:00-00:00", "2024-02-29T00:00:00Z"),
    ],
)
def test_leap_seconds_and_odd_offsets(text: str, like: str) -> None:
    """A leap second is the second after it; an offset is only another way to write the instant."""
    assert times.parse(text, "at") == times.parse(like, "at")


@pytest.mark.parametrize("text", ["2016-12-31T22:59:60Z", "2023-02-29T00:00:00Z", "2026-01-31T12:00:61Z", ""])
def test_times_that_are_none(text: str) -> None:
    """A sixtieth second elsewhere, a day that does not exist, nothing."""
    with pytest.raises(refusals.Refused) as caught:
        times.parse(text, "at")
    assert (caught.value.refusal, caught.value.path) == (refusals.BAD_TIME, "at")


def test_values_need_a_zone_and_a_sensible_year() -> None:
    """The same conditions for times made in Python."""
    with pytest.raises(ValueError, match="CAL-379"):
        times.to_us(datetime(2026, 1, 31))  # noqa: DTZ001
    for year in (1969, 2200):
        with pytest.raises(ValueError, match="CAL-380"):
            times.to_us(datetime(year, 6, 1, tzinfo=UTC))
