"""What a running system keeps between two looks: monitors, leases, what is still to be delivered. No decisions.

Everything here can be made again or runs out by itself, so it has no entry in the audit log. Promises, with
``calibrant.testing.working_state_contract`` as the exam: durable when ``remember`` returns; compare and swap across
processes; a command that requires a revision of it (``Requirement(..., working=True)``) commits only if that is still
the one, which is how a controller that lost its lease is kept from acting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Working:
    """One piece of state; ``revision`` counts from 1."""

    kind: str
    name: str
    revision: int
    body: Mapping[str, Any]


class WorkingReader(Protocol):
    """Reads pieces of state by kind and name."""

    def recall(self, kind: str, name: str) -> Working | None:
        """What is kept; None when nothing is."""
        ...

    def recall_all(self, kind: str, *, prefix: str = "") -> tuple[Working, ...]:
        """All of a kind, by name."""
        ...


class WorkingState(WorkingReader, Protocol):
    """Keeps pieces of state by kind and name."""

    def remember(self, kind: str, name: str, body: Mapping[str, Any], *, expected: int) -> Working:
        """Replace revision ``expected`` (0: nothing) by ``body``; ConflictError (CAL-914) if another one is there."""
        ...

    def forget(self, kind: str, name: str, *, expected: int) -> None:
        """Remove revision ``expected``; ConflictError (CAL-914) if another is there."""
        ...
