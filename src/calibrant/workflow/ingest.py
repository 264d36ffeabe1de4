"""From an input to the log: parse, append, count, remember how far; until the end or until somebody pulls the plug.

Acknowledged means kept: a batch is counted after the store returned, and the checkpoint is written after that. So an
ingest that was killed goes on, and one that is repeated finds everything there already and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from calibrant.events import batch as event_batch
from calibrant.joining import contract
from calibrant.ports import clock, event_log
from calibrant.streams import declaration
from calibrant.workflow import checkpoints, evidence_of_stream, feeds, partitions

#: Events that are made durable together.
BATCH: Final = 1_000
#: Refused and conflicting items that are named in the answer; all are counted.
NAMED: Final = 20

Progress: TypeAlias = Callable[[int, int], None]


class Keeper(Protocol):
    """The part of the event log that a taken item needs."""

    def append_predictions(self, stream: str, batch: pa.Table, *, received_us: int) -> event_log.Appended:
        """As in ``EventLog``."""
        ...

    def append_labels(self, stream: str, batch: pa.Table, *, received_us: int) -> event_log.Appended:
        """As in ``EventLog``."""
        ...

    def reject(self, stream: str, items: Sequence[event_log.RejectedItem], *, received_us: int) -> None:
        """As in ``EventLog``."""
        ...


@dataclass(frozen=True, slots=True)
class Named:
    """One item that was not taken: its place in the input (the first is 1), and why."""

    place: int
    code: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ingested:
    """Exact counts of one input: every item is in one of the last five.

    ``resumed`` of the items were counted by an earlier run that did not come to the end.
    """

    items: int
    accepted: int
    duplicate: int
    conflicting: int
    rejected: int
    expired: int
    resumed: int
    named: tuple[Named, ...]

    @property
    def clean(self) -> bool:
        """Whether everything was taken or was there already."""
        return not (self.conflicting or self.rejected or self.expired)


def ingest(
    log: event_log.EventLog,
    stream: declaration.Stream,
    feed: feeds.Feed,
    *,
    kind: feeds.Kind,
    time: clock.Clock,
    name: str = "",
    kept: checkpoints.Checkpoints | None = None,
    progress: Progress | None = None,
    batch: int = BATCH,
) -> Ingested:
    """Take in a feed. ``name`` identifies the input among checkpoints.

    Raises what the store raises; everything counted so far is kept then, and the same call goes on from there.
    """
    evidence_of_stream.managed(stream)
    log.declare(stream.name, partition_us=partitions.width_us(stream))
    end_waits(log, stream, time=time)
    places = kept or checkpoints.Forgetful()
    key = f"{stream.name}\n{kind}\n{name}"
    state = _resumed(places.load(key), feed)
    before, begin = state.items, state.position
    named: list[Named] = []
    for part in feed.parsed(begin):
        state, refused = take(log, stream, part, state, time=time, batch=batch)
        named += refused[: NAMED - len(named)]
        state = replace(state, position=begin + part.end)
        state = replace(state, digest=feed.digest(state.position) or "")
        places.save(key, state)
        if progress is not None:
            progress(state.position, feed.size())
    places.remove(key)
    return Ingested(
        state.items,
        state.accepted,
        state.duplicate,
        state.conflicting,
        state.rejected,
        state.expired,
        resumed=before,
        named=tuple(named),
    )


def house(log: event_log.EventLog, stream: declaration.Stream, *, time: clock.Clock) -> int:
    """What is due after events came in: retention, orphans that waited too long, sealing; how many events went."""
    now = time.now_us()
    gone = end_waits(log, stream, time=time)
    if stream.retention is not None:
        gone += log.forget_before(stream.name, now - stream.retention // contract.MICROSECOND, now_us=now)
    log.maintain(now_us=now)
    return gone


def end_waits(log: event_log.EventLog, stream: declaration.Stream, *, time: clock.Clock) -> int:
    """Expire the orphan labels that have waited for longer than the stream declares; how many.

    Due before predictions come in, too: what may still be adopted must not hang on when somebody last cleaned up.
    """
    limit = stream.labels.orphans // contract.MICROSECOND
    return log.forget_orphans_before(stream.name, time.now_us() - limit)


def _resumed(found: checkpoints.Checkpoint | None, feed: feeds.Feed) -> checkpoints.Checkpoint:
    """The checkpoint, if the input begins with exactly what was acknowledged then; else the very beginning."""
    if found is not None and feed.digest(found.position) == found.digest:
        return found
    return checkpoints.Checkpoint(0, "")


def take(
    log: Keeper,
    stream: declaration.Stream,
    part: feeds.Parsed,
    state: checkpoints.Checkpoint,
    *,
    time: clock.Clock,
    batch: int = BATCH,
) -> tuple[checkpoints.Checkpoint, list[Named]]:
    """Append one part; the counts after it, and the items that were not taken."""
    named = [Named(one.index + 1, one.code, one.path, one.reason) for one in part.rejected]
    table = part.batch.table
    for start in range(0, table.num_rows, batch):
        rows = table.slice(start, batch)
        received = time.now_us()
        if isinstance(part.batch, event_batch.PredictionBatch):
            done = log.append_predictions(stream.name, rows, received_us=received)
        else:
            done = log.append_labels(stream.name, rows, received_us=received)
        state = replace(
            state,
            accepted=state.accepted + done.accepted,
            duplicate=state.duplicate + done.duplicate,
            conflicting=state.conflicting + done.conflicting,
            expired=state.expired + done.expired,
        )
        named += _refused(done, part.positions[start : start + batch] + 1)
    if part.rejected:
        items = [event_log.RejectedItem(one.code, one.path, one.reason, one.body_hash) for one in part.rejected]
        log.reject(stream.name, items, received_us=time.now_us())
    counted = replace(state, items=state.items + part.items, rejected=state.rejected + len(part.rejected))
    return counted, sorted(named, key=lambda one: one.place)


def _refused(done: event_log.Appended, places: NDArray[np.int64]) -> list[Named]:
    """The conflicting and expired items of a batch, by place."""
    if not (done.conflicting or done.expired):
        return []
    return [
        _REASONS[int(done.outcomes[row])].at(int(places[row]))
        for row in np.flatnonzero(np.isin(done.outcomes, list(_REASONS))).tolist()
    ]


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why the store did not take an item."""

    code: str
    reason: str
    path: str = ""

    def at(self, place: int) -> Named:
        return Named(place, self.code, self.path, self.reason)


_REASONS: Final = {
    event_log.CONFLICTING: _Reason("CAL-483", "the same identity with another body was there first: quarantined"),
    event_log.EXPIRED: _Reason(
        "CAL-484", "older than retention, or a label that once waited too long for its prediction", path="at"
    ),
}
