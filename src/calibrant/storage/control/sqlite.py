"""SQLite as the database of the control store: one file, any number of processes of one machine.

Every commit is one write of the log and one fsync (WAL, synchronous FULL). Writers of several processes follow one
another: each tries again at the same short distance until it is its turn, so nobody's chance falls while they wait.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from calibrant import errors
from calibrant.storage.control import migrations, store
from calibrant.storage.control import session as sessions
from calibrant.storage.embedded import faults, segments, sqlite

FILE: Final = "control.sqlite"
#: How long a writer waits for its turn altogether, and in one try.
PATIENCE_S: Final = 10.0
TRY_MS: Final = 5
#: How long a reader waits, which it only does while somebody recovers the log after a crash.
READ_MS: Final = 10_000


class ControlSqlite:
    """The file, with one writing connection (unless it is opened for reading) and a connection for every read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.RLock()
        self._writer: sqlite3.Connection | None = None

    def _connect(self) -> sqlite3.Connection:
        if self._writer is None:
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            try:
                connection.execute(f"PRAGMA busy_timeout = {TRY_MS}")
                _patiently(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchall())
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA secure_delete = ON")
            except BaseException:  # whatever it was, the connection is of no use; it is raised on
                connection.close()
                raise
            self._writer = connection
        return self._writer

    @contextmanager
    def write(self) -> Iterator[sessions.Session]:
        """A transaction; whatever fails in it, nothing of it stays. After a failure of the disk we connect anew."""
        with self._turn, _told():
            connection = self._connect()
            _patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
            try:
                _check(connection)
                yield sessions.Session(connection, "sqlite")
                connection.execute("COMMIT")
            except BaseException as error:  # an interrupt too: nothing of it stays, and it is raised on
                if connection.in_transaction:  # a full disk may have rolled it back already
                    connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.DatabaseError):
                    self._disconnect()
                raise

    @contextmanager
    def read(self) -> Iterator[sessions.Session]:
        address = f"{self._path.resolve().as_uri()}?mode=ro"
        with _told(), closing(_reading(address)) as connection:
            connection.execute("BEGIN")
            _check(connection)
            yield sessions.Session(connection, "sqlite")

    def erase(self, commitments: Sequence[str]) -> int:
        """Delete, overwrite the place (secure_delete) and empty the write-ahead log, which holds older pages.

        StoreBusyError (CAL-851) when a reader keeps the log in use all the time: the words are gone for every reader,
        and erasing them once more empties the log.
        """
        with self._turn, _told():
            with self.write() as session:
                many = session.run("erase", commitments=list(commitments))
            connection = self._connect()

            def emptied() -> None:
                if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                    busy = sqlite3.OperationalError("a reader holds the write-ahead log")
                    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
                    raise busy

            _patiently(emptied)
            return many

    def migrate(self, to: int | None = None, *, known: Sequence[migrations.Step] | None = None) -> None:
        """Bring the schema to a version (the newest), each step in a transaction of its own."""
        steps = migrations.steps("sqlite") if known is None else known
        target = len(steps) if to is None else to
        with self._turn, _told():
            connection = self._connect()
            while True:
                _patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
                try:
                    version = connection.execute("PRAGMA user_version").fetchone()[0]
                    number, script = next(migrations.path(version, target, known=steps), (version, ""))
                    if number == 0 < version:
                        migrations.check_empty(connection.execute("SELECT COUNT(*) FROM entries").fetchone()[0])
                    for statement in _statements(script):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {number}")
                    connection.execute("COMMIT")
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                if number == target:
                    break

    def close(self) -> None:
        with self._turn:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def open_store(path: str | Path) -> store.SqlControlStore:
    """Open the control store in a file for reading and writing, making it if it is not there."""
    file = Path(path)
    with faults.told():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(sqlite.private(file))
        segments.sync_folder(file.parent)
    database = ControlSqlite(file)
    try:
        database.migrate()
    except BaseException:  # an interrupt too; it is raised on
        database.close()
        raise
    return store.SqlControlStore(database)


def open_reader(path: str | Path) -> store.SqlControlReads:
    """Open it for reading, also while others write; SourceError (CAL-116) when there is none."""
    file = Path(path)
    if not file.is_file():
        raise errors.SourceError(
            "CAL-116",
            f"there is no control store at {str(file)!r}",
            cause="nothing was decided here yet",
            fix="name the folder in which it lies, or begin with calibrant people init",
        )
    return store.SqlControlReads(ControlSqlite(file))


def _reading(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {READ_MS}")
    return connection


def _check(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    migrations.check(version, newest=len(migrations.steps("sqlite")))


def _patiently(work: Callable[[], object]) -> None:
    """Try until nobody is in the way; SQLite's own waiting grows from try to try, which lets newcomers pass."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            work()
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        else:
            return


def _statements(script: str) -> Iterator[str]:
    """One by one: ``executescript`` would end our transaction."""
    held = ""
    for line in script.splitlines(keepends=True):
        held += line
        if sqlite3.complete_statement(held):
            yield held
            held = ""


@contextmanager
def _told() -> Iterator[None]:
    """Failures of the disk in our words; a schema or rows that are not as we left them are damage."""
    with faults.told():
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code in faults.OURS:
                raise sessions.damaged("the control store", str(error)) from error
            raise
