"""Executes commands: the only way in which anything that is decided changes.

Each change is checked against the policy, committed with its entry while the second place is told, and covered by a
signed checkpoint before long. When the second place cannot be told, nothing happens at all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from calibrant import errors
from calibrant.audit import checkpoint, proofs, tree
from calibrant.ports import audit_copy, clock, control_store
from calibrant.registry import policy, principals, resources

#: A checkpoint is made after so many entries, or so many microseconds when there are new ones at all.
MOST_ENTRIES: Final = 1_000
LONGEST_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Ledger:
    """A control store with its second place, and the key that signs its checkpoints (None where it is not at hand).

    ``fence`` is required by every command beside what the command requires itself: the lease of a controller.
    """

    store: control_store.ControlStore
    copy: audit_copy.AuditCopy
    signer: checkpoint.Signer | None
    clock: clock.Clock
    fence: tuple[resources.Requirement, ...] = ()

    @property
    def reader(self) -> control_store.ControlReader:
        """What commands are decided on."""
        return self.store

    def execute(
        self,
        principal: principals.Principal,
        command: resources.Command,
        *,
        origin: str | None = None,
        request: str | None = None,
        idempotency_key: str | None = None,
    ) -> control_store.Committed:
        """All changes of a command, or none.

        Raises ForbiddenError (CAL-901) when a change is not the principal's to make, ConflictError (CAL-911, 912) when
        somebody else was first, AuditCopyError (CAL-855) within two seconds when the second place does not answer.
        """
        for change in command.changes:
            policy.demand(change.action, principal.roles, who=principal.name)
        author = control_store.Author(principal.name, origin, request, idempotency_key)
        now_us = self.clock.now_us()
        fenced = replace(command, requires=(*command.requires, *self.fence))
        committed = self.store.commit(fenced, author=author, at_us=now_us, witness=self.copy.intend)
        # From here on the change has happened, and a failure must not say that it has not. Whatever fails is made up
        # for by the next command: its intent says that all entries before it were committed.
        with contextlib.suppress(errors.StoreError):
            if not committed.repeated:
                self.copy.done(committed.size)
            if self._due():
                self.checkpoint()
        return committed

    def checkpoint(self) -> control_store.Checkpoint | None:
        """Sign the log as it is and tell the second place; the newest checkpoint when it covers everything already.

        None for a log without entries, or without a key to sign with. Raises StoreDamagedError (CAL-857) rather than
        sign a log that does not begin with the one that was signed last.
        """
        with self.store.snapshot() as view:
            size, newest = view.size(), view.newest_checkpoint()
            if size == 0 or self.signer is None or (newest is not None and newest.size == size):
                return newest
            root = tree.root(size, view.node)
            if newest is not None:
                _demand_growth(view, newest, size=size, root=root)
        # what is kept never goes back, whatever the clock does
        at_us = max(self.clock.now_us(), 0 if newest is None else newest.at_us)
        made = control_store.Checkpoint(size, self.signer.note(size=size, root=root), at_us)
        self.store.add_checkpoint(made)
        self.copy.checkpoint(made)
        return made

    def erase(self, commitments: Sequence[str]) -> int:
        """Erase words for good; the command that puts the erasure on record is executed before."""
        return self.store.erase(commitments)

    def _due(self) -> bool:
        newest = self.store.newest_checkpoint()
        if newest is None:
            return True
        fresh = self.store.size() - newest.size
        # a clock that jumped back says nothing about how long ago it was
        return fresh >= MOST_ENTRIES or (fresh > 0 and abs(self.clock.now_us() - newest.at_us) >= LONGEST_US)


def _demand_growth(
    view: control_store.ControlReader, newest: control_store.Checkpoint, *, size: int, root: bytes
) -> None:
    """A log only grows: never sign a second history."""
    try:
        old = checkpoint.parse(newest.note)
        proof = proofs.consistency(old.size, size, view.node)
        grown = proofs.extends(old=old.size, old_root=old.root, size=size, root=root, proof=proof)
    except (errors.ArtifactError, ValueError):  # no note, or one of a longer log
        grown = False
    if not grown:
        raise errors.StoreDamagedError(
            "CAL-857",
            "the audit log does not begin with the one that was signed last",
            cause=f"what was signed of {newest.size:,} entries is not what those entries are now",
            fix="somebody changed the store past Calibrant: calibrant audit verify names the first bad entry",
        )
