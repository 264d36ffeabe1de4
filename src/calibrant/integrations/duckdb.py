"""DuckDB as an engine: its tables and views, and files of Parquet, CSV and JSON lines by path or pattern."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from calibrant import errors
from calibrant.joining import sql

if TYPE_CHECKING:
    import duckdb


class DuckDB:
    """Answers on a connection of the caller's, or on one of its own, which can read files."""

    def __init__(self, connection: duckdb.DuckDBPyConnection | None = None) -> None:
        try:
            import duckdb
        except ImportError:
            raise errors.MissingExtraError.of("sql", needed_for="DuckDB") from None
        self.connection = duckdb.connect(":memory:") if connection is None else connection

    def columns(self, table: str) -> Mapping[str, bool]:
        """Columns of a table or of files."""
        source = sql.source(table, "duckdb")
        found = self._run(f"SELECT * FROM {source} LIMIT 0")  # noqa: S608  # quoted by sql.source
        return {field.name: pa.types.is_integer(field.type) for field in found.schema}

    def answer(self, question: sql.Question, predictions: sql.Selected, labels: sql.Selected) -> pa.Table:
        """Run the compiled text."""
        return self._run(sql.compiled(question, predictions, labels, dialect="duckdb"))

    def _run(self, text: str) -> pa.Table:
        import duckdb

        try:
            return self.connection.sql(text).to_arrow_table()
        except duckdb.Error as error:
            raise errors.SourceError(
                "CAL-112",
                "DuckDB could not read the tables",
                cause=str(error).splitlines()[0],
                fix="check the names of tables and files in source, and the types of the mapped columns",
            ) from error
