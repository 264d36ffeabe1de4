"""The control store: every decision and the audit log of all decisions, changed together or not at all.

Promises of every implementation; ``calibrant.testing.control_store_contract`` is the exam.

1. **Together.** ``commit`` is one transaction: all changes, their audit entries and the tree over them, or nothing.
   There is no way to change a resource without an entry. Durable when it returns.
2. **Compare and swap.** A change whose ``expected`` revision is not the current one is refused (ConflictError
   CAL-911, naming the resource and its revision), and so is a requirement; then nothing of the command happened.
3. **One order.** Entries are numbered from 0 without gaps in the order of commits, across all processes. ``at_us``
   never falls: a clock that jumps back is held at the time of the last entry.
4. **Once.** A command with an idempotency key that was committed already returns what it returned then, with
   ``repeated`` set; the same key with other changes or requirements is refused (ConflictError CAL-912). Reasons do not
   count: a digest of them would outlive their erasure. A key belongs to its principal.
5. **Kept.** Every revision of every resource stays readable; ``at`` answers for any past moment.
6. **Witnessed.** ``witness`` is called within the transaction with the new entries, before it is made durable; if it
   raises, nothing happened. Only one witness is called at a time, in the order of entries.
7. **Erasable.** What was said (reasons, origins) lies beside the log under its commitment and can be erased; the
   entries and the tree stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, Self, TypeAlias

from calibrant.registry import resources


@dataclass(frozen=True, slots=True)
class Said:
    """Words under a commitment: ``audit.entries.commitment(text, salt=salt)``."""

    salt: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Author:
    """Who commits, from where, and in which request. ``origin`` (an address) is kept erasable."""

    principal: str
    origin: str | None = None
    request: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """The new revisions in the order of the changes, and the size of the log after them."""

    resources: tuple[resources.Resource, ...]
    size: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement of the tree's root at a size, as the text of a note; ``at_us`` is when it was signed."""

    size: int
    note: str
    at_us: int


#: Told of new entries (the index of the first, their bytes) before they are durable; raises to refuse them.
Witness: TypeAlias = Callable[[int, Sequence[bytes]], None]


class ControlReader(Protocol):
    """Reads. Each sees one state; ``snapshot`` gives several reads of one state."""

    def get(self, kind: str, name: str) -> resources.Resource | None:
        """The current revision; None when there never was one. A removed resource has a ``body`` of None."""
        ...

    def at(self, kind: str, name: str, at_us: int) -> resources.Resource | None:
        """The revision that was current at a time; one made at exactly that time counts."""
        ...

    def history(self, kind: str, name: str) -> tuple[resources.Resource, ...]:
        """All revisions, oldest first."""
        ...

    def browse(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> tuple[resources.Resource, ...]:
        """Current revisions of what exists, by name (in code point order): names with a prefix, after a name."""
        ...

    def size(self) -> int:
        """How many entries the log has."""
        ...

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes of the entries [start, end), in order, as they are stored: nothing is checked."""
        ...

    def node(self, level: int, index: int) -> bytes:
        """The stored hash of a complete subtree; leaves are level 0, ``index`` counts from the left."""
        ...

    def checkpoints(self, *, from_size: int = 0) -> tuple[Checkpoint, ...]:
        """All checkpoints of at least this size, smallest first."""
        ...

    def newest_checkpoint(self) -> Checkpoint | None:
        """The checkpoint of the largest size."""
        ...

    def said(self, commitment: str) -> Said | None:
        """The words under a commitment; None when they were erased, or never were."""
        ...

    def schema_version(self) -> int:
        """The version of the stored schema."""
        ...

    def snapshot(self) -> AbstractContextManager[ControlReader]:
        """Several reads of one state, while others write."""
        ...


class ControlStore(ControlReader, Protocol):
    """The store with its writes. Any number of processes may write; the object may be shared by threads."""

    def commit(
        self,
        command: resources.Command,
        *,
        author: Author,
        at_us: int,
        witness: Witness | None = None,
    ) -> Committed:
        """Make all changes of a command, with one audit entry each."""
        ...

    def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint; one of the same size stays as it was."""
        ...

    def erase(self, commitments: Sequence[str]) -> int:
        """Erase words for good; how many were there."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *failure: object) -> None: ...
