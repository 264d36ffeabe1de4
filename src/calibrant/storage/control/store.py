"""The control store on a SQL database: all that SQLite and PostgreSQL share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from calibrant.ports import control_store, working_state
from calibrant.registry import resources
from calibrant.storage.control import committing, reading, working
from calibrant.storage.control import session as sessions


class SqlControlReads:
    """Reads, each in a transaction of its own."""

    def __init__(self, opened: sessions.Database) -> None:
        self._database = opened

    @contextmanager
    def _reader(self) -> Iterator[reading.Reader]:
        with self._database.read() as session:
            yield reading.Reader(session)

    @contextmanager
    def snapshot(self) -> Iterator[control_store.ControlReader]:
        """Several reads of one state."""
        with self._reader() as reader:
            yield reader

    def get(self, kind: str, name: str) -> resources.Resource | None:
        with self._reader() as reader:
            return reader.get(kind, name)

    def at(self, kind: str, name: str, at_us: int) -> resources.Resource | None:
        with self._reader() as reader:
            return reader.at(kind, name, at_us)

    def history(self, kind: str, name: str) -> tuple[resources.Resource, ...]:
        with self._reader() as reader:
            return reader.history(kind, name)

    def browse(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> tuple[resources.Resource, ...]:
        with self._reader() as reader:
            return reader.browse(kind, prefix=prefix, after=after, limit=limit)

    def size(self) -> int:
        with self._reader() as reader:
            return reader.size()

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        with self._reader() as reader:
            yield from reader.entries(start, end)

    def node(self, level: int, index: int) -> bytes:
        with self._reader() as reader:
            return reader.node(level, index)

    def checkpoints(self, *, from_size: int = 0) -> tuple[control_store.Checkpoint, ...]:
        with self._reader() as reader:
            return reader.checkpoints(from_size=from_size)

    def newest_checkpoint(self) -> control_store.Checkpoint | None:
        with self._reader() as reader:
            return reader.newest_checkpoint()

    def said(self, commitment: str) -> control_store.Said | None:
        with self._reader() as reader:
            return reader.said(commitment)

    def schema_version(self) -> int:
        with self._reader() as reader:
            return reader.schema_version()

    def recall(self, kind: str, name: str) -> working_state.Working | None:
        with self._database.read() as session:
            return working.recall(session, kind, name)

    def recall_all(self, kind: str, *, prefix: str = "") -> tuple[working_state.Working, ...]:
        with self._database.read() as session:
            return working.recall_all(session, kind, prefix)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


class SqlControlStore(SqlControlReads):
    """Reads and writes."""

    def commit(
        self,
        command: resources.Command,
        *,
        author: control_store.Author,
        at_us: int,
        witness: control_store.Witness | None = None,
    ) -> control_store.Committed:
        with self._database.write() as session:
            return committing.commit(session, command, author=author, at_us=at_us, witness=witness)

    def add_checkpoint(self, checkpoint: control_store.Checkpoint) -> None:
        with self._database.write() as session:
            session.run("add_checkpoint", size=checkpoint.size, note=checkpoint.note, at_us=checkpoint.at_us)

    def erase(self, commitments: Sequence[str]) -> int:
        return self._database.erase(commitments)

    def remember(self, kind: str, name: str, body: Mapping[str, Any], *, expected: int) -> working_state.Working:
        with self._database.write() as session:
            return working.remember(session, kind, name, body, expected=expected)

    def forget(self, kind: str, name: str, *, expected: int) -> None:
        with self._database.write() as session:
            working.forget(session, kind, name, expected=expected)


def _keeps_its_promises(store: SqlControlStore) -> tuple[control_store.ControlStore, working_state.WorkingState]:
    """The type checker's proof that the store is both ports."""
    return store, store
