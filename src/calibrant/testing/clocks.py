"""A clock that says what it is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class FakeClock:
    """A ``ports.clock.Clock`` that stands still until it is moved, forwards or backwards.

    >>> clock = FakeClock(1_000_000)
    >>> clock.advance(seconds=2)
    >>> clock.now_us()
    3000000
    """

    us: int = 1_700_000_000_000_000

    def now_us(self) -> int:
        return self.us

    def advance(self, *, seconds: float = 0.0, days: float = 0.0) -> None:
        """Move the clock; negative amounts are jumps back."""
        self.us += round((seconds + 86_400 * days) * 1_000_000)
