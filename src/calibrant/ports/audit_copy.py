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
    """What the copy knows: the leaf hash of every entry from the first on, as it was told last; how many of them are
    committed for certain; and notes."""

    leaves: tuple[bytes, ...]
    committed: int
    checkpoints: tuple[control_store.Checkpoint, ...]


class AuditCopy(Protocol):
    """A second place; ``calibrant.testing.audit_copy_contract`` is the exam.

    Whatever keeps something returns within two seconds, durable, or raises AuditCopyError (CAL-855). A copy begins with
    entry 0: a place that should know earlier entries and does not (a folder that is not mounted) refuses later ones.
    """

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
        """Everything that is known here; StoreDamagedError (CAL-856) when part of it was lost."""
        ...
