"""Kept summaries against the events that they claim to sum up, partition by partition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from calibrant.ports import kept_summaries
from calibrant.stats import cohorts as stacked
from calibrant.streams import declaration
from calibrant.workflow import partitions

#: Sums may differ by so much of their size: additions in another order.
TOLERANCE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Difference:
    """One partition whose kept summary is not what its events say, and the first thing that differs."""

    partition_us: int
    what: str


@dataclass(frozen=True, slots=True)
class Verified:
    """``checked`` partitions were compared; ``pending`` ones wait to be made again and say nothing about now.

    ``damaged`` parts of the store are not what was written; with any of them, nothing was compared.
    """

    checked: int
    pending: int
    predictions: int
    differences: tuple[Difference, ...]
    damaged: tuple[str, ...] = ()


def verify(
    store: partitions.Reads,
    stream: declaration.Stream,
    *,
    progress: partitions.Progress | None = None,
) -> Verified:
    """Compare every part of the store with its digest, then every kept summary with one made again from the events.

    As of its own time; counts exactly, sums to 1e-9.
    """
    with store.snapshot() as reader:
        seq, dirty = reader.last_seq(stream.name), set(reader.dirty(stream.name))
        kept = {one.partition_us: one for one in store.partitions(stream.name, partitions.key_of(stream))}
        damaged = reader.damaged(stream.name)
        if damaged:
            return Verified(0, len(kept), 0, (), damaged)
        every = sorted({*kept, *partitions.starts(reader, stream)})
        width, declared = reader.partition_width_us(stream.name), partitions.fingerprint(stream)
        differences: list[Difference] = []
        checked = predictions = 0
        for done, start in enumerate(every, 1):
            one = kept.get(start)
            if one is not None and partitions.current(one, seq=seq, declared=declared) and start not in dirty:
                again = partitions.join(reader, stream, start_us=start, end_us=start + width, as_of_us=one.as_of_us)
                found = compare(one, partitions.summarised(again, stream, start, seq=one.through_seq))
                differences += [Difference(start, found)] if found else []
                checked, predictions = checked + 1, predictions + again.counts.predictions
            if progress is not None:
                progress(done, len(every))
    return Verified(checked, len(every) - checked, predictions, tuple(differences))


def compare(kept: kept_summaries.KeptSummary, again: kept_summaries.KeptSummary) -> str:
    """What differs first between two summaries of one partition; nothing when they are equal."""
    for name, n in again.counts.items():
        if kept.counts.get(name, 0) != n:
            return f"{name}: {kept.counts.get(name, 0):,} kept, {n:,} in the events"
    if kept.pairs is None or again.pairs is None:
        return "" if kept.pairs is again.pairs else "one of them has no pairs"
    return _pairs(kept.pairs, again.pairs)


def _pairs(kept: stacked.Cohorts, again: stacked.Cohorts) -> str:
    if kept.fields != again.fields or kept.keys != again.keys:
        return f"cohorts: {len(kept)} kept, {len(again)} in the events"
    mine, theirs = kept.summary, again.summary
    same_cells = np.array_equal(mine.keys, theirs.keys) and np.array_equal(mine.starts, theirs.starts)
    if not same_cells or not np.array_equal(mine.n, theirs.n):
        return f"rows by cell: {int(mine.n.sum()):,} kept, {int(theirs.n.sum()):,} in the events"
    gap = np.abs(mine.sums - theirs.sums)
    # residuals may cancel to zero: what they are sums of sets their scale
    scale = np.maximum(np.maximum(np.abs(mine.sums), np.abs(theirs.sums)), np.abs(theirs.w))
    far = gap > TOLERANCE * scale
    return (
        f"sums: off by up to {float((gap / scale).max()):.2g} in {int(far.any(axis=0).sum())} cells"
        if far.any()
        else ""
    )
