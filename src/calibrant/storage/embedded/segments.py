"""Sealed pieces as immutable Parquet files, and when it is safe to remove one."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from calibrant.storage import pieces
from calibrant.storage.embedded import faults

ROWS: Final = 1 << 17
PARTIAL: Final = ".part"


class Segments:
    """The segments folder of a store. Files are named by us alone: a stream's folder is the hash of its name."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / "segments"
        self._lock = root / "readers.lock"
        #: Runs that nobody needs, and that somebody held when they were to go.
        self._discarded: list[str] = []

    def prepare(self) -> None:
        """Make the folder and the lock file, durably."""
        self._folder.mkdir(exist_ok=True)
        self._lock.touch(mode=0o600)
        sync_folder(self._root)

    def write(self, stream: str, table: pa.Table, kind: str) -> tuple[str, None, str]:
        """Write beside, fsync, rename, fsync the folder: afterwards the file is there, whole, whatever happens."""
        name = hashlib.sha256(stream.encode()).hexdigest()[:32]

        def write(part: Path) -> None:
            parquet.write_table(table, part, compression="zstd", row_group_size=ROWS, write_page_checksum=True)

        file, digest = self._durable(name, f"{kind}-{uuid.uuid4().hex}.parquet", write)
        return file, None, digest

    def write_run(self, columns: Iterable[NDArray[Any]]) -> tuple[str, str]:
        """The same for a run of identities."""

        def write(part: Path) -> None:
            with part.open("wb") as opened:
                for column in columns:
                    column.tofile(opened)

        return self._durable("identities", f"{uuid.uuid4().hex}.run", write)

    def _durable(self, name: str, file: str, write: Callable[[Path], None]) -> tuple[str, str]:
        folder = self._folder / name
        with faults.told():
            if not folder.exists():
                folder.mkdir()
                sync_folder(self._folder)
            target = folder / file
            part = target.with_suffix(PARTIAL)
            try:
                write(part)
                digest = _fsynced_digest(part)
                part.rename(target)
            finally:
                part.unlink(missing_ok=True)
            sync_folder(folder)
        return f"{name}/{file}", digest

    def path(self, file: str) -> Path:
        """Where a file lies."""
        return self._folder / file

    def discard(self, files: Iterable[str]) -> None:
        """Remove runs that no row names, once nobody reads: a backup copies those that its state names.

        Those that somebody holds go with the next ones; what is left then goes at the next opening.
        """
        self._discarded += files
        with contextlib.suppress(OSError):
            if self._discarded:
                with self.alone() as alone:
                    while alone and self._discarded:
                        self.path(self._discarded[-1]).unlink(missing_ok=True)
                        self._discarded.pop()

    def read(self, file: str, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        """The row groups of a file one after the other; StoreDamagedError (CAL-854) when it cannot be read."""
        try:
            with parquet.ParquetFile(self._folder / file, page_checksum_verification=True) as opened:
                for group in range(opened.num_row_groups):
                    table = opened.read_row_group(group, columns=None if columns is None else list(columns))
                    yield table if columns is None else table.select(list(columns))
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            # a damaged footer may have lost a column, or name it in no UTF-8
            raise pieces.damaged(f"segment {file}", str(error)) from error

    def digest(self, file: str) -> str:
        """SHA-256 of a file as it is now; empty when it cannot be read."""
        try:
            with (self._folder / file).open("rb") as opened:
                return hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError:
            return ""

    # ---------------------------------------------------------------- removal

    @contextmanager
    def held(self) -> Iterator[None]:
        """While this lasts, no file is removed."""
        with self._lock.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_SH)
            yield

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether nobody reads now; if so, nobody can begin to while this lasts."""
        with self._lock.open("rb") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def sweep(self, doomed: Sequence[str]) -> tuple[str, ...] | None:
        with self.alone() as alone, faults.told():
            if not alone:
                return None
            for file in doomed:
                (self._folder / file).unlink(missing_ok=True)
            for folder in {(self._folder / file).parent for file in doomed}:
                if folder.exists():
                    sync_folder(folder)
            return tuple(doomed)

    def remove_unknown(self, known: set[str]) -> None:
        """What a crash left: parts, and whole files that no manifest row names."""
        with faults.told():
            for path in self._folder.glob("*/*"):
                if f"{path.parent.name}/{path.name}" not in known:
                    path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _fsynced_digest(path: Path) -> str:
    with path.open("rb+") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        os.fsync(opened.fileno())
    return digest
