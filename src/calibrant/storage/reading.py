"""Reads of the event log within one transaction of a SQL store: the same for every database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from calibrant.events import batch as event_batch
from calibrant.ports import event_log
from calibrant.storage import database, pieces

#: Beyond every time that an event can have.
EVER: Final = 2**62
#: Small pieces are handed out together, up to so many rows.
ROWS: Final = 1 << 16
#: A partition with so many hot rows is sealed before it ends.
MANY: Final = 1_000_000

_EXTRA: Final = [pa.field("received_us", pa.int64(), nullable=False), pa.field("seq", pa.int64(), nullable=False)]
PREDICTION_ROWS: Final = pa.schema([*event_batch.PREDICTIONS, *_EXTRA])
LABEL_ROWS: Final = pa.schema([*event_batch.LABELS, *_EXTRA])
LABEL_PIECE: Final = pa.schema([*LABEL_ROWS, pa.field("linked_us", pa.int64(), nullable=False)])

QUARANTINE: Final = pa.schema(
    [
        ("kind", pa.string()),
        ("id", pa.string()),
        ("source", pa.string()),
        ("revision", pa.int64()),
        ("digest", pa.binary()),
        ("received_us", pa.int64()),
        ("body", pa.string()),
    ]
)
REJECTED: Final = pa.schema(
    [
        ("received_us", pa.int64()),
        ("code", pa.string()),
        ("path", pa.string()),
        ("reason", pa.string()),
        ("body_hash", pa.binary()),
    ]
)


@dataclass(slots=True)
class StreamRow:
    """The row of a stream."""

    stream_id: int
    partition_us: int
    last_seq: int
    last_piece: int
    last_received_us: int
    orphans: int
    floor_us: int | None
    erased: int
    orphans_expired: int


class Reader:
    """An EventReader on one session; it lives as long as the session."""

    def __init__(self, session: database.Session, sealed: database.Sealed) -> None:
        self._session = session
        self._sealed = sealed

    def streams(self) -> tuple[str, ...]:
        return tuple(name for (name,) in self._session.rows("streams"))

    def find(self, stream: str) -> StreamRow | None:
        """The row of a stream, None when it was never written to."""
        found = self._session.rows("stream", name=stream)
        return StreamRow(*found[0]) if found else None

    def unsealed(self, row: StreamRow, *, before_us: int) -> list[database.Row]:
        """Kind and start of the partitions that are to be sealed."""
        return unsealed(self._session, row, before_us=before_us)

    def partition_width_us(self, stream: str) -> int:
        found = self.find(stream)
        return found.partition_us if found else event_log.DAY_US

    def last_seq(self, stream: str) -> int:
        found = self.find(stream)
        return found.last_seq if found else 0

    # ---------------------------------------------------------------- events

    def predictions(
        self,
        stream: str,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        as_of_us: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.Table]:
        found = self.find(stream)
        if found is None:
            return
        start, end, as_of = _or(start_us, -EVER), _or(end_us, EVER), _or(as_of_us, EVER)
        wanted = list(columns) if columns is not None else PREDICTION_ROWS.names
        parts = self._pieces(found, pieces.PREDICTIONS, start, end)
        inside = (piece for piece in parts if piece.max_at_us >= start and piece.min_at_us < end)
        yield from self._rows(found, inside, wanted, start, end, as_of)

    def labels(
        self,
        stream: str,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        as_of_us: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.Table]:
        found = self.find(stream)
        if found is None:
            return
        start, end, as_of = _or(start_us, -EVER), _or(end_us, EVER), _or(as_of_us, EVER)
        wanted = list(columns) if columns is not None else LABEL_ROWS.names
        parts = self._pieces(found, pieces.LABELS, start, end)
        yield from self._rows(found, parts, wanted, -EVER, EVER, as_of)
        if start_us is None and end_us is None and found.orphans:
            waiting = self._session.rows("orphans", stream_id=found.stream_id, as_of_us=as_of)
            if waiting:
                yield pa.concat_tables([pieces.decode(body) for (body,) in waiting]).select(wanted).combine_chunks()

    def _pieces(self, found: StreamRow, kind: pieces.Kind, start: int, end: int) -> list[pieces.Piece]:
        first = start - start % found.partition_us
        return pieces.of_stream(self._session, found.stream_id, kind, first_us=first, end_us=end)

    def _rows(
        self, found: StreamRow, parts: Iterable[pieces.Piece], wanted: list[str], start: int, end: int, as_of: int
    ) -> Iterator[pa.Table]:
        """Rows of pieces with at_us in [start, end) and received by as_of; small tables of a partition together."""
        held: list[pa.Table] = []
        partition = None
        for piece in parts:
            if piece.min_received_us > as_of:
                continue
            if held and piece.partition_us != partition:
                yield _together(held)
            partition = piece.partition_us
            whole = piece.max_received_us <= as_of and start <= piece.min_at_us and piece.max_at_us < end
            needed = wanted if whole else list(dict.fromkeys([*wanted, "at_us", "received_us"]))
            for table in pieces.load(self._session, self._sealed, found.stream_id, piece, columns=needed):
                rows = table if whole else _within(table, start, end, as_of).select(wanted)
                if rows.num_rows:
                    held.append(rows)
                if sum(one.num_rows for one in held) >= ROWS:
                    yield _together(held)
        if held:
            yield _together(held)

    # ---------------------------------------------------------------- counts

    def counts(self, stream: str, *, as_of_us: int | None = None) -> event_log.Counts:
        found = self.find(stream)
        if found is None:
            return event_log.Counts()
        as_of = _or(as_of_us, EVER)
        told, labelled = (
            [self._count(found, piece, as_of) for piece in self._pieces(found, kind, -EVER, EVER)]
            for kind in (pieces.PREDICTIONS, pieces.LABELS)
        )
        waiting, newest = self._session.rows("count_orphans", stream_id=found.stream_id, as_of_us=as_of)[0]
        tallied = self._session.rows("tallied", stream_id=found.stream_id, as_of_us=as_of)[0]
        duplicates, conflicting, rejected, expired = (int(number) for number in tallied)
        return event_log.Counts(
            predictions=sum(one.n for one in told),
            labels=sum(one.n for one in labelled) + waiting,
            orphans=sum(one.unlinked for one in labelled) + waiting,
            duplicates=duplicates,
            conflicting=conflicting,
            rejected=rejected,
            expired=expired,
            erased=found.erased,
            orphans_expired=found.orphans_expired,
            first_at_us=min((one.first for one in told if one.n), default=None),
            last_at_us=max((one.last for one in told if one.n), default=None),
            last_label_us=max(
                [*(one.last for one in labelled if one.n), *([] if newest is None else [newest])], default=None
            ),
        )

    def _count(self, found: StreamRow, piece: pieces.Piece, as_of: int) -> _Counted:
        if piece.min_received_us > as_of:
            return _Counted(0, 0, 0, 0)
        if max(piece.max_received_us, piece.max_linked_us) <= as_of:
            return _Counted(piece.n, 0, piece.min_at_us, piece.max_at_us)
        linked = "linked_us" if piece.kind == pieces.LABELS else "received_us"
        needed = list(dict.fromkeys(["at_us", "received_us", linked]))
        parts = list(pieces.load(self._session, self._sealed, found.stream_id, piece, columns=needed))
        rows = _within(pa.concat_tables(parts), -EVER, EVER, as_of)
        if not rows.num_rows:
            return _Counted(0, 0, 0, 0)
        at = rows["at_us"].to_numpy()
        return _Counted(rows.num_rows, int((rows[linked].to_numpy() > as_of).sum()), int(at.min()), int(at.max()))

    # ---------------------------------------------------------------- the rest

    def damaged(self, stream: str) -> tuple[str, ...]:
        found = self.find(stream)
        if found is None:
            return ()
        each = [piece for kind in pieces.KINDS for piece in self._pieces(found, kind, -EVER, EVER)]
        return tuple(
            pieces.name(piece)
            for piece in each
            if pieces.digest(self._session, self._sealed, found.stream_id, piece) != piece.sha256
        )

    def dirty(self, stream: str) -> tuple[int, ...]:
        found = self.find(stream)
        if found is None:
            return ()
        return tuple(start for (start,) in self._session.rows("dirty", stream_id=found.stream_id))

    def quarantined(self, stream: str) -> pa.Table:
        rows = self._of("quarantined", stream)
        return _table(QUARANTINE, [("label" if row[0] else "prediction", *row[1:]) for row in rows])

    def rejected(self, stream: str) -> pa.Table:
        return _table(REJECTED, self._of("rejected", stream))

    def _of(self, name: str, stream: str) -> list[database.Row]:
        found = self.find(stream)
        return self._session.rows(name, stream_id=found.stream_id) if found else []


def unsealed(session: database.Session, row: StreamRow, *, before_us: int) -> list[database.Row]:
    """Kind and start of the partitions that start before ``before_us`` or have many hot rows."""
    return session.rows("unsealed", stream_id=row.stream_id, before_us=before_us, many=MANY)


@dataclass(frozen=True, slots=True)
class _Counted:
    n: int
    unlinked: int
    first: int
    last: int


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else min(max(value, -EVER), EVER)


def _within(table: pa.Table, start: int, end: int, as_of: int) -> pa.Table:
    at, received = table["at_us"].to_numpy(), table["received_us"].to_numpy()
    return pieces.take(table, np.asarray((at >= start) & (at < end) & (received <= as_of)))


def _together(held: list[pa.Table]) -> pa.Table:
    """The held tables as one; the list is empty afterwards."""
    table = pa.concat_tables(held).combine_chunks() if len(held) > 1 else held[0]
    held.clear()
    return table


def _table(schema: pa.Schema, rows: Sequence[Sequence[Any]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )
