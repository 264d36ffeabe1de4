"""PostgreSQL as the database of the control store (extra ``postgres``): any number of machines write in turn.

A writer locks the table of entries against other writers for its transaction, in the order of arrival; readers go on.
Durable means what the server means by it: ``synchronous_commit`` is on for our sessions, ``fsync`` must not be off. A
process that stops in the middle loses its turn after twenty seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from calibrant import errors
from calibrant.storage import postgres
from calibrant.storage.control import migrations, store
from calibrant.storage.control import session as sessions

#: What every writing transaction begins with.
_TURN: Final = (
    "SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '20s'; "
    "LOCK TABLE entries IN EXCLUSIVE MODE"
)
#: Only TRUNCATE leaves the old file behind, whatever old snapshots there are.
_REWRITE: Final = (
    "CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM said; TRUNCATE said; "
    "INSERT INTO said SELECT * FROM kept; DROP TABLE kept"
)


class ControlPostgres(postgres.PostgresServer):
    """The schema of the control store on a server."""

    def __init__(self, address: str, *, schema: str) -> None:
        super().__init__(address, schema=schema)
        #: Connections of reads that ended; taking and leaving one is atomic.
        self._idle: list[Any] = []

    @contextmanager
    def write(self) -> Iterator[sessions.Session]:
        with self.writing() as connection:
            connection.execute(_TURN)
            _check(connection)
            yield sessions.Session(connection, "postgres")

    @contextmanager
    def read(self) -> Iterator[sessions.Session]:
        """On a connection that an earlier read left, if there is one: a new one costs more than most reads."""
        with self._told():
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._connect()
                connection.isolation_level = self._psycopg.IsolationLevel.REPEATABLE_READ
                connection.read_only = True
            try:
                with connection.transaction():
                    _check(connection)
                    yield sessions.Session(connection, "postgres")
            except BaseException:  # whatever it was, the connection may be broken; it is raised on
                connection.close()
                self._forget_idle()
                raise
            self._idle.append(connection)

    def close(self) -> None:
        super().close()
        self._forget_idle()

    def _forget_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def erase(self, commitments: Sequence[str]) -> int:
        """Put the other words into a new file and drop the old one, in one transaction.

        Snapshots that began before see no words at all afterwards. Archived write-ahead logs, backups and the blocks of
        the dropped file are the server's own matter.
        """
        with self.writing() as connection:
            connection.execute(_TURN)
            _check(connection)
            many = sessions.Session(connection, "postgres").run("erase", commitments=list(commitments))
            connection.execute(_REWRITE)
            return many

    def migrate(self, to: int | None = None, *, known: Sequence[migrations.Step] | None = None) -> None:
        """Bring the schema to a version (the newest), each step in a transaction of its own."""
        steps = migrations.steps("postgres") if known is None else known
        target = len(steps) if to is None else to
        number = -1
        while number != target:
            with self.writing() as connection:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (postgres.LOCK,))
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self._schema}")
                connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
                version = _version(connection)
                number, script = next(migrations.path(version, target, known=steps), (version, ""))
                if number == 0 < version:
                    migrations.check_empty(connection.execute("SELECT COUNT(*) FROM entries").fetchone()[0])
                if number != version:
                    connection.execute(script)
                    connection.execute("DELETE FROM schema_version")
                    connection.execute("INSERT INTO schema_version (version) VALUES (%s)", (number,))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Who waits too long is told so; a schema or rows that are not as we left them are damage."""
        known = self._psycopg.errors
        with super()._told():
            try:
                yield
            except known.LockNotAvailable as error:
                raise errors.StoreBusyError(
                    "CAL-851",
                    "another process writes into this store",
                    cause="it holds a lock for more than ten seconds",
                    fix="look at what it is doing (pg_stat_activity), and try again",
                ) from error
            except (known.DataCorrupted, known.IndexCorrupted, *self._wrong()) as error:
                raise sessions.damaged("the control store", f"{type(error).__name__} {error.sqlstate}") from error

    def _wrong(self) -> tuple[type[Exception], ...]:
        """What a statement that is right on our schema only meets when the schema or a row is not ours any more."""
        return self._psycopg.ProgrammingError, self._psycopg.IntegrityError, self._psycopg.DataError


def open_store(address: str, *, schema: str = "calibrant_control") -> store.SqlControlStore:
    """Open the control store in a schema of a PostgreSQL database, making it if it is not there.

    ``address`` is a libpq connection string or URL; ``schema`` has a-z, 0-9 and _ only, and is this store's alone.
    Raises MissingExtraError without the extra, UsageError (CAL-866) for another schema name.
    """
    opened = ControlPostgres(address, schema=schema)
    try:
        opened.migrate()
    except BaseException:  # an interrupt too; it is raised on
        opened.close()
        raise
    return store.SqlControlStore(opened)


def _version(connection: Any) -> int:
    return int(connection.execute("SELECT COALESCE(MAX(version), 0) FROM schema_version").fetchone()[0])


def _check(connection: Any) -> None:
    migrations.check(_version(connection), newest=len(migrations.steps("postgres")))
