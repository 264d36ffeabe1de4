"""Writes of the event log, the same for every SQL database: identity, order of arrival, adoption of orphans."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from calibrant import errors
from calibrant.events import batch as event_batch
from calibrant.ports import event_log
from calibrant.storage import database, identities, pieces, reading

#: So many conflicting bodies and rejected items are kept to look at, the newest; counts are exact all the same.
KEPT: Final = 10_000


@dataclass(slots=True)
class Tally:
    """What arrived and was not kept."""

    duplicates: int = 0
    conflicting: int = 0
    rejected: int = 0
    expired: int = 0


@dataclass(slots=True)
class Writing:
    """One writing transaction on one stream, whose row is locked."""

    session: database.Session
    row: reading.StreamRow
    received_us: int
    merge: Callable[[Writing, pieces.Kind, int], None]
    changed: set[tuple[pieces.Kind, int, int]] = field(default_factory=set)

    def add_piece(self, table: pa.Table, *, kind: pieces.Kind, partition_us: int, **place: Any) -> None:
        """Add a piece; ``place`` says where a sealed one lies, otherwise its body goes into the row."""
        self.row.last_piece += 1
        level = pieces.SEALED if place else None
        told = pieces.describe(table, kind=kind, partition_us=partition_us, piece=self.row.last_piece, level=level)
        self.session.run("add_piece", stream_id=self.row.stream_id, **told, **(place or pieces.hot(table)))
        if not place and told["level"] < 2:
            self.changed.add((kind, partition_us, told["level"]))

    def add_rows(self, table: pa.Table, partitions: NDArray[np.int64], *, kind: pieces.Kind) -> None:
        """Add rows to the pieces of their partitions, which become dirty."""
        for partition in np.unique(partitions).tolist():
            part = pieces.take(table, partitions == partition)
            self.add_piece(part, kind=kind, partition_us=partition)
            self.session.many("touch", [(self.row.stream_id, partition, self.row.last_seq)])

    def tally(self, told: Tally) -> None:
        if told != Tally():
            self.session.run(
                "tally",
                stream_id=self.row.stream_id,
                received_us=self.received_us,
                duplicates=told.duplicates,
                conflicting=told.conflicting,
                rejected=told.rejected,
                expired=told.expired,
            )

    def save(self) -> None:
        """Merge what became many, and write the stream's row."""
        for kind, partition, level in sorted(self.changed):
            many = self.session.rows(
                "count_level", stream_id=self.row.stream_id, kind=kind, partition_us=partition, level=level
            )[0][0]
            if many >= pieces.MERGE_AT:
                self.merge(self, kind, partition)
        row = self.row
        self.session.run(
            "save_stream",
            stream_id=row.stream_id,
            last_seq=row.last_seq,
            last_piece=row.last_piece,
            last_received_us=self.received_us,
            orphans=row.orphans,
            floor_us=row.floor_us,
            erased=row.erased,
            orphans_expired=row.orphans_expired,
        )


def begin(session: database.Session, stream: str, *, received_us: int, partition_us: int, merge: Any) -> Writing:
    """Lock the stream's row, making it first if need be; the time of receipt never falls."""
    check_name(stream)
    found = session.rows("lock_stream", name=stream)
    if not found:
        session.run("add_stream", name=stream, partition_us=partition_us, received_us=received_us)
        found = session.rows("lock_stream", name=stream)
    row = reading.StreamRow(*found[0])
    return Writing(session, row, max(received_us, row.last_received_us), merge)


def check_name(stream: str) -> None:
    """UsageError (CAL-864) unless the name is one that a stream can have."""
    legal = 1 <= len(stream) <= 63 and stream[0] in _FIRST and all(letter in _LATER for letter in stream)
    if not legal:
        raise errors.UsageError(
            "CAL-864",
            "this is no name of a stream",
            cause="a name has 1 to 63 characters a-z, 0-9, '.', '_' and '-', the first a letter or digit",
            fix="choose such a name",
        )


_FIRST: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_LATER: Final = _FIRST | frozenset("._-")


def shaped(batch: pa.Table, schema: pa.Schema) -> pa.Table:
    """The batch with exactly the columns and types of the schema; UsageError (CAL-863) otherwise."""
    try:
        table = batch.select(schema.names).cast(schema).combine_chunks()
        table.validate()
    except (KeyError, pa.ArrowException) as error:
        raise _misshaped(str(error)) from error
    required = [one.name for one in schema if not one.nullable or one.name in _REQUIRED]
    missing = [name for name in required if table[name].null_count]
    if missing:
        raise _misshaped(f"null in {', '.join(missing)}")
    return table


_REQUIRED: Final = frozenset({"id", "prediction", "at_us", "source", "revision", "digest"})


