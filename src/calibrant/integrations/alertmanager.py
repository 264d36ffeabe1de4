"""Alertmanager, API v2: alerts with their labels; routing, silences and inhibition there come on top of ours.

An alert that is not sent again ends there by itself. So that an outage here does not look like an end, an alert that
fires is said to end only after a day; a channel of this type is told again every hour.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from calibrant.events import times
from calibrant.integrations import guarded
from calibrant.ports import notifier
from calibrant.slo import alerts
from calibrant.streams import addresses

#: How long an alert goes on there without being told again, and how often it is.
LASTS_US: Final = 86_400_000_000
REPEAT_US: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """``address`` is the server's, with or without a path before ``/api/v2``; ``token`` for a proxy before it."""

    address: addresses.Address
    token: str | None = field(default=None, repr=False)
    guard: guarded.Guard = field(default_factory=guarded.Guard)

    def send(self, notice: notifier.Notice) -> notifier.Outcome:
        body = json.dumps([posted(one, at_us=notice.at_us) for one in notice.alerts]).encode()
        headers = {"Content-Type": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        place = addresses.Address(
            self.address.scheme, self.address.host, self.address.port, self.address.path.rstrip("/") + "/api/v2/alerts"
        )
        return guarded.post(place, body, headers=headers, guard=self.guard)


def posted(alert: alerts.Alert, *, at_us: int) -> dict[str, Any]:
    """One alert as the API takes it."""
    ends_us = at_us + LASTS_US if alert.ended_us is None else alert.ended_us
    return {
        "labels": alert.labels.to_dict(),
        "annotations": {name: text for name, text in alert.annotations.items() if text},
        "startsAt": times.text(alert.started_us),
        "endsAt": times.text(ends_us),
    }
