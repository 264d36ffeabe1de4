"""SQLite as the database of the embedded store: one writing connection, a connection for every read."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from calibrant import errors
from calibrant.storage import database, documents
from calibrant.storage.embedded import faults, legacy_runs, runs, segments

FILE: Final = "events.sqlite"
#: How long a statement waits for another connection of this store.
BUSY_MS: Final = 10_000
#: The write-ahead log is copied into the database after so many pages.
CHECKPOINT_PAGES = 16_000


class SqliteSession:
    """Named statements on one connection within one transaction."""

    def __init__(self, connection: sqlite3.Connection, files: segments.Segments, shelf: runs.Shelf) -> None:
        self._connection = connection
        self._files = files
        self._shelf = shelf
        self._statements = documents.statements("sqlite")
        #: Runs that nobody needs once this transaction is durable.
        self.dead: list[str] = []

    def rows(self, name: str, /, **parameters: Any) -> list[database.Row]:
        with faults.told():
            return self._connection.execute(self._statements[name], _ready(parameters)).fetchall()

    def run(self, name: str, /, **parameters: Any) -> int:
        with faults.told():
            return self._connection.execute(self._statements[name], _ready(parameters)).rowcount

    def many(self, name: str, rows: Iterable[Sequence[Any]], /) -> None:
        with faults.told():
            self._connection.executemany(self._statements[name], rows)

    def identities(self, stream_id: int) -> runs.Runs:
        return runs.Runs(self, self._files, self._shelf, stream_id, dead=self.dead.append)


class SqliteDatabase:
    """The file, its writing connection (unless it is opened for reading), and the segments beside it."""

    def __init__(self, root: Path, *, writes: bool) -> None:
        self.sealed = segments.Segments(root)
        self._path = root / FILE
        self._turn = threading.RLock()
        self._writer: sqlite3.Connection | None = None
        self._shelf = runs.Shelf({})
        if writes:
            with faults.told():
                self._recover()

    def _recover(self) -> sqlite3.Connection:
        """Connect, and copy the whole write-ahead log into the database with new fsyncs.

        After a failed fsync the system may call pages clean that are not on the disk, and later ones would build on
        them; copying the log again leaves nothing that rests on the one that failed.
        """
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA cache_size = -65536")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.DatabaseError:
            connection.close()
            raise
        self._writer = connection
        return connection

    @contextmanager
    def write(self) -> Iterator[SqliteSession]:
        """A transaction; whatever fails in it, nothing of it stays. After a failure of the disk we connect anew."""
        with self._turn:
            with faults.told():
                connection = self._writer or self._recover()
                connection.execute("BEGIN IMMEDIATE")
            try:
                session = SqliteSession(connection, self.sealed, self._shelf)
                yield session
                with faults.told():
                    connection.execute("COMMIT")
                self.sealed.discard(session.dead)
            except errors.StoreFaultError:
                connection.close()
                self._writer = None
                raise
            except BaseException:  # whatever ended the work, an interrupt too: nothing of it stays, and it is raised on
                if connection.in_transaction:  # a full disk may have rolled it back already
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[SqliteSession]:
        """One state of the database and of the segments it names."""
        address = f"{self._path.resolve().as_uri()}?mode=ro"
        with self.sealed.held(), closing(_connected(address)) as connection:
            with faults.told():
                connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
                connection.execute("BEGIN")
                version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                raise faults.absent(str(self._path.parent), "another process is making it just now")
            documents.check_version(version, dialect="sqlite", exact=True)
            yield SqliteSession(connection, self.sealed, self._shelf)

    def shred(self) -> bool:
        """Rewrite the database without what was deleted and empty the log; a reader in the way delays it."""
        with self._turn, self.sealed.alone() as alone, faults.told():
            connection = self._writer or self._recover()
            if alone:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return alone

    def migrate(self, upto: int | None = None) -> None:
        """Bring the schema up to the newest version (or ``upto``) in one transaction: readers see no half of it."""
        scripts = documents.migrations("sqlite")[:upto]
        with self._turn, faults.told():
            connection = self._writer or self._recover()
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            documents.check_version(version, dialect="sqlite", exact=False)
            if steps := "\n".join(scripts[version:]):
                connection.executescript(f"BEGIN IMMEDIATE;\n{steps}\nPRAGMA user_version = {len(scripts)};\nCOMMIT;")
            segments.sync_folder(self._path.parent)
        if upto is None:
            self._move_identities()

    def _move_identities(self) -> None:
        """Out of the tables in which earlier versions kept them, in one transaction."""
        with self.write() as session:
            legacy_runs.move(session)

    def close(self) -> None:
        with self._turn:
            if self._writer is not None:
                self._writer.close()
                self._writer = None


def _connected(address: str) -> sqlite3.Connection:
    with faults.told():
        return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)


def _ready(parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
        for name, value in parameters.items()
    }


def private(path: Path) -> int:
    """Open or make a file that only its owner can read."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
