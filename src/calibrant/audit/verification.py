"""Whether a log is what it was: every hash again from the content of the entries, against all that was ever signed or
told elsewhere.

What an entry says is never taken from anywhere but its bytes. A stored hash, a checkpoint and the second place are
each compared with what the bytes give; the first entry that any of them contradicts is named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from calibrant import errors
from calibrant.artifacts import keys as key_files
from calibrant.audit import checkpoint, entries, tree

#: What is wrong: an entry that is none, or not in its place; hashes that are not those of the entries; an end that was
#: cut off; a checkpoint that is not signed or says something else; the second place was told something else; what the
#: store holds is not what the entries say.
Fault: TypeAlias = Literal["entry", "order", "chain", "hash", "end", "checkpoint", "copy", "resource"]


class Log(Protocol):
    """The reads of a control store that this needs."""

    def size(self) -> int: ...

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[bytes]: ...

    def node(self, level: int, index: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Problem:
    """Something is wrong at one of the entries [index, end); ``index`` is None where no entry is the bad one."""

    fault: Fault
    index: int | None
    end: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Chain:
    """What the entries say of one resource: its last revision, and a digest of all that they say."""

    revision: int = 0
    after: str | None = None
    digest: bytes = b""

    def then(self, *, revision: int, index: int, at_us: int, after: str | None) -> Chain:
        """The chain with one more revision."""
        line = f"{revision} {index} {at_us} {after}\n".encode()
        return Chain(revision, after, hashlib.sha256(self.digest + line).digest())


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is known outside the store: leaf hashes from entry 0 on (None: nobody kept them), how many entries were
    committed, and checkpoints."""

    leaves: Sequence[bytes] | None
    committed: int
    notes: Sequence[tuple[int, str]]


@dataclass(slots=True)
class Findings:
    """What a verification saw. One problem of each fault is kept: the first."""

    entries: int = 0
    root: bytes = tree.EMPTY
    checkpoints: int = 0
    covered: int = 0
    problems: dict[Fault, Problem] = field(default_factory=dict)
    #: What the entries say of each resource, by (kind, name).
    chains: dict[tuple[str, str], Chain] = field(default_factory=dict)
    #: So many entries at the beginning are as the second place knows them.
    known_good: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def first_bad(self) -> int | None:
        """The first bad entry; the first that it may be where that cannot be told."""
        found = []
        for one in self.problems.values():
            if one.index is not None:
                end = self.entries if one.end is None else one.end
                found.append(max(one.index, self.known_good) if self.known_good < end else one.index)
        return min(found, default=None)

    def report(self, fault: Fault, index: int | None, text: str, *, end: int | None = None) -> None:
        """Keep a problem, unless one of this fault is known that lies before it or within it."""
        if index is not None and end is None:
            end = index + 1
        known = self.problems.get(fault)
        if known is None or (end is not None and (known.index is None or end <= known.index)):
            self.problems[fault] = Problem(fault, index, end, text)


def verify(
    log: Log,
    *,
    notes: Sequence[tuple[int, str]],
    elsewhere: Elsewhere,
    keys: Sequence[key_files.PublicKey],
) -> Findings:
    """Compare a log with its stored hashes, its checkpoints (size and note each) and what is known elsewhere."""
    found = Findings()
    roots = _sweep(log, found, wanted={size for size, _ in (*notes, *elsewhere.notes)}, told=elsewhere.leaves or ())
    _compare_ends(found, elsewhere)
    _check_notes(found, elsewhere.notes, roots, keys, of="the second place")
    kept = {size for size, _ in notes}
    for size, _ in elsewhere.notes:
        if size not in kept:
            found.report("checkpoint", None, f"the checkpoint of size {size:,}, which is kept elsewhere, is gone")
    found.covered = _check_notes(found, notes, roots, keys, of="the log")
    found.checkpoints = len(notes)
    return found


