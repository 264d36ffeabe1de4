"""What one entry of the audit log says, and its one byte sequence.

An entry names digests, never contents. Whatever may be about a person (the reason in words, the address of a client)
is in the entry as a salted commitment: SHA-256(salt || text). The salt and the text are kept beside the log and can be
erased; the entry and the tree stay as they are, and nobody can guess the text from the commitment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from calibrant import errors
from calibrant.calibrators import canonical

SCHEMA: Final = "calibrant.audit/1"
#: Bytes of a commitment's salt.
SALT: Final = 16
_sorted = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
_KEYS: Final = (
    "action", "actor", "after", "at_us", "before", "evidence", "idempotency_key", "index", "origin", "reason",
    "request", "resource", "schema",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: who did what to which resource, from which content to which, why, and on what evidence.

    ``index`` counts from 0. ``actor`` is the name of a principal. ``before`` and ``after`` are digests of the
    resource's content, None where there was or is none; they are equal when nothing changed (a note). ``evidence``
    are digests of what the change rests on. ``reason`` and ``origin`` are commitments. ``request`` identifies the
    request: entries of one transaction share it.
    """

    index: int
    at_us: int
    actor: str
    action: str
    kind: str
    name: str
    revision: int
    before: str | None
    after: str | None
    evidence: tuple[str, ...] = ()
    reason: str | None = None
    origin: str | None = None
    request: str | None = None
    idempotency_key: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "index": self.index,
            "at_us": self.at_us,
            "actor": self.actor,
            "action": self.action,
            "resource": {"kind": self.kind, "name": self.name, "revision": self.revision},
            "before": self.before,
            "after": self.after,
            "evidence": list(self.evidence),
            "reason": self.reason,
            "origin": self.origin,
            "request": self.request,
            "idempotency_key": self.idempotency_key,
        }


def dumps(entry: Entry) -> bytes:
    """Canonical JSON (RFC 8785); what the tree's leaf is the hash of."""
    if _typed(entry):
        # without fractions and with plain keys, the standard library writes the same bytes ten times faster
        return _sorted(entry.to_dict()).encode()
    return canonical.dumps(entry.to_dict())


def loads(data: bytes) -> Entry:
    """Read an entry back; ArtifactError (CAL-630) for bytes that ``dumps`` did not write."""
    try:
        found = json.loads(data)
        entry = _entry(found)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _malformed(type(error).__name__) from None
    if tuple(sorted(found)) != _KEYS or not _typed(entry) or dumps(entry) != data:
        raise _malformed("not in canonical form")
    return entry


def _entry(found: Mapping[str, Any]) -> Entry:
    resource = found["resource"]
    return Entry(
        index=found["index"],
        at_us=found["at_us"],
        actor=found["actor"],
        action=found["action"],
        kind=resource["kind"],
        name=resource["name"],
        revision=resource["revision"],
        before=found["before"],
        after=found["after"],
        evidence=tuple(found["evidence"]),
        reason=found["reason"],
        origin=found["origin"],
        request=found["request"],
        idempotency_key=found["idempotency_key"],
    )


def _typed(entry: Entry) -> bool:
    """Whether every part is of the type that it is declared as, and every number exact in JSON."""
    numbers = (entry.index, entry.at_us, entry.revision)
    texts = (entry.actor, entry.action, entry.kind, entry.name, *entry.evidence)
    perhaps = (entry.before, entry.after, entry.reason, entry.origin, entry.request, entry.idempotency_key)
    return (
        all(type(number) is int and abs(number) <= canonical.EXACT for number in numbers)
        and all(type(text) is str for text in texts)
        and all(text is None or type(text) is str for text in perhaps)
    )


def _malformed(cause: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        "CAL-630",
        "this is not an entry of an audit log",
        cause=cause,
        fix="verify the log: calibrant audit verify names the first entry that was changed",
    )


def commitment(text: str, *, salt: bytes) -> str:
    """The commitment to a text under a random salt of 16 bytes.

    >>> commitment("fewer false alarms", salt=bytes(16))[:20]
    'sha256:fb4f529610011'
    """
    if len(salt) != SALT:
        raise ValueError(f"a salt has {SALT} bytes")
    return "sha256:" + hashlib.sha256(salt + text.encode()).hexdigest()
