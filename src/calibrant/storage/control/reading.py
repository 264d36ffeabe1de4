"""Reads of the control store within one transaction: the same for both databases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from calibrant import errors
from calibrant.audit import tree
from calibrant.ports import control_store
from calibrant.registry import resources
from calibrant.storage.control import session as sessions

#: Entries are fetched so many at a time.
PAGE: Final = 1_000
#: More rows than there are.
ALL: Final = 2**62


class Reader:
    """A ControlReader on one session; it lives as long as the session."""

    def __init__(self, session: sessions.Session) -> None:
        self._session = session

    @contextmanager
    def snapshot(self) -> Iterator[control_store.ControlReader]:
        yield self

    # ---------------------------------------------------------------- resources

    def get(self, kind: str, name: str) -> resources.Resource | None:
        return _first(self._session.rows("resource", kind=kind, name=name))

    def at(self, kind: str, name: str, at_us: int) -> resources.Resource | None:
        return _first(self._session.rows("resource_at", kind=kind, name=name, at_us=max(-ALL, min(at_us, ALL))))

    def history(self, kind: str, name: str) -> tuple[resources.Resource, ...]:
        return tuple(resource(row) for row in self._session.rows("history", kind=kind, name=name))

    def browse(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> tuple[resources.Resource, ...]:
        most = ALL if limit is None else limit
        rows = self._session.rows("browse", kind=kind, prefix=prefix, after=after, most=most)
        return tuple(resource(row) for row in rows)

    def made_by(self, first: int, many: int) -> tuple[resources.Resource, ...]:
        """The revisions that the entries [first, first + many) tell of."""
        return tuple(resource(row) for row in self._session.rows("made_by", first=first, end=first + many))

    # ---------------------------------------------------------------- the log

    def size(self) -> int:
        return int(self._session.rows("size")[0][0])

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        upto = self.size() if end is None else end
        while start < upto:
            rows = self._session.rows("entries", start=start, end=upto, most=PAGE)
            for _, body in rows:
                yield _bytes(body, "an entry of the audit log")
            if len(rows) < PAGE:
                return
            start = rows[-1][0] + 1

    def node(self, level: int, index: int) -> bytes:
        found = self._session.rows("node", level=level, idx=index)
        if found:
            value = _bytes(found[0][0], f"node {index} of level {level} of the tree")
            if len(value) == tree.WIDTH:
                return value
        elif (index + 1) << level > self.size():
            raise errors.UsageError(
                "CAL-883",
                f"the tree has no node {index} of level {level}",
                cause="the log has fewer entries",
                fix="ask for complete subtrees of the log as it is",
            )
        raise sessions.damaged(f"node {index} of level {level} of the tree", "it is not there, or has another length")

    def checkpoints(self, *, from_size: int = 0) -> tuple[control_store.Checkpoint, ...]:
        return tuple(control_store.Checkpoint(*row) for row in self._session.rows("checkpoints", from_size=from_size))

    def newest_checkpoint(self) -> control_store.Checkpoint | None:
        found = self._session.rows("newest_checkpoint")
        return control_store.Checkpoint(*found[0]) if found else None

    def said(self, commitment: str) -> control_store.Said | None:
        found = self._session.rows("said", commitment=commitment)
        if not found:
            return None
        salt, words = (_bytes(one, "words under a commitment") for one in found[0])
        try:
            return control_store.Said(salt, words.decode())
        except UnicodeDecodeError as error:
            raise sessions.damaged("words under a commitment", str(error)) from error

    def schema_version(self) -> int:
        return int(self._session.rows("version")[0][0])


def resource(row: sessions.Row) -> resources.Resource:
    """A revision from its row; StoreDamagedError unless the content has the digest that was stored with it."""
    kind, name, revision, body, digest, at_us, index = row
    what = f"revision {revision} of {kind} {name!r}"
    if index is None:
        raise sessions.damaged(what, "it is not there")
    if body is None and digest is None:
        return resources.Resource(kind, name, revision, None, at_us, index)
    held = _bytes(body, what)
    if "sha256:" + hashlib.sha256(held).hexdigest() != digest:
        raise sessions.damaged(what, "its content does not have its digest")
    return resources.Resource(kind, name, revision, json.loads(held), at_us, index)


def _first(rows: list[sessions.Row]) -> resources.Resource | None:
    return resource(rows[0]) if rows else None


def _bytes(value: object, what: str) -> bytes:
    if not isinstance(value, bytes):
        raise sessions.damaged(what, f"{type(value).__name__} where bytes were written")
    return value
