"""The second place of the audit log: what an administrator of the first cannot quietly rewrite.

The copy is told of entries *before* they are durable in the first place, so that nothing is ever in the log alone;
and if it cannot be told (full, hung, gone), the change is refused. An intent for index k says that all entries before
k were committed, and ``done`` says so for the last ones; so somebody cut the end off a log that ends before the
copy's newest done, or before its newest intent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from calibrant.ports import control_store


@dataclass(frozen=True, slots=True)
class Copied:
    """What the copy knows: the leaf hashes of the entries told last, how many are committed for certain, and notes."""

    leaves: tuple[bytes, ...]
    committed: int
    checkpoints: tuple[control_store.Checkpoint, ...]


class AuditCopy(Protocol):
    """A second place. Every call returns within two seconds or raises StoreError (CAL-855), durable when it returns."""

    def intend(self, index: int, entries: Sequence[bytes]) -> None:
        """Keep entries that are about to be committed; a later intent for the same index replaces an earlier one."""
        ...

    def done(self, size: int) -> None:
        """Keep that all entries below ``size`` were committed."""
        ...

    def checkpoint(self, checkpoint: control_store.Checkpoint) -> None:
        """Keep a checkpoint."""
        ...

    def read(self) -> Copied:
        """Everything that is known here."""
        ...
