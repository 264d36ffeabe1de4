"""The audit log: covered by checkpoints, whole, and known to the second place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from calibrant import errors
from calibrant.audit import checkpoint, entries, tree
from calibrant.ports import audit_copy, control_store
from calibrant.workflow import audit_log, ledger
from calibrant.workflow.doctor import findings
from calibrant.workflow.doctor.findings import Finding, Installation

#: So many entries at the end are looked at where not all of them are.
_LAST: Final = 1_000


def signed_in_time(installation: Installation) -> Iterator[Finding]:
    """Entries that no checkpoint covers, for longer than a checkpoint may take."""
    if installation.control is None:
        return
    with installation.control.snapshot() as reader:
        size, newest = reader.size(), reader.newest_checkpoint()
        covered = 0 if newest is None else newest.size
        waiting = size - covered
        if waiting <= 0:
            return
        try:
            since_us = entries.loads(next(iter(reader.entries(covered, covered + 1)))).at_us
        except (errors.ArtifactError, StopIteration):
            return  # the check of the log tells
    age_us = installation.now_us - since_us
    if waiting >= ledger.MOST_ENTRIES or age_us > ledger.LONGEST_US:
        yield findings.UNSIGNED_LOG.saw(f"{waiting:,} entries since entry {covered:,}, {age_us / 1e6:,.0f} s ago")


def verifies(installation: Installation) -> Iterator[Finding]:
    """The last entries, the root and the newest checkpoint; with ``full`` everything, as calibrant audit verify."""
    reader = installation.control
    if reader is None:
        return
    if installation.full:
        found = audit_log.verify(reader, None, keys=audit_log.trusted_keys(reader))
        for problem in found.problems.values():
            where = problem.fault if problem.index is None else f"entry {problem.index:,}"
            yield findings.LOG_BROKEN.saw(f"{where}: {problem.text}")
        return
    try:
        with reader.snapshot() as view:
            seen = _last_entries(view) or _newest_note(view)
    except (errors.StoreError, errors.UsageError) as error:
        seen = error.what
    if seen:
        yield findings.LOG_BROKEN.saw(seen)


def _last_entries(reader: control_store.ControlReader) -> str:
    """What is wrong with one of the last entries."""
    size = reader.size()
    first = max(0, size - _LAST)
    last_us, index = None, first - 1
    for index, data in enumerate(reader.entries(first, size), first):
        try:
            entry = entries.loads(data)
        except errors.ArtifactError as error:
            return f"entry {index:,}: {error.what}"
        if entry.index != index or (last_us is not None and entry.at_us < last_us):
            return f"entry {index:,} is not in its place, or older than the one before it"
        if reader.node(0, index) != tree.leaf_hash(data):
            return f"entry {index:,} is not what its stored hash says"
        last_us = entry.at_us
    return "" if index == size - 1 else f"the log claims {size:,} entries, and ends at {index + 1:,}"


def _newest_note(reader: control_store.ControlReader) -> str:
    """What is wrong with the newest checkpoint."""
    newest, keys = reader.newest_checkpoint(), audit_log.trusted_keys(reader)
    if newest is None:
        return ""
    if newest.size > reader.size():
        return f"a checkpoint of {newest.size:,} entries is signed, and there are {reader.size():,}"
    try:
        said = checkpoint.verify(newest.note, keys)
    except errors.ArtifactError as error:
        return error.what
    same = said.size == newest.size and said.root == tree.root(newest.size, reader.node)
    return "" if same else f"what was signed of {newest.size:,} entries is not what the stored hashes say now"


def second_place(installation: Installation) -> Iterator[Finding]:
    """Whether it answers, lies elsewhere, and was told the same.

    A journal is told of entries before the log has them, and of their commit afterwards: what it knows to be committed
    is read before the log, and what it was told of, after.
    """
    reader = installation.control
    if reader is None or not reader.size():
        return
    if installation.disk.same_as_copy:
        yield findings.SAME_DISK.saw("both lie on one disk")
    try:
        before = installation.copy.read()
        with reader.snapshot() as view:
            size = view.size()
            leaves = [view.node(0, index) for index in range(max(0, size - _LAST), size)]
        after = installation.copy.read()
    except (errors.AuditCopyError, errors.StoreDamagedError) as error:
        yield findings.COPY_GONE.saw(f"{error.what}: {error.cause}")
        return
    if not after.leaves:
        yield findings.COPY_GONE.saw("it has no journal")
        return
    differs = _differs(before, after, size, leaves)
    if differs:
        yield findings.COPY_DIFFERS.saw(differs)


def _differs(before: audit_copy.Copied, after: audit_copy.Copied, size: int, leaves: list[bytes]) -> str:
    if before.committed > size:
        return f"it knows of {before.committed:,} entries that were committed, and the log has {size:,}"
    if len(after.leaves) < size:
        return f"it is behind: {len(after.leaves):,} of {size:,} entries"
    for index, leaf in enumerate(leaves, size - len(leaves)):
        if after.leaves[index] != leaf:
            return f"it was told something else of entry {index:,}"
    return ""