def _sweep(log: Log, found: Findings, *, wanted: set[int], told: Sequence[bytes]) -> Mapping[int, bytes]:
    """Read every entry once; the roots at the wanted sizes, from content alone."""
    roots = {0: tree.EMPTY}
    peaks: list[bytes] = []
    last_us, index = -(2**63), 0
    try:
        for index, data in enumerate(log.entries()):
            leaf = tree.leaf_hash(data)
            _compare_nodes(log, found, index, leaf, peaks)
            if index < len(told):
                if leaf != told[index]:
                    found.report("copy", index, "the second place was told something else")
                elif found.known_good == index:
                    found.known_good = index + 1
            last_us = _compare_entry(found, index, data, last_us)
            found.entries = index + 1
            if found.entries in wanted:
                roots[found.entries] = _root(peaks)
    except errors.StoreError as error:
        found.report("entry", index, f"it cannot be read: {error.cause}")
    found.root = _root(peaks)
    stored = log.size()
    if stored > found.entries:
        found.report("end", found.entries, f"the log claims {stored:,} entries and holds {found.entries:,}", end=stored)
    return roots


def _compare_entry(found: Findings, index: int, data: bytes, last_us: int) -> int:
    """One entry against its place and against those before it; the latest time so far."""
    try:
        entry = entries.loads(data)
    except errors.ArtifactError as error:
        found.report("entry", index, f"it is not an entry: {error.cause}")
        return last_us
    if entry.index != index:
        found.report("order", index, f"the entry in this place calls itself {entry.index:,}")
    if entry.at_us < last_us:
        found.report("order", index, "it is older than the entry before it")
    chain = found.chains.get((entry.kind, entry.name), Chain())
    if (entry.revision, entry.before) != (chain.revision + 1, chain.after):
        found.report(
            "chain",
            index,
            f"it makes revision {entry.revision} of {entry.kind} {entry.name!r} out of something else than "
            f"revision {chain.revision}, which earlier entries made",
        )
    found.chains[entry.kind, entry.name] = chain.then(
        revision=entry.revision, index=entry.index, at_us=entry.at_us, after=entry.after
    )
    return max(last_us, entry.at_us)


def _compare_nodes(log: Log, found: Findings, index: int, leaf: bytes, peaks: list[bytes]) -> None:
    """The subtrees that this leaf completes against the stored ones; ``peaks`` moves on by the leaf."""
    level, at, value = 0, index, leaf
    while True:
        try:
            same = log.node(level, at) == value
        except errors.CalibrantError:
            same = False
        if not same:
            what = "its stored hash is" if level == 0 else f"the stored hash over {1 << level:,} entries is"
            found.report("hash", at << level, f"{what} not that of what is there", end=(at + 1) << level)
        if not at & 1:
            peaks.append(value)
            return
        value = tree.node_hash(peaks.pop(), value)
        level, at = level + 1, at >> 1


def _root(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return tree.EMPTY
    value = peaks[-1]
    for left in reversed(peaks[:-1]):
        value = tree.node_hash(left, value)
    return value


def _compare_ends(found: Findings, elsewhere: Elsewhere) -> None:
    """An end that was cut off, or one that the second place never heard of."""
    if found.entries < elsewhere.committed:
        text = f"the second place knows that {elsewhere.committed:,} entries were committed"
        found.report("end", found.entries, f"the end was cut off: {text}", end=elsewhere.committed)
    if elsewhere.leaves is not None and len(elsewhere.leaves) < found.entries:
        found.report("copy", len(elsewhere.leaves), "the second place was never told of it", end=found.entries)


def _check_notes(
    found: Findings,
    notes: Iterable[tuple[int, str]],
    roots: Mapping[int, bytes],
    keys: Sequence[key_files.PublicKey],
    *,
    of: str,
) -> int:
    """Each checkpoint against the roots; the largest size up to which they agree."""
    good, origins = 0, set()
    for size, note in sorted(notes):
        name = f"the checkpoint of size {size:,} of {of}"
        try:
            said = checkpoint.verify(note, keys)
        except errors.ArtifactError as error:
            found.report("checkpoint", None, f"{name} cannot be trusted: {error.what}")
            continue
        origins.add(said.origin)
        if said.size != size or len(origins) > 1:
            found.report("checkpoint", None, f"{name} is one of another size or another log")
        elif size > found.entries:
            found.report("end", found.entries, f"the end was cut off: {name} is signed", end=size)
        elif said.root != roots[size]:
            found.report("checkpoint", good, f"{name} is signed, and these entries are not what was signed", end=size)
            return good
        else:
            good = size
    return good
