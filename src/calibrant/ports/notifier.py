"""Tells somebody of a group of alerts: a capability with one promise, that nothing is called delivered that was not.

``send`` never raises for what the receiver does or fails to do: that is its answer. It returns within its deadline, and
neither a secret nor what a receiver wrote is in what it returns. Sending a notice again is always right: its id is the
same, so that a receiver can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from calibrant.slo import alerts, deliveries


@dataclass(frozen=True, slots=True)
class Notice:
    """Alerts of one stream, cause and severity, as they are. ``id`` is of the message, ``at_us`` of this attempt."""

    id: str
    group: str
    status: alerts.Status
    alerts: tuple[alerts.Alert, ...]
    at_us: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """``failed`` may be tried again, ``refused`` will go on failing until somebody corrects something."""

    result: deliveries.Result
    detail: str
    retry_after_us: int | None = None


class Notifier(Protocol):
    """One channel."""

    def send(self, notice: Notice) -> Outcome:
        """Tell it."""
        ...
