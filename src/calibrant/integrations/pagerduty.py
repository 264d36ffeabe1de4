"""PagerDuty, Events API v2: one incident for each group of alerts, triggered and resolved under a key that stays."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final

from calibrant.events import times
from calibrant.integrations import guarded
from calibrant.ports import notifier
from calibrant.streams import addresses

ENDPOINT: Final = addresses.Address("https", "events.pagerduty.com", 443, "/v2/enqueue")
#: Alerts of a group that are written out; the others are counted.
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """An integration of a service there, by its routing key."""

    routing_key: str = field(repr=False)
    address: addresses.Address = ENDPOINT
    guard: guarded.Guard = field(default_factory=guarded.Guard)

    def send(self, notice: notifier.Notice) -> notifier.Outcome:
        body = json.dumps({"routing_key": self.routing_key, **event(notice)}).encode()
        return guarded.post(self.address, body, headers={"Content-Type": "application/json"}, guard=self.guard)


def dedup_key(group: str) -> str:
    """What an incident is known by: the group, never a value or a time.

    >>> dedup_key("fraud/burn/page")
    'b0f61d8f83d543b4f4d2c967c719702a663f8231'
    """
    return hashlib.sha256(group.encode()).hexdigest()[:40]


def event(notice: notifier.Notice) -> dict[str, Any]:
    """The event without its routing key."""
    key = dedup_key(notice.group)
    if notice.status == "resolved":
        return {"event_action": "resolve", "dedup_key": key}
    firing = [one for one in notice.alerts if one.status == "firing"]
    first = firing[0].labels
    runbook = firing[0].annotations["runbook_url"]
    links = [{"href": runbook, "text": "runbook"}] if runbook.startswith("https://") else []
    return {
        "event_action": "trigger",
        "dedup_key": key,
        "client": "Calibrant",
        "links": links,
        "payload": {
            "summary": summary(notice)[:1024],
            "source": first.stream,
            "severity": "critical" if first.severity == "page" else "warning",
            "timestamp": times.text(min(one.started_us for one in firing)),
            "component": first.slo,
            "group": first.stream,
            "class": first.kind,
            "custom_details": {
                "alerts": [
                    {"cohort": one.labels.cohort, "alertname": one.labels.alertname, **one.annotations}
                    for one in firing[:_SHOWN]
                ],
                "more": max(0, len(firing) - _SHOWN),
            },
        },
    }


def summary(notice: notifier.Notice) -> str:
    """One line about a group."""
    firing = [one for one in notice.alerts if one.status == "firing"]
    first = (firing or list(notice.alerts))[0]
    said = first.annotations.get("summary") or first.labels.alertname
    more = f" (and {len(firing) - 1} more)" if len(firing) > 1 else ""
    return f"{first.labels.stream}: {said}{more}"
