"""What the control plane keeps: named resources with revisions, and changes that ask for the next revision.

Everything that is decided is a resource: an artifact's state, a binding, a principal, a key, an approval. A resource
has one content at a time, a JSON object; each change makes the next revision, and all revisions are kept, so that any
past moment can be asked for. A change says which revision it was made from: if that is not the current one any more,
somebody else was first, and it is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from calibrant.calibrators import canonical

#: The revision of a resource that does not exist.
ABSENT: Final = 0


@dataclass(frozen=True, slots=True)
class Resource:
    """One revision of one resource. ``revision`` counts from 1; ``index`` is that of the audit entry that made it.

    ``body`` is None when this revision removed it.
    """

    kind: str
    name: str
    revision: int
    body: Mapping[str, Any] | None
    at_us: int
    index: int

    @property
    def digest(self) -> str | None:
        """What the audit log calls this content; None when there is none."""
        return None if self.body is None else digest(self.body)


@dataclass(frozen=True, slots=True)
class Change:
    """Make ``body`` the content of a resource, coming from ``expected``: the revision that it was decided on.

    ``action`` is a verb of ``registry.policy`` ("artifact.seal"). ``body`` None removes the resource. ``evidence`` are
    digests of what the change rests on; ``reason`` is said by a person and kept erasable.
    """

    kind: str
    name: str
    expected: int
    body: Mapping[str, Any] | None
    action: str
    reason: str | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Requirement:
    """A resource that a command read and did not change: it must still have this revision when the command commits.

    With ``working`` it is a piece of working state (``ports.working_state``), such as a lease.
    """

    kind: str
    name: str
    revision: int
    working: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """What a pure rule asks for: all of these changes in one transaction, or none of them."""

    changes: tuple[Change, ...]
    requires: tuple[Requirement, ...] = field(default=())


def digest(body: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a content.

    >>> digest({"champion": None})[:23]
    'sha256:7a9a8e584c330df6'
    """
    return "sha256:" + hashlib.sha256(canonical.dumps(dict(body))).hexdigest()
