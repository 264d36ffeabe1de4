"""The lines of a journal, which only grows, and what they say together.

    {"by": WRITER, "intend": INDEX, "entries": [TEXT, ...]}
    {"by": WRITER, "done": SIZE}
    {"checkpoint": {"size": SIZE, "note": NOTE, "at_us": TIME}}

A line that was torn by a crash was never acknowledged and is passed over. A line that was acknowledged and is gone
leaves a gap, which is an error. A write that hung may arrive late, when another writer's change has taken its place:
it is passed over too, since ``done`` names the writer whose entries were committed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from calibrant import errors
from calibrant.audit import tree
from calibrant.ports import audit_copy, control_store


def intent(index: int, entries: Sequence[bytes], *, by: str) -> bytes:
    """The line before a commit. Entries are kept as they are, so that the copy can say what an edited one said."""
    return _line({"by": by, "intend": index, "entries": [_text(entry) for entry in entries]})


def done(size: int, *, by: str) -> bytes:
    """The line after a commit."""
    return _line({"by": by, "done": size})


def checkpoint(found: control_store.Checkpoint) -> bytes:
    """The line of a checkpoint."""
    return _line({"checkpoint": {"size": found.size, "note": found.note, "at_us": found.at_us}})


def read(lines: Iterable[bytes]) -> audit_copy.Copied:
    """What all lines say together; StoreDamagedError (CAL-856) for a gap."""
    told = _Told()
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            continue  # torn: whoever wrote it was told so, or died
        if isinstance(found, dict):
            told.take(found)
    return audit_copy.Copied(tuple(told.leaves), told.committed, tuple(told.checkpoints))


def until(lines: Iterable[bytes], *, size: int, checkpoints: Collection[int]) -> Iterator[bytes]:
    """The lines that tell of the entries before ``size`` and of checkpoints of these sizes: the journal of a log that
    was copied while it grew. Torn lines are left out.
    """
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        match found:
            case {"intend": int(index)} if index < size:
                yield line
            case {"done": int(told)} if told <= size:
                yield line
            case {"checkpoint": {"size": int(signed)}} if signed in checkpoints:
                yield line
            case _:
                pass


class _Told:
    """The sum of the lines so far."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []
        self.committed = 0
        self.checkpoints: list[control_store.Checkpoint] = []
        self._intents: dict[str, tuple[int, list[bytes]]] = {}

    def take(self, line: dict[str, Any]) -> None:
        match line:
            case {"intend": int(index), "entries": list(entries), "by": str(by)}:
                self._intend(index, [tree.leaf_hash(_bytes(entry)) for entry in entries], by)
            case {"done": int(size), "by": str(by)}:
                self._done(size, by)
            case {"checkpoint": {"size": int(size), "note": str(note), "at_us": int(at_us)}}:
                self.checkpoints.append(control_store.Checkpoint(size, note, at_us))
            case _:
                pass

    def _intend(self, index: int, leaves: list[bytes], by: str) -> None:
        if index < self.committed:
            return  # it hung, and the change was refused
        self._no_gap(index)
        self.committed = index
        self.leaves[index:] = leaves
        self._intents[by] = (index, leaves)

    def _done(self, size: int, by: str) -> None:
        index, leaves = self._intents.get(by, (0, []))
        if leaves and index >= self.committed and index + len(leaves) == size:
            self.leaves[index:size] = leaves
        self._no_gap(size)
        self.committed = max(self.committed, size)

    def _no_gap(self, index: int) -> None:
        if index > len(self.leaves):
            raise errors.StoreDamagedError(
                "CAL-856",
                f"the second place of the audit log has lost entries from {len(self.leaves):,} on",
                cause=f"it knows that entries before {index:,} were committed, and not what they said",
                fix="restore its journal; until then nobody can tell whether the log was rewritten",
            )


def _line(found: dict[str, Any]) -> bytes:
    return json.dumps(found).encode() + b"\n"


def _text(entry: bytes) -> str:
    return entry.decode(errors="surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
