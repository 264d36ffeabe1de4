"""What the shared code of the SQL stores asks of a database: sessions with named statements, in transactions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pyarrow as pa

from calibrant.storage import identities

Row = tuple[Any, ...]


class Session(Protocol):
    """One transaction. Lists among the parameters are lists of text."""

    def rows(self, name: str, /, **parameters: Any) -> list[Row]:
        """All rows of a named query."""
        ...

    def run(self, name: str, /, **parameters: Any) -> int:
        """Do a named statement; how many rows it changed."""
        ...

    def many(self, name: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Do a statement with ``?`` parameters for each row."""
        ...

    def identities(self, stream_id: int) -> identities.Identities:
        """What is known of the events of a stream; for writing transactions."""
        ...


class Sealed(Protocol):
    """Where sealed pieces lie: files on a local disk, or nowhere else than in the database."""

    def write(self, stream: str, table: pa.Table, kind: str) -> tuple[str | None, bytes | None, str]:
        """Make a sealed piece durable; its file or else its body, and its SHA-256."""
        ...

    def read(self, file: str, columns: Sequence[str] | None) -> Iterable[pa.Table]:
        """Read a file in parts."""
        ...

    def digest(self, file: str) -> str:
        """SHA-256 of a file as it is now; empty when it cannot be read."""
        ...

    def sweep(self, doomed: Sequence[str]) -> tuple[str, ...] | None:
        """Remove files for good; which are gone, None when a reader still holds them."""
        ...


class Database(Protocol):
    """A database with our schema."""

    @property
    def sealed(self) -> Sealed: ...

    def write(self) -> AbstractContextManager[Session]:
        """A transaction that is durable when the block ends, and never was when it raises."""
        ...

    def read(self) -> AbstractContextManager[Session]:
        """A transaction that sees one state, however long it lasts."""
        ...

    def shred(self) -> bool:
        """Overwrite what was deleted, where the database can; False while a reader is in the way."""
        ...

    def close(self) -> None: ...
