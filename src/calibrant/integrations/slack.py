"""Chat that takes Slack's incoming webhooks: one message for each piece of news of a group."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from calibrant.integrations import guarded
from calibrant.ports import notifier
from calibrant.slo import alerts
from calibrant.streams import addresses

#: Alerts of a group that are written out; the others are counted. Characters of one block.
_SHOWN: Final = 10
_BLOCK: Final = 2_900


@dataclass(frozen=True, slots=True)
class Slack:
    """The address is the secret: it is neither shown nor logged."""

    address: addresses.Address = field(repr=False)
    guard: guarded.Guard = field(default_factory=guarded.Guard)

    def send(self, notice: notifier.Notice) -> notifier.Outcome:
        body = json.dumps(message(notice)).encode()
        return guarded.post(self.address, body, headers={"Content-Type": "application/json"}, guard=self.guard)


def message(notice: notifier.Notice) -> dict[str, Any]:
    """The message: a plain text for notifications, and blocks. Whatever came from outside is escaped."""
    head = f"{notice.status.upper()}: {escape(notice.group)}"
    lines = [_line(one) for one in notice.alerts[:_SHOWN]]
    if len(notice.alerts) > _SHOWN:
        lines.append(f"and {len(notice.alerts) - _SHOWN} more")
    return {
        "text": head,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*{head}*"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(lines)[:_BLOCK]}},
        ],
    }


def _line(alert: alerts.Alert) -> str:
    said = escape(alert.annotations.get("summary") or alert.labels.alertname)
    runbook = alert.annotations["runbook_url"]
    link = f" <{escape(runbook)}|runbook>" if runbook.startswith("https://") and "|" not in runbook else ""
    return f"• {alert.status} {escape(alert.labels.cohort)}: {said}{link}"


def escape(text: str) -> str:
    """What must be escaped there, so that nobody can mention a channel or write a link.

    >>> escape("<!channel> & co")
    '&lt;!channel&gt; &amp; co'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