def _misshaped(cause: str) -> errors.UsageError:
    return errors.UsageError(
        "CAL-863",
        "this table is not a batch of events",
        cause=cause,
        fix="make it with calibrant.events, which checks each event and computes its digest",
    )


# -------------------------------------------------------------------- predictions


def append_predictions(writing: Writing, batch: pa.Table, *, salt: bytes) -> event_log.Appended:
    table, row = shaped(batch, event_batch.PREDICTIONS), writing.row
    ids, digests = table["id"].to_pylist(), table["digest"].to_pylist()
    at = table["at_us"].to_numpy()
    partitions = at - at % row.partition_us
    outcomes = np.zeros(len(ids), np.int8)
    seqs = row.last_seq + 1 + np.arange(len(ids))
    if row.floor_us is not None:
        outcomes[at < row.floor_us] = event_log.EXPIRED
    outcomes[(outcomes == 0) & _erased(writing, ids, salt)] = event_log.DUPLICATE
    fresh = np.flatnonzero(outcomes == 0)
    new = [_pick(column, fresh) for column in (ids, digests, partitions.tolist(), seqs.tolist())]
    _settle(outcomes, fresh, writing.session.identities(row.stream_id).see_predictions(*new), digests)
    row.last_seq += len(ids)
    kept = np.flatnonzero(outcomes == event_log.ACCEPTED)
    if len(kept):
        accepted = _received(table, kept, writing.received_us, seqs)
        writing.add_rows(accepted, partitions[kept], kind=pieces.PREDICTIONS)
        if row.orphans:
            _adopt(writing, [ids[index] for index in kept], partitions[kept])
    _quarantine(writing, table, outcomes, pieces.PREDICTIONS)
    return _finish(writing, outcomes)


def _adopt(writing: Writing, ids: list[str], partitions: NDArray[np.int64]) -> None:
    """Labels that waited for these predictions move to the partitions of their predictions."""
    waiting = writing.session.rows("orphans_of", stream_id=writing.row.stream_id, ids=ids)
    if not waiting:
        return
    home = dict(zip(ids, partitions.tolist(), strict=True))
    table = _linked(pa.concat_tables([pieces.decode(body) for _, body in waiting]), writing.received_us)
    where = np.array([home[prediction] for prediction, _ in waiting], np.int64)
    writing.add_rows(table.combine_chunks(), where, kind=pieces.LABELS)
    writing.row.orphans -= writing.session.run("forget_orphans_of", stream_id=writing.row.stream_id, ids=ids)


# -------------------------------------------------------------------- labels


def append_labels(writing: Writing, batch: pa.Table, *, salt: bytes) -> event_log.Appended:
    table, row = shaped(batch, event_batch.LABELS), writing.row
    ids, digests = table["prediction"].to_pylist(), table["digest"].to_pylist()
    keys = list(zip(ids, table["source"].to_pylist(), table["revision"].to_pylist(), strict=True))
    outcomes = np.zeros(len(ids), np.int8)
    seqs = row.last_seq + 1 + np.arange(len(ids))
    known = writing.session.identities(row.stream_id)
    homes = known.homes(ids)
    if row.floor_us is not None:
        homeless = np.array([one not in homes for one in ids], bool)
        outcomes[homeless & (table["at_us"].to_numpy() < row.floor_us)] = event_log.EXPIRED
    outcomes[_erased(writing, ids, salt) | _lapsed(writing, keys, salt)] = event_log.EXPIRED
    fresh = np.flatnonzero(outcomes == 0)
    new = [_pick(column, fresh) for column in (keys, digests, seqs.tolist())]
    _settle(outcomes, fresh, known.see_labels(*new), digests)
    row.last_seq += len(ids)
    kept = np.flatnonzero(outcomes == event_log.ACCEPTED)
    if len(kept):
        _keep_labels(writing, _received(table, kept, writing.received_us, seqs), homes)
    _quarantine(writing, table, outcomes, pieces.LABELS)
    return _finish(writing, outcomes)


def _keep_labels(writing: Writing, accepted: pa.Table, homes: dict[str, int]) -> None:
    where = [homes.get(one) for one in accepted["prediction"].to_pylist()]
    housed = np.array([one is not None for one in where], bool)
    if housed.any():
        partitions = np.array([one for one in where if one is not None], np.int64)
        table = _linked(pieces.take(accepted, housed), writing.received_us)
        writing.add_rows(table, partitions, kind=pieces.LABELS)
    if not housed.all():
        waiting = pieces.take(accepted, ~housed).combine_chunks()
        columns = [waiting[name].to_pylist() for name in ("prediction", "source", "revision", "at_us", "received_us")]
        bodies = [pieces.encode(_linked(waiting.slice(index, 1), reading.EVER)) for index in range(waiting.num_rows)]
        rows = zip([writing.row.stream_id] * len(bodies), *columns, bodies, strict=True)
        writing.session.many("add_orphans", list(rows))
        writing.row.orphans += len(bodies)


