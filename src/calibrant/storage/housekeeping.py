"""Sealing of partitions that ended, merging of small pieces, removal of files that nobody needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import pyarrow as pa

from calibrant.storage import database, pieces, reading
from calibrant.storage.writing import Writing

#: So many sealed pieces of fewer rows than reading.MANY in one partition are merged into one.
MOST_SMALL: Final = 4


class Housekeeping:
    """What a store does to the pieces of one stream inside a writing transaction."""

    def __init__(self, sealed: database.Sealed) -> None:
        self._sealed = sealed

    def merge(self, writing: Writing, kind: pieces.Kind, partition_us: int) -> None:
        """All small pieces of a partition become one hot piece."""
        found = self._of_partition(writing, kind, partition_us)
        self._replace(writing, [piece for piece in found if piece.level < 2], seal=None)

    def seal(self, writing: Writing, stream: str, *, before_us: int) -> int:
        """Seal the partitions that start before ``before_us`` or have many hot rows; how many pieces were written.

        A sealed piece is durable before the transaction that makes it known and deletes what it replaces: a crash in
        between leaves the hot pieces and a file that nobody knows, which the next opening removes.
        """
        sealed = 0
        for kind, partition in reading.unsealed(writing.session, writing.row, before_us=before_us):
            found = self._of_partition(writing, kind, partition)
            hot = [piece for piece in found if piece.level < pieces.SEALED]
            small = [piece for piece in found if piece.level == pieces.SEALED and piece.n < reading.MANY]
            self._replace(writing, [*hot, *small] if len(small) >= MOST_SMALL else hot, seal=stream)
            sealed += 1
        return sealed

    def rewrite(self, writing: Writing, stream: str, piece: pieces.Piece, keep: pa.Table) -> None:
        """Put other rows in the place of a piece: none, or some of its own."""
        self._drop(writing, [piece])
        if keep.num_rows:
            self._put(writing, keep, piece.kind, piece.partition_us, stream if piece.level == pieces.SEALED else None)

    def load(self, writing: Writing, piece: pieces.Piece) -> pa.Table:
        parts = list(pieces.load(writing.session, self._sealed, writing.row.stream_id, piece))
        return pa.concat_tables(parts)

    def _of_partition(self, writing: Writing, kind: pieces.Kind, partition_us: int) -> list[pieces.Piece]:
        return pieces.of_stream(
            writing.session, writing.row.stream_id, kind, first_us=partition_us, end_us=partition_us + 1
        )

    def _replace(self, writing: Writing, old: list[pieces.Piece], *, seal: str | None) -> None:
        if not old:
            return
        parts = [self.load(writing, piece) for piece in old]
        table = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
        self._drop(writing, old)
        self._put(writing, table, old[0].kind, old[0].partition_us, seal)

    def _put(self, writing: Writing, table: pa.Table, kind: pieces.Kind, partition_us: int, seal: str | None) -> None:
        place: dict[str, Any] = {}
        if seal is not None:
            ordered = table.sort_by("at_us")
            file, body, sha256 = self._sealed.write(seal, ordered, "labels" if kind else "predictions")
            place = {"file": file, "body": body, "sha256": sha256}
        writing.add_piece(table, kind=kind, partition_us=partition_us, **place)

    def _drop(self, writing: Writing, old: Iterable[pieces.Piece]) -> None:
        old = list(old)
        stream_id = writing.row.stream_id
        writing.session.many("forget_piece", [(stream_id, one.kind, one.partition_us, one.piece) for one in old])
        writing.session.many("doom", [(one.file,) for one in old if one.file is not None])


def end_of_closed(row: reading.StreamRow, now_us: int) -> int:
    """Partitions that start before this have ended."""
    return now_us - now_us % row.partition_us
