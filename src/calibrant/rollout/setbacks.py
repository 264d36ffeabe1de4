"""What was rolled back is not tried again at once: it cools down, twice as long each time, and latches after two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from calibrant import errors

#: After so many an artifact is not tried again until a person says so.
LATCH: Final = 2


@dataclass(frozen=True, slots=True)
class Setback:
    """How often an artifact was rolled back, or failed in shadow, and until when it cools down."""

    digest: str
    times: int
    until_us: int


def add(before: Sequence[Setback], digest: str, *, at_us: int, cooldown_us: int) -> tuple[Setback, ...]:
    """One more setback of this artifact: each one doubles the time."""
    times = 1 + next((one.times for one in before if one.digest == digest), 0)
    until_us = at_us + cooldown_us * 2 ** min(times - 1, 20)
    return (*(one for one in before if one.digest != digest), Setback(digest, times, until_us))


def demand_rested(before: Sequence[Setback], digest: str, *, artifact: str, now_us: int) -> None:
    """RefusedError while an artifact is latched (CAL-936) or cools down (CAL-935)."""
    found = next((one for one in before if one.digest == digest), None)
    if found is None:
        return
    if found.times >= LATCH:
        raise errors.RefusedError(
            "CAL-936",
            f"{artifact} is latched",
            cause=f"it was taken back {found.times} times",
            fix="propose another artifact; a person who knows better may start it with --override and a reason",
        )
    if now_us < found.until_us:
        raise errors.RefusedError(
            "CAL-935",
            f"{artifact} cools down",
            cause="it was taken back a short while ago",
            fix="wait, or propose another artifact; calibrant rollout get says until when",
        )
