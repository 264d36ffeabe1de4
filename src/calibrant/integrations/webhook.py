"""Webhooks as the Standard Webhooks specification signs them: id, time and body under HMAC-SHA256.

The receiver checks ``webhook-signature`` with the shared secret, refuses a ``webhook-timestamp`` that is minutes old,
and takes a ``webhook-id`` that it has seen for done.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from calibrant import errors
from calibrant.events import times
from calibrant.integrations import guarded
from calibrant.ports import notifier
from calibrant.streams import addresses


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of signed notices."""

    address: addresses.Address
    key: bytes = field(repr=False)
    guard: guarded.Guard = field(default_factory=guarded.Guard)

    def send(self, notice: notifier.Notice) -> notifier.Outcome:
        body = json.dumps(document(notice), separators=(",", ":")).encode()
        at = notice.at_us // 1_000_000
        headers = {
            "Content-Type": "application/json",
            "webhook-id": notice.id,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(self.key, notice.id, at, body),
        }
        return guarded.post(self.address, body, headers=headers, guard=self.guard)


def key_of(secret: str) -> bytes:
    """The key of a secret: ``whsec_`` and base64, of 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.strip().removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        raise errors.UsageError(
            "CAL-848",
            "the secret of the webhook cannot be used",
            cause="it is not whsec_ and the base64 of 24 to 64 bytes",
            fix="make one: openssl rand -base64 32",
        )
    return key


def signature(key: bytes, message_id: str, at: int, body: bytes) -> str:
    """The value of ``webhook-signature``; ``at`` in seconds.

    >>> signature(bytes(24), "msg_1", 1674087231, b"{}")
    'v1,uG34EZimU3gLfAAHUU/ZZD18ztMwLodeY5h1Ti5ZO9M='
    """
    signed = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def document(notice: notifier.Notice) -> dict[str, Any]:
    """What is sent: the alerts as they are on record."""
    return {
        "type": f"calibrant.alerts.{notice.status}",
        "timestamp": times.text(notice.at_us),
        "data": {
            "group": notice.group,
            "status": notice.status,
            "alerts": [
                {
                    "fingerprint": one.fingerprint,
                    "status": one.status,
                    "episode": one.episode,
                    "labels": one.labels.to_dict(),
                    "annotations": dict(one.annotations),
                    "startsAt": times.text(one.started_us),
                    "endsAt": None if one.ended_us is None else times.text(one.ended_us),
                    "flapping": one.flapping,
                    "snapshot": None if one.snapshot is None else dict(one.snapshot),
                }
                for one in notice.alerts
            ],
        },
    }
