"""Retention and erasure inside a writing transaction."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from calibrant.storage import identities, pieces, reading
from calibrant.storage.housekeeping import Housekeeping
from calibrant.storage.writing import Writing, tombstone

#: Quarantined bodies are looked for so many ids at a time.
BLOCK: Final = 10_000


def forget_before(writing: Writing, house: Housekeeping, stream: str, at_us: int) -> int:
    """Drop predictions before ``at_us`` with their labels, and orphan labels of before; how many events."""
    row = writing.row
    if row.floor_us is not None and at_us <= row.floor_us:
        return 0
    row.floor_us = at_us
    edge = at_us - at_us % row.partition_us
    told: list[str] = []
    removed = 0
    for piece in _pieces(writing, pieces.PREDICTIONS, end_us=edge + 1):
        table = house.load(writing, piece)
        old = table["at_us"].to_numpy() < at_us
        if old.any():
            told += pieces.take(table, old)["id"].to_pylist()
            removed += int(old.sum())
            house.rewrite(writing, stream, piece, pieces.take(table, ~old))
    removed += _forget_labels(writing, house, stream, told, first_us=-reading.EVER, end_us=edge + 1)
    removed += _forget_old_orphans(writing, at_us)
    writing.session.identities(row.stream_id).forget_predictions(told)
    writing.session.run("forget_partitions", stream_id=row.stream_id, before_us=edge)
    writing.session.run("forget_summaries_before", stream_id=row.stream_id, before_us=edge)
    if told and edge < at_us:
        _changed(writing, [edge])
    return removed


def forget_unit(writing: Writing, house: Housekeeping, stream: str, unit: str, *, salt: bytes) -> int:
    """Remove one unit's predictions, their labels and quarantined bodies; how many predictions."""
    row = writing.row
    told: list[str] = []
    partitions: set[int] = set()
    for piece in _pieces(writing, pieces.PREDICTIONS, end_us=reading.EVER):
        table = house.load(writing, piece)
        theirs = pc.fill_null(pc.equal(table["unit"], unit), fill_value=False)
        mask = theirs.to_numpy(zero_copy_only=False).astype(bool)
        if mask.any():
            told += pieces.take(table, mask)["id"].to_pylist()
            partitions.add(piece.partition_us)
            house.rewrite(writing, stream, piece, pieces.take(table, ~mask))
    for partition in sorted(partitions):
        _forget_labels(writing, house, stream, told, first_us=partition, end_us=partition + 1)
    for block in _blocks(told) if told else iter([[]]):
        writing.session.run("forget_quarantined_of", stream_id=row.stream_id, unit=unit, ids=block)
    writing.session.many("add_tombstones", [(row.stream_id, tombstone(one, salt)) for one in told])
    writing.session.identities(row.stream_id).forget_predictions(told)
    row.erased += len(told)
    _changed(writing, sorted(partitions))
    return len(told)


def forget_orphans(writing: Writing, received_us: int, *, salt: bytes) -> int:
    """Drop the orphan labels that were received before a time, for good; how many."""
    row, session = writing.row, writing.session
    found = session.rows("unclaimed_orphans", stream_id=row.stream_id, received_us=received_us)
    if found:
        keys = [(prediction, source, revision) for prediction, source, revision, _ in found]
        hashed = [tombstone(identities.label_name(key), salt) for key in keys]
        session.many("add_lapsed", [(row.stream_id, one, at) for one, (*_, at) in zip(hashed, found, strict=True)])
        _forget_orphans(writing, keys)
        row.orphans_expired += len(found)
    return len(found)


def _pieces(writing: Writing, kind: pieces.Kind, *, end_us: int, first_us: int = -reading.EVER) -> list[pieces.Piece]:
    return pieces.of_stream(writing.session, writing.row.stream_id, kind, first_us=first_us, end_us=end_us)


def _forget_labels(
    writing: Writing, house: Housekeeping, stream: str, told: Sequence[str], *, first_us: int, end_us: int
) -> int:
    """Remove the labels of these predictions from the partitions that start in [first, end)."""
    if not told:
        return 0
    wanted, removed = pa.array(told, pa.string()), 0
    for piece in _pieces(writing, pieces.LABELS, first_us=first_us, end_us=end_us):
        table = house.load(writing, piece)
        mask = pc.is_in(table["prediction"], value_set=wanted).to_numpy(zero_copy_only=False).astype(bool)
        if mask.any():
            removed += int(mask.sum())
            house.rewrite(writing, stream, piece, pieces.take(table, np.logical_not(mask)))
    return removed


def _forget_old_orphans(writing: Writing, at_us: int) -> int:
    old = writing.session.rows("old_orphans", stream_id=writing.row.stream_id, at_us=at_us)
    writing.session.run("forget_lapsed", stream_id=writing.row.stream_id, at_us=at_us)
    _forget_orphans(writing, [(prediction, source, revision) for prediction, source, revision in old])
    return len(old)


def _forget_orphans(writing: Writing, keys: Sequence[identities.LabelKey]) -> None:
    numbered = [(writing.row.stream_id, *key) for key in keys]
    writing.session.many("forget_orphan", numbered)
    writing.session.identities(writing.row.stream_id).forget_labels(keys)
    writing.row.orphans -= len(keys)


def _changed(writing: Writing, partitions: Sequence[int]) -> None:
    """A removal is a change: it has a number, makes its partitions dirty, and their summaries are gone."""
    if not partitions:
        return
    writing.row.last_seq += 1
    stream_id = writing.row.stream_id
    writing.session.many("touch", [(stream_id, one, writing.row.last_seq) for one in partitions])
    writing.session.many("forget_summaries", [(stream_id, one) for one in partitions])


def _blocks(told: Sequence[str]) -> Iterator[list[str]]:
    each = iter(told)
    while block := list(itertools.islice(each, BLOCK)):
        yield block
