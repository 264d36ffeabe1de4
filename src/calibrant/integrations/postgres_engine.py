"""PostgreSQL as an engine: the query runs in the server, in one read-only snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from calibrant import errors
from calibrant.joining import sql

if TYPE_CHECKING:
    import psycopg

WHOLE = {"int2", "int4", "int8"}


class Postgres:
    """Answers on a connection of the caller's. All answers see one state until the caller ends the transaction.

    The connection must not be in autocommit mode; it is set to REPEATABLE READ, READ ONLY.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        try:
            import psycopg
        except ImportError:
            raise errors.MissingExtraError.of("postgres", needed_for="PostgreSQL tables") from None
        self.connection = connection
        self.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self.connection.read_only = True

    def columns(self, table: str) -> Mapping[str, bool]:
        """Columns of a table or view."""
        cursor = self._run(f"SELECT * FROM {sql.source(table, 'postgres')} LIMIT 0")  # noqa: S608  # quoted by sql.source
        kinds = self.connection.adapters.types
        return {one.name: getattr(kinds.get(one.type_code), "name", "") in WHOLE for one in cursor.description or ()}

    def answer(self, question: sql.Question, predictions: sql.Selected, labels: sql.Selected) -> pa.Table:
        """Run the compiled text."""
        cursor = self._run(sql.compiled(question, predictions, labels, dialect="postgres"))
        names = [one.name for one in cursor.description or ()]
        rows = cursor.fetchall()
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        texts = {name for name in names if name == "model" or name.startswith("cohort_")}
        return pa.table(
            {
                name: pa.array(column, pa.string() if name in texts else pa.float64())
                for name, column in zip(names, columns, strict=True)
            }
        )

    def _run(self, text: str) -> psycopg.Cursor[Any]:
        import psycopg

        try:
            # no parameters: a percent sign in a cohort value is left alone
            return self.connection.execute(text.encode())
        except psycopg.Error as error:
            self.connection.rollback()
            raise errors.SourceError(
                "CAL-114",
                "PostgreSQL could not answer",
                cause=str(error).splitlines()[0],
                fix="check the names of tables in source, the types of the mapped columns, and the right to read them",
            ) from error
