"""A folder as the second place: one file that only grows, synchronised to the disk line by line."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from calibrant.ports import audit_copy, control_store
from calibrant.storage.audit_copy import journal, limit

JOURNAL: Final = "journal.jsonl"
#: Within the two seconds of the port, with room for the store around it.
SECONDS: Final = 1.5
#: A journal of a million entries is read in seconds; a share that hangs must not stop the verification for ever.
READING_SECONDS: Final = 120.0


class FolderCopy:
    """An ``AuditCopy`` in a folder, for any number of processes.

    The journal is made by the intent of entry 0 alone. A folder without one that is told of a later entry is not the
    second place of this log (a disk that is not mounted, for example), and refuses.
    """

    def __init__(self, folder: Path, *, seconds: float = SECONDS) -> None:
        self._path = folder / JOURNAL
        self._by = secrets.token_hex(4)
        self._writing = limit.Limit(seconds)
        self._reading = limit.Limit(READING_SECONDS)

    def intend(self, index: int, entries: Sequence[bytes]) -> None:
        line = journal.intent(index, entries, by=self._by)
        self._writing.call(lambda: append(self._path, line, create=index == 0))

    def done(self, size: int) -> None:
        line = journal.done(size, by=self._by)
        self._writing.call(lambda: append(self._path, line))

    def checkpoint(self, checkpoint: control_store.Checkpoint) -> None:
        line = journal.checkpoint(checkpoint)
        self._writing.call(lambda: append(self._path, line))

    def read(self) -> audit_copy.Copied:
        return self._reading.call(lambda: _read(self._path))


def append(path: Path, line: bytes, *, create: bool = False) -> None:
    """Put a line at the end of a journal, durably; a torn line before it is ended first."""
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    # the last byte is read, so the file is opened for both
    handle = os.open(path, os.O_RDWR | os.O_APPEND | (os.O_CREAT if create else 0), 0o640)
    try:
        size = os.fstat(handle).st_size
        rest = line if size == 0 or os.pread(handle, 1, size - 1) == b"\n" else b"\n" + line
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    if create:
        _sync_folder(path.parent)


def _read(path: Path) -> audit_copy.Copied:
    try:
        with path.open("rb") as lines:
            return journal.read(lines)
    except FileNotFoundError:
        return audit_copy.Copied((), 0, ())


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
