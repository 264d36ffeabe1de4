"""A latch is released by a person, on record, any number of times."""

from __future__ import annotations

import pytest

from calibrant import errors
from calibrant.registry import latches, policy


def test_each_release_is_a_revision(registry) -> None:
    """The newest counts."""
    assert latches.released_us(registry.get("latch", "fraud")) is None
    registry.apply(latches.release(None, "fraud", now_us=5, reason="looked"))
    registry.apply(latches.release(registry.the("latch", "fraud"), "fraud", now_us=9, reason=None))
    assert latches.released_us(registry.get("latch", "fraud")) == 9
    assert len(registry.history("latch", "fraud")) == 2


def test_an_operator_does_it() -> None:
    """Not whoever proposes."""
    assert policy.MATRIX["latch.release"] == {"operator"}
    with pytest.raises(errors.UsageError, match="CAL-940"):
        latches.release(None, "../fraud", now_us=1, reason=None)