# -------------------------------------------------------------------- shared


def _pick(rows: list[Any], indices: NDArray[np.intp]) -> list[Any]:
    return rows if len(indices) == len(rows) else [rows[index] for index in indices]


def _settle(
    outcomes: NDArray[np.int8],
    fresh: NDArray[np.intp],
    seen: Sequence[identities.Known | None],
    digests: Sequence[bytes],
) -> None:
    """Tell duplicates from conflicts among the rows that were known before."""
    for index, known in zip(fresh.tolist(), seen, strict=True):
        if known is not None:
            outcomes[index] = event_log.DUPLICATE if known.digest == digests[index] else event_log.CONFLICTING


def _received(table: pa.Table, kept: NDArray[np.intp], received_us: int, seqs: NDArray[np.int64]) -> pa.Table:
    rows = table if len(kept) == table.num_rows else table.take(pa.array(kept))
    rows = rows.append_column("received_us", pa.array(np.full(len(kept), received_us, np.int64)))
    return rows.append_column("seq", pa.array(seqs[kept]))


def _linked(table: pa.Table, linked_us: int) -> pa.Table:
    column = pa.array(np.full(table.num_rows, linked_us, np.int64))
    if "linked_us" in table.column_names:
        return table.set_column(table.column_names.index("linked_us"), "linked_us", column)
    return table.append_column("linked_us", column)


def _erased(writing: Writing, ids: Sequence[str], salt: bytes) -> NDArray[np.bool_]:
    """Which of these predictions were erased."""
    if not writing.row.erased:
        return np.zeros(len(ids), bool)
    return _among(writing, "tombstones", [tombstone(one, salt) for one in ids])


def _lapsed(writing: Writing, keys: Sequence[identities.LabelKey], salt: bytes) -> NDArray[np.bool_]:
    """Which of these labels waited too long for their prediction, once."""
    if not writing.row.orphans_expired:
        return np.zeros(len(keys), bool)
    return _among(writing, "lapsed", [tombstone(identities.label_name(key), salt) for key in keys])


def _among(writing: Writing, name: str, hashed: list[str]) -> NDArray[np.bool_]:
    known = {one for (one,) in writing.session.rows(name, stream_id=writing.row.stream_id, ids=hashed)}
    return np.fromiter((one in known for one in hashed), bool, len(hashed))


def tombstone(name: str, salt: bytes) -> str:
    """A keyed hash that stands for something that is gone: it tells nobody without the key what its name was."""
    return hmac.digest(salt, name.encode(), hashlib.sha256)[:16].hex()


def _quarantine(writing: Writing, table: pa.Table, outcomes: NDArray[np.int8], kind: pieces.Kind) -> None:
    refused = table.take(pa.array(np.flatnonzero(outcomes == event_log.CONFLICTING)))
    if not refused.num_rows:
        return
    rows = [
        (
            writing.row.stream_id,
            kind,
            item["id" if kind == pieces.PREDICTIONS else "prediction"],
            item.get("source", ""),
            item.get("revision", 0),
            item["digest"],
            writing.received_us,
            item.get("unit"),
            json.dumps({name: value for name, value in item.items() if name != "digest"}, ensure_ascii=False),
        )
        for item in refused.to_pylist()
    ]
    writing.session.many("quarantine", rows)
    writing.session.run("trim_quarantine", stream_id=writing.row.stream_id, most=KEPT)


def _finish(writing: Writing, outcomes: NDArray[np.int8]) -> event_log.Appended:
    accepted, duplicate, conflicting, expired = np.bincount(outcomes, minlength=4).tolist()
    writing.tally(Tally(duplicates=duplicate, conflicting=conflicting, expired=expired))
    writing.save()
    return event_log.Appended(accepted, duplicate, conflicting, expired, outcomes)


def reject(writing: Writing, items: Sequence[event_log.RejectedItem]) -> None:
    stream_id = writing.row.stream_id
    last = writing.session.rows("last_rejected", stream_id=stream_id)[0][0]

    def rows() -> Iterator[tuple[Any, ...]]:
        for number, item in enumerate(items[-KEPT:], last + 1):
            texts = (item.code[:64], item.path[:200], item.reason[:200])
            yield (stream_id, number, writing.received_us, *texts, item.body_hash[:32])

    writing.session.many("reject", list(rows()))
    writing.session.run("trim_rejected", stream_id=stream_id, last=last + len(items[-KEPT:]), most=KEPT)
    writing.tally(Tally(rejected=len(items)))
    writing.save()
