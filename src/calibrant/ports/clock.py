"""The time of day as a capability, so that a test can say what time it is."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Says what time it is. It may jump: nothing that must only grow is computed from differences of its answers."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        ...
