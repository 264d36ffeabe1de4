"""What the shared code asks of either database: named statements in a transaction, and a few things besides."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from calibrant import errors
from calibrant.storage import documents

Row = tuple[Any, ...]


@functools.cache
def statements(dialect: documents.Dialect) -> Mapping[str, str]:
    """Every statement of the control store by name."""
    parts = [documents.read(f"control/{name}.sql", dialect) for name in ("resources", "log", "working")]
    every = {name: text for part in parts for name, text in part.items()}
    assert len(every) == sum(map(len, parts)), "two statements have one name"
    return every


class Session:
    """Named statements on one connection of either driver. Lists among the parameters are lists of text."""

    def __init__(self, connection: Any, dialect: documents.Dialect) -> None:
        self._connection = connection
        self._dialect = dialect
        self._statements = statements(dialect)

    def rows(self, name: str, /, **parameters: Any) -> list[Row]:
        """All rows of a query."""
        found: list[Row] = self._connection.execute(self._statements[name], self._ready(parameters)).fetchall()
        return found

    def run(self, name: str, /, **parameters: Any) -> int:
        """Do a statement; how many rows it changed."""
        return int(self._connection.execute(self._statements[name], self._ready(parameters)).rowcount)

    def many(self, name: str, rows: Sequence[Sequence[Any]], /) -> None:
        """Do a statement with ``?`` parameters for each row."""
        if rows:
            self._connection.cursor().executemany(self._statements[name], rows)

    def _ready(self, parameters: dict[str, Any]) -> dict[str, Any]:
        if self._dialect == "postgres":
            return parameters
        return {
            name: json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
            for name, value in parameters.items()
        }


class Database(Protocol):
    """A database with our schema."""

    def write(self) -> AbstractContextManager[Session]:
        """The only writing transaction of all processes; durable when the block ends, and never was when it raises."""
        ...

    def read(self) -> AbstractContextManager[Session]:
        """A transaction that sees one state, however long it lasts."""
        ...

    def erase(self, commitments: Sequence[str]) -> int:
        """Delete words and overwrite where they were; how many were there."""
        ...

    def close(self) -> None: ...


def damaged(what: str, cause: str) -> errors.StoreDamagedError:
    return errors.StoreDamagedError(
        "CAL-854",
        f"{what} cannot be read back",
        cause=cause,
        fix="restore the control store from a backup, then run calibrant audit verify",
    )
