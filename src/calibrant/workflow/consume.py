"""From a broker to the log: poll, check, append, and only then commit; until told to stop.

What the store acknowledged and the broker was not told about comes again, and counts as duplicate: at least once in,
exactly once in effect. Messages that cannot be read are refused, counted and committed: they never block the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

import pyarrow as pa

from calibrant import errors
from calibrant.ports import clock, event_log, message_source
from calibrant.streams import declaration
from calibrant.workflow import checkpoints, evidence_of_stream, ingest, messages, partitions

#: Seconds that a poll waits: how long a request to stop may go unheard.
POLL: Final = 0.5
#: Seconds between two rounds of retention and sealing.
HOUSE: Final = 300.0
#: Seconds to wait before a batch is sent to the store again, and after the last of them the error is told.
RETRIES: Final = (0.1, 0.5, 2.0, 5.0)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refused:
    """One item that was not taken: where it came from, and why."""

    place: str
    code: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Consumed:
    """Exact counts of what was taken from a source and committed: every item is in one of the five counts after it."""

    messages: int = 0
    items: int = 0
    accepted: int = 0
    duplicate: int = 0
    conflicting: int = 0
    rejected: int = 0
    expired: int = 0
    forgotten: int = 0
    named: tuple[Refused, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether everything was taken or was there already."""
        return not (self.conflicting or self.rejected or self.expired)


Progress: TypeAlias = Callable[[Consumed], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """Time as a consumer feels it: seconds that only grow, a pause, and whether somebody asked it to stop."""

    elapsed: Callable[[], float]
    pause: Callable[[float], None]
    stop: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Until:
    """When to stop without being told: after so many events (a message is not split), after so long a silence."""

    events: int | None = None
    idle_seconds: float | None = None


def consume(
    log: event_log.EventLog,
    stream: declaration.Stream,
    source: message_source.MessageSource,
    *,
    kind: messages.Kind,
    time: clock.Clock,
    pace: Pace,
    until: Until,
    hmac_key: bytes | None = None,
    progress: Progress | None = None,
    batch: int = ingest.BATCH,
) -> Consumed:
    """Take in messages until told to stop; ``progress`` hears the counts after each commit.

    Raises what the store raises when it goes on failing, with nothing committed of the batch it failed on.
    """
    evidence_of_stream.managed(stream)
    log.declare(stream.name, partition_us=partitions.width_us(stream))
    reader = messages.Reader(stream, kind, hmac_key=hmac_key)
    keeper = _Patient(log, pace)
    found = Consumed()
    heard = housed = pace.elapsed()
    while not pace.stop() and (until.events is None or found.items < until.events):
        most = batch if until.events is None else min(batch, until.events - found.items)
        polled = source.poll(most, seconds=POLL)
        now = pace.elapsed()
        if polled:
            kept = _keep(keeper, stream, reader, polled, time=time, batch=batch)
            # the only place where the broker is told, after the store has acknowledged
            source.commit(polled)
            found, heard = _sum(found, kept), pace.elapsed()
            if progress is not None:
                progress(found)
        elif not source.ready():
            heard = now
        elif until.idle_seconds is not None and now - heard >= until.idle_seconds:
            break
        if now - housed >= HOUSE:
            found, housed = _housed(found, log, stream, time), now
    return _housed(found, log, stream, time)


def _keep(
    keeper: ingest.Keeper,
    stream: declaration.Stream,
    reader: messages.Reader,
    polled: Sequence[message_source.Message],
    *,
    time: clock.Clock,
    batch: int,
) -> Consumed:
    """Append what the messages hold; on return all of it is durable."""
    state, named = checkpoints.Checkpoint(0, ""), list[Refused]()
    for part in reader.read(polled):
        state, refused = ingest.take(keeper, stream, part.parsed, state, time=time, batch=batch)
        room = ingest.NAMED - len(named)
        named += [Refused(part.place(one.place - 1), one.code, one.path, one.reason) for one in refused[:room]]
    return Consumed(
        messages=len(polled),
        items=state.items,
        accepted=state.accepted,
        duplicate=state.duplicate,
        conflicting=state.conflicting,
        rejected=state.rejected,
        expired=state.expired,
        named=tuple(named),
    )


def _sum(one: Consumed, other: Consumed) -> Consumed:
    counts = {
        count.name: getattr(one, count.name) + getattr(other, count.name) for count in dataclasses.fields(Consumed)
    }
    return Consumed(**counts | {"named": counts["named"][: ingest.NAMED]})


def _housed(found: Consumed, log: event_log.EventLog, stream: declaration.Stream, time: clock.Clock) -> Consumed:
    return dataclasses.replace(found, forgotten=found.forgotten + ingest.house(log, stream, time=time))


@dataclass(frozen=True, slots=True)
class _Patient:
    """The log, asked again when it fails in passing: sending a batch again is always right.

    Where the first try was kept after all, the second one counts its events as duplicates.
    """

    log: event_log.EventLog
    pace: Pace
    retries: Sequence[float] = field(default=RETRIES)

    def append_predictions(self, stream: str, batch: pa.Table, *, received_us: int) -> event_log.Appended:
        return self._tried(lambda: self.log.append_predictions(stream, batch, received_us=received_us))

    def append_labels(self, stream: str, batch: pa.Table, *, received_us: int) -> event_log.Appended:
        return self._tried(lambda: self.log.append_labels(stream, batch, received_us=received_us))

    def reject(self, stream: str, items: Sequence[event_log.RejectedItem], *, received_us: int) -> None:
        self._tried(lambda: self.log.reject(stream, items, received_us=received_us))

    def _tried(self, act: Callable[[], T]) -> T:
        for wait in self.retries:
            try:
                return act()
            except (errors.StoreBusyError, errors.StoreFullError, errors.StoreFaultError):
                if self.pace.stop():
                    raise
                self.pace.pause(wait)
        return act()
