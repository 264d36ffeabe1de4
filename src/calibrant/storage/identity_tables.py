"""Identities as tables of a database that takes care of its own index: PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from calibrant.storage import database, identities

#: Identities are deleted so many at a time.
BLOCK: Final = 10_000


class InsertingSession(database.Session, Protocol):
    """A session that can tell how many of the rows were new."""

    def insert_new(self, name: str, rows: Sequence[Sequence[Any]], /) -> int:
        """Insert rows in order, leaving out those whose key is there already; how many went in."""
        ...


class IdentityTables:
    """One row for each identity, found by its text."""

    def __init__(self, session: InsertingSession, stream_id: int) -> None:
        self._session = session
        self._stream_id = stream_id

    def see_predictions(
        self, ids: Sequence[str], digests: Sequence[bytes], partitions: Sequence[int], seqs: Sequence[int]
    ) -> list[identities.Known | None]:
        stream_ids = itertools.repeat(self._stream_id, len(ids))
        rows = list(zip(stream_ids, ids, digests, partitions, seqs, strict=True))
        if self._session.insert_new("see_predictions", rows) == len(rows):
            return [None] * len(rows)
        seen = {
            name: identities.Known(bytes(digest), partition, seq)
            for name, digest, partition, seq in self._rows("predictions_seen", ids)
        }
        return [_before(seen[name], seq) for name, seq in zip(ids, seqs, strict=True)]

    def see_labels(
        self, keys: Sequence[identities.LabelKey], digests: Sequence[bytes], seqs: Sequence[int]
    ) -> list[identities.Known | None]:
        rows = [(self._stream_id, *key, digest, seq) for key, digest, seq in zip(keys, digests, seqs, strict=True)]
        if self._session.insert_new("see_labels", rows) == len(rows):
            return [None] * len(rows)
        seen = {
            (prediction, source, revision): identities.Known(bytes(digest), 0, seq)
            for prediction, source, revision, digest, seq in self._rows("labels_seen", [key[0] for key in keys])
        }
        return [_before(seen[key], seq) for key, seq in zip(keys, seqs, strict=True)]

    def homes(self, ids: Sequence[str]) -> dict[str, int]:
        return {name: partition for name, _, partition, _ in self._rows("predictions_seen", ids)}

    def forget_predictions(self, ids: Sequence[str]) -> None:
        for block in _blocks(ids):
            for name in ("forget_predictions_seen", "forget_labels_seen"):
                self._session.run(name, stream_id=self._stream_id, ids=block)

    def forget_labels(self, keys: Sequence[identities.LabelKey]) -> None:
        self._session.many("forget_label_seen", [(self._stream_id, *key) for key in keys])

    def _rows(self, name: str, ids: Sequence[str]) -> list[database.Row]:
        return self._session.rows(name, stream_id=self._stream_id, ids=list(ids))


def _before(known: identities.Known, seq: int) -> identities.Known | None:
    """None when it is known under the number just given: then it went in."""
    return None if known.seq == seq else known


def _blocks(ids: Sequence[str]) -> Iterator[list[str]]:
    each = iter(ids)
    while block := list(itertools.islice(each, BLOCK)):
        yield block
