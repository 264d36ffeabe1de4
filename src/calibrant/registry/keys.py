"""API keys: ``cal_<prefix>_<secret>``. The prefix finds the key, the secret proves it, and only its hash is kept.

A secret has 256 random bits, so one SHA-256 of it is as strong as the secret; slow hashes are for passwords, which
people choose. Every key expires, and none exists that nobody issued.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from calibrant import errors
from calibrant.registry import principals, resources

KIND: Final = "key"
#: The longest that a key may live.
LONGEST_US: Final = 366 * 86_400_000_000

_TOKEN: Final = re.compile(r"cal_([0-9a-f]{12})_([0-9a-f]{64})")
#: What a presented secret is compared with when no key has its prefix, so that both take equally long.
_NOBODY: Final = hashlib.sha256(b"nobody").hexdigest()


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A key as its holder has it. It has no repr, so that no log shows it by accident."""

    prefix: str
    secret: str

    def reveal(self) -> str:
        """The text that the holder keeps."""
        return f"cal_{self.prefix}_{self.secret}"


def parse(text: str) -> Token:
    """Read a token; ForbiddenError (CAL-902), which does not repeat it."""
    found = _TOKEN.fullmatch(text.strip())
    if found is None:
        raise _unknown("it does not have the form cal_..._...")
    return Token(found[1], found[2])


def issue(
    holder: resources.Resource,
    *,
    expires_us: int,
    now_us: int,
    random: Callable[[int], bytes],
    label: str = "",
) -> tuple[resources.Command, Token]:
    """A new key for a principal, and the token that is shown once. ``random(n)`` gives n unguessable bytes."""
    if not now_us < expires_us <= now_us + LONGEST_US:
        raise errors.UsageError(
            "CAL-943",
            "a key expires within a year",
            cause="this one would have expired already, or live longer than 366 days",
            fix="choose a shorter life, and issue another key before it ends",
        )
    token = Token(random(6).hex(), random(32).hex())
    body = {
        "principal": holder.name,
        "hash": hashlib.sha256(token.secret.encode()).hexdigest(),
        "expires_us": expires_us,
        "state": "active",
        "label": label,
    }
    change = resources.Change(KIND, token.prefix, resources.ABSENT, body, "key.issue")
    return resources.Command((change,), (resources.Requirement(principals.KIND, holder.name, holder.revision),)), token


def revoke(found: resources.Resource) -> resources.Command:
    """End a key at once."""
    body: dict[str, Any] = {**(found.body or {}), "state": "revoked"}
    return resources.Command((resources.Change(KIND, found.name, found.revision, body, "key.revoke"),))


def holder(token: Token, found: resources.Resource | None, *, now_us: int) -> str:
    """The principal that a token proves; ForbiddenError (CAL-902 unknown, CAL-903 ended)."""
    body = None if found is None else found.body
    kept = _NOBODY if body is None else body["hash"]
    same = hmac.compare_digest(hashlib.sha256(token.secret.encode()).hexdigest(), kept)
    if body is None or not same:
        raise _unknown("no such key was issued here")
    if body["state"] != "active" or now_us >= body["expires_us"]:
        raise errors.ForbiddenError(
            "CAL-903",
            "this key has ended",
            cause="it was revoked" if body["state"] != "active" else "it has expired",
            fix="ask an admin for a new one: calibrant people key issue",
        )
    return str(body["principal"])


def _unknown(cause: str) -> errors.ForbiddenError:
    return errors.ForbiddenError(
        "CAL-902", "this key is unknown", cause=cause, fix="set CALIBRANT_KEY to a key that an admin issued"
    )
