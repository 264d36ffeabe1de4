"""The same store on a PostgreSQL server (extra ``postgres``): any number of writers, each stream's in turn.

Every write first locks the row of its stream, so that writers of one stream follow one another and identities are
checked under the lock. Sealed pieces stay in the database as compressed Parquet. Durable means what the server means by
it: ``synchronous_commit`` is set to ``on`` for our sessions, and ``fsync`` must not be off.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

import pyarrow as pa

from calibrant import errors
from calibrant.storage import database, documents, identity_tables, pieces, sql_store

#: Serialises migrations and the making of streams; the number is ours alone.
LOCK: Final = 0x43616C69
#: What COPY needs to know of the columns of each insert.
_COPIED: Final = {
    "see_predictions": ("predictions_seen", ("stream_id", "id", "digest", "partition_us", "seq")),
    "see_labels": ("labels_seen", ("stream_id", "prediction", "source", "revision", "digest", "seq")),
}


class PostgresSession:
    """Named statements on one connection within one transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._statements = documents.statements("postgres")

    def rows(self, name: str, /, **parameters: Any) -> list[database.Row]:
        found: list[database.Row] = self._connection.execute(self._statements[name], parameters).fetchall()
        return found

    def run(self, name: str, /, **parameters: Any) -> int:
        if name == "add_stream":
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        return int(self._connection.execute(self._statements[name], parameters).rowcount)

    def many(self, name: str, rows: Iterable[Sequence[Any]], /) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(self._statements[name], list(rows))

    def identities(self, stream_id: int) -> identity_tables.IdentityTables:
        return identity_tables.IdentityTables(self, stream_id)

    def insert_new(self, name: str, rows: Sequence[Sequence[Any]], /) -> int:
        """COPY into a temporary table, and from there what is new, in order."""
        if not rows:
            return 0
        table, columns = _COPIED[name]
        named = ", ".join(columns)
        with self._connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS new_{table} (LIKE {table}) ON COMMIT DELETE ROWS")
            with cursor.copy(f"COPY new_{table} ({named}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute(
                f"INSERT INTO {table} ({named}) SELECT {named} FROM new_{table} ORDER BY seq "  # noqa: S608
                "ON CONFLICT DO NOTHING"
            )
            return int(cursor.rowcount)


class InDatabase:
    """Sealed pieces have no files of their own."""

    def write(self, stream: str, table: pa.Table, kind: str) -> tuple[None, bytes, str]:  # noqa: ARG002
        body = pieces.encode(table)
        return None, body, hashlib.sha256(body).hexdigest()

    def read(self, file: str, columns: Sequence[str] | None) -> Iterable[pa.Table]:  # noqa: ARG002
        raise pieces.damaged(f"segment {file}", "a PostgreSQL store has no files")

    def digest(self, file: str) -> str:  # noqa: ARG002
        return ""

    def sweep(self, doomed: Sequence[str]) -> tuple[str, ...]:
        return tuple(doomed)


class PostgresServer:
    """A writing connection that threads take in turn, and a connection for every read."""

    def __init__(self, address: str, *, schema: str) -> None:
        check_schema(schema)
        self._psycopg = _driver()
        self._address = address
        self._schema = schema
        self._turn = threading.RLock()
        self._writer: Any = None

    def _connect(self) -> Any:
        options = f"-c search_path={self._schema} -c synchronous_commit=on -c client_min_messages=warning"
        return self._psycopg.connect(self._address, autocommit=True, options=options, connect_timeout=10)

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """The connection in a transaction; after the server failed, the next one connects anew."""
        with self._turn, self._told():
            if self._writer is None or self._writer.closed:
                self._writer = self._connect()
            with self._writer.transaction():
                yield self._writer

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """A connection that sees one state."""
        with self._told(), self._connect() as connection:
            connection.isolation_level = self._psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            with connection.transaction():
                yield connection

    def close(self) -> None:
        with self._turn:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._psycopg.errors.DiskFull as error:
            raise errors.StoreFullError(
                "CAL-852",
                "the store has no room left",
                cause="the disk of the PostgreSQL server is full; nothing of this was kept",
                fix="make room (a shorter retention of a stream does), then send it again",
            ) from error
        except (self._psycopg.OperationalError, self._psycopg.InternalError) as error:
            raise errors.StoreFaultError(
                "CAL-853",
                "the PostgreSQL server failed before this was acknowledged",
                cause=type(error).__name__ + (f" {error.sqlstate}" if error.sqlstate else ""),
                fix="look at the server, then send it again: it counts once, and what was acknowledged is safe",
            ) from error


class PostgresDatabase(PostgresServer):
    """The schema of the event log on a server."""

    def __init__(self, address: str, *, schema: str) -> None:
        super().__init__(address, schema=schema)
        self.sealed = InDatabase()

    @contextmanager
    def write(self) -> Iterator[PostgresSession]:
        """A transaction."""
        with self.writing() as connection:
            yield PostgresSession(connection)

    @contextmanager
    def read(self) -> Iterator[PostgresSession]:
        """One state of the database."""
        with self.reading() as connection:
            yield PostgresSession(connection)

    def shred(self) -> bool:
        """Rewrite the tables that hold bodies; archived write-ahead logs and backups are the server's own matter."""
        with self._turn, self._told(), self._connect() as connection:
            connection.execute("SET lock_timeout = '500ms'")
            try:
                for table in ("pieces", "quarantine", "orphans", "predictions_seen", "labels_seen"):
                    connection.execute(f"VACUUM (FULL) {table}")
            except self._psycopg.errors.LockNotAvailable:
                return False
        return True

    def migrate(self, upto: int | None = None) -> None:
        """Bring the schema up to the newest version (or ``upto``), each step in a transaction of its own."""
        with self._told(), self._connect() as connection:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self._schema}")
            connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
            for number, script in enumerate(documents.migrations("postgres")[:upto], 1):
                with connection.transaction():
                    connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
                    version = connection.execute("SELECT COALESCE(MAX(version), 0) FROM schema_version").fetchone()[0]
                    documents.check_version(version, dialect="postgres", exact=False)
                    if number > version:
                        connection.execute(script)
                        connection.execute("INSERT INTO schema_version (version) VALUES (%s)", (number,))


def open_store(address: str, *, schema: str = "calibrant") -> sql_store.SqlStore:
    """Open the store in a schema of a PostgreSQL database, making it if it is not there.

    Parameters
    ----------
    address
        A libpq connection string or URL.
    schema
        a-z, 0-9 and _ only.

    Raises MissingExtraError without the extra, UsageError (CAL-866) for another schema name.
    """
    opened = PostgresDatabase(address, schema=schema)
    opened.migrate()
    return sql_store.SqlStore(opened)


def check_schema(schema: str) -> None:
    """UsageError (CAL-866) unless the name can stand in a statement as it is."""
    if not schema.isidentifier() or schema != schema.lower() or not schema.isascii():
        raise errors.UsageError(
            "CAL-866", "this is no name of a schema", cause="only a-z, 0-9 and _ are allowed", fix="choose such a name"
        )


def _driver() -> ModuleType:
    try:
        import psycopg
        import psycopg.errors
    except ImportError as error:
        raise errors.MissingExtraError.of("postgres", needed_for="the PostgreSQL store") from error
    return psycopg
