"""Lengths of time as people write them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant import errors
from calibrant.streams import durations


@given(st.integers(1, 999_999_999))
def test_what_is_written_is_read_again(seconds: int) -> None:
    """Every length of whole seconds, and the published pattern agrees."""
    text = durations.write(timedelta(seconds=seconds))
    assert durations.parse(text) == timedelta(seconds=seconds)
    assert re.search(durations.PATTERN, text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90d", 7_776_000), ("36h", 129_600), ("15m", 900), ("1d12h", 129_600), ("2w", 1_209_600), ("P90D", 7_776_000),
        ("PT36H", 129_600), ("P1DT12H", 129_600), ("PT15M", 900), ("P2W", 1_209_600), (" 5s ", 5),
    ],
)  # fmt: skip
def test_both_ways_to_write_it(text: str, seconds: int) -> None:
    """Short, and ISO 8601."""
    assert durations.parse(text) == timedelta(seconds=seconds)
    assert re.search(durations.PATTERN, text.strip())


@pytest.mark.parametrize(
    "text",
    ["", "90", "d", "P", "PT", "P1DT", "P3M", "P1Y", "3 days", "-5d", "1.5d", "12h1d", "٣d", "5D", "9" * 12 + "d"],
)
def test_what_is_no_length_is_refused(text: str) -> None:
    """Months and years have no fixed length; a number without a unit is a guess."""
    with pytest.raises(errors.UsageError, match="CAL-826"):
        durations.parse(text)
    assert not re.search(durations.PATTERN, text)
