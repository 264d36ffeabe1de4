"""Summaries of a stream, partition by partition: which are out of date, how one is made again, what they add up to.

A partition is made again when an event touched it, when a prediction in it may have matured since, or when the
declaration of the stream changed in a way that changes pairs. Nothing else is read.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeAlias

import numpy as np

from calibrant import errors
from calibrant.calibrators import canonical
from calibrant.joining import contract, joined, reference
from calibrant.ports import event_log, kept_summaries
from calibrant.streams import declaration

Progress: TypeAlias = Callable[[int, int], None]
#: A kept summary, or what it says of itself.
Kept: TypeAlias = kept_summaries.KeptSummary | kept_summaries.SummaryHeader

#: A partition keeps so many times more values of a field than the cap: which ones count is decided for the window.
FINER: Final = 10
MOST_VALUES: Final = 1_000_000
_DECLARATION: Final = "declaration"
#: Counts that add up over partitions. Overflow does not: it is decided for the window.
_COUNTED: Final = tuple(
    one.name
    for one in dataclasses.fields(joined.JoinCounts)
    if one.name not in ("labels", "invalid_labels", "overflow")
)


class Reads(event_log.EventReader, Protocol):
    """A store as far as it is read: what any number of processes can do while another one writes."""

    def snapshot(self) -> AbstractContextManager[event_log.EventReader]:
        """As in ``EventLog``."""
        ...

    def partitions(
        self,
        stream: str,
        key: kept_summaries.SummaryKey,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> tuple[kept_summaries.KeptSummary, ...]:
        """As in ``KeptSummaries``."""
        ...

    def headers(self, stream: str, key: kept_summaries.SummaryKey) -> tuple[kept_summaries.SummaryHeader, ...]:
        """As in ``KeptSummaries``."""
        ...


class ReadStore(Reads, Protocol):
    """An opened store that cannot be written to."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *failure: object) -> None: ...


class Store(event_log.EventLog, kept_summaries.KeptSummaries, Protocol):
    """A store: the events and the summaries that are kept of them."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The summaries of a window as of now, and of the partitions that had to be made again, wherever they are."""

    partitions: Mapping[int, kept_summaries.KeptSummary]
    made: tuple[int, ...]
    through_seq: int
    as_of_us: int


def key_of(stream: declaration.Stream) -> kept_summaries.SummaryKey:
    """How the summaries of a stream are kept: by model and every declared cohort field."""
    return kept_summaries.SummaryKey(("model", *stream.cohort_fields))


def width_us(stream: declaration.Stream) -> int:
    """Width of a partition as declared."""
    return event_log.DAY_US if stream.partition == "day" else event_log.HOUR_US


def refresh(
    reader: event_log.EventReader,
    store: Reads,
    stream: declaration.Stream,
    *,
    now_us: int,
    start_us: int | None = None,
    end_us: int | None = None,
    progress: Progress | None = None,
) -> Refreshed:
    """Make what is out of date again, in memory; ``keep`` makes it durable. ``reader`` is a snapshot of ``store``.

    Of partitions outside the window [start_us, end_us) only the headers are read.

    Raises StoreDamagedError (CAL-871) when the summaries together miss or double predictions of the log.
    """
    declared, seq = fingerprint(stream), reader.last_seq(stream.name)
    dirty = set(reader.dirty(stream.name))
    # read after the snapshot began: what is newer than it shows that by its number
    width, horizon = reader.partition_width_us(stream.name), contract.horizon_us(stream.labels)
    known = _known(store, stream, None if start_us is None else start_us - start_us % width, end_us)

    def out_of_date(start: int) -> bool:
        one = known.get(start)
        if one is None or start in dirty or not current(one, seq=seq, declared=declared):
            return True
        return not one.final and (now_us >= start + horizon or one.as_of_us < start + width)

    stale = sorted(start for start in dirty | set(known) if out_of_date(start))
    made = _make(reader, stream, stale, seq=seq, now_us=now_us, progress=progress)
    whole: dict[int, Kept] = {**known, **made}
    expected = reader.counts(stream.name).predictions
    if _held(whole.values()) != expected:
        # summaries of another declaration, or of none yet, whose partitions were called clean since
        more = [start for start in starts(reader, stream) if start not in whole]
        whole |= _make(reader, stream, more, seq=seq, now_us=now_us, progress=progress)
        stale = sorted({*stale, *more})
    if _held(whole.values()) != expected:
        raise errors.StoreDamagedError(
            "CAL-871",
            f"the summaries of {stream.name} hold other predictions than its events",
            cause=f"{_held(whole.values()):,} predictions are summarised, {expected:,} are stored",
            fix=f"run calibrant verify-summaries {stream.name}, and restore the store from a backup",
        )
    held = {start: one for start, one in sorted(whole.items()) if isinstance(one, kept_summaries.KeptSummary)}
    return Refreshed(held, tuple(stale), seq, now_us)


def _known(store: Reads, stream: declaration.Stream, start_us: int | None, end_us: int | None) -> dict[int, Kept]:
    """What is kept: of partitions that start in the window with pairs, of the others the headers."""
    key = key_of(stream)
    inside = store.partitions(stream.name, key, start_us=start_us, end_us=end_us)
    known: dict[int, Kept] = {one.partition_us: one for one in inside}
    if start_us is None and end_us is None:
        return known
    for one in store.headers(stream.name, key):
        before = start_us is not None and one.partition_us < start_us
        # in the window, one that is only seen now was kept meanwhile: its pairs were not read
        if before or (end_us is not None and one.partition_us >= end_us):
            known[one.partition_us] = one
    return known


def current(one: Kept, *, seq: int, declared: int) -> bool:
    """Whether a kept summary was made under this declaration, and of no later events than the snapshot holds."""
    return one.through_seq <= seq and one.counts.get(_DECLARATION) == declared


def keep(store: Store, stream: declaration.Stream, refreshed: Refreshed) -> None:
    """Make the summaries that were made again durable, and call their partitions clean."""
    key = key_of(stream)
    for start in refreshed.made:
        store.put(stream.name, key, refreshed.partitions[start])
    if refreshed.made:
        store.clean(stream.name, refreshed.made, seq=refreshed.through_seq)


def starts(
    reader: event_log.EventReader,
    stream: declaration.Stream,
    *,
    start_us: int | None = None,
    end_us: int | None = None,
    as_of_us: int | None = None,
) -> list[int]:
    """Starts of the partitions that hold predictions of the window, found by reading their times."""
    width = reader.partition_width_us(stream.name)
    found: set[int] = set()
    for table in reader.predictions(
        stream.name, start_us=start_us, end_us=end_us, as_of_us=as_of_us, columns=["at_us"]
    ):
        at = table["at_us"].to_numpy()
        found.update(np.unique(at - at % width).tolist())
    return sorted(found)


def join(
    reader: event_log.EventReader,
    stream: declaration.Stream,
    *,
    start_us: int,
    end_us: int,
    as_of_us: int,
    received_by_us: int | None = None,
    weighting: contract.Weighting = "plain",
) -> joined.Joined:
    """The pairs of predictions made in [start_us, end_us), straight from the events.

    Without ``received_by_us`` every event counts that is there: the time of receipt may be ahead of a clock that
    jumped back.
    """
    found = pairs(reader, stream, start_us=start_us, end_us=end_us, as_of_us=as_of_us, received_by_us=received_by_us)
    finer = [dataclasses.replace(one, cap=min(FINER * one.cap, MOST_VALUES)) for one in stream.cohorts]
    return reference.summarise(found, as_of_us=as_of_us, cohorts=finer, weighting=weighting)


def pairs(
    reader: event_log.EventReader,
    stream: declaration.Stream,
    *,
    start_us: int,
    end_us: int,
    as_of_us: int,
    received_by_us: int | None = None,
) -> reference.Pairs:
    """Every prediction of a window with its state: what ``join`` sums up."""
    predictions = reader.predictions(
        stream.name, start_us=start_us, end_us=end_us, as_of_us=received_by_us, columns=list(reference.PREDICTION)
    )
    labels = reader.labels(
        stream.name, start_us=start_us, end_us=end_us, as_of_us=received_by_us, columns=list(reference.LABEL)
    )
    return reference.pairs(
        predictions,
        labels,
        rule=stream.labels,
        as_of_us=as_of_us,
        scale=stream.scale,
        target=stream.target,
        start_us=start_us,
        end_us=end_us,
    )


def fingerprint(stream: declaration.Stream) -> int:
    """A number for everything declared that pairs depend on: another number means other pairs."""
    rule = stream.labels
    told = {
        "horizon": contract.horizon_us(rule),
        "implicit_negative": rule.implicit_negative,
        "terminal": list(rule.terminal),
        "conflicts": rule.conflicts,
        "priority": list(rule.priority),
        "target": stream.target,
        "scale": str(stream.scale),
        "cohorts": [[one.field, one.cap] for one in stream.cohorts],
    }
    return int.from_bytes(hashlib.sha256(canonical.dumps(told)).digest()[:6], "big")


def counted(parts: Iterable[Mapping[str, int]]) -> joined.JoinCounts:
    """Counts of several partitions added up."""
    total = dict.fromkeys(_COUNTED, 0)
    for counts in parts:
        for name in _COUNTED:
            total[name] += counts.get(name, 0)
    return joined.JoinCounts(**total, labels=None, invalid_labels=None)  # type: ignore[arg-type]


def told(counts: joined.JoinCounts) -> dict[str, int]:
    """Counts as plain numbers, for keeping."""
    return {name: getattr(counts, name) for name in _COUNTED}


def _make(
    reader: event_log.EventReader,
    stream: declaration.Stream,
    stale: Sequence[int],
    *,
    seq: int,
    now_us: int,
    progress: Progress | None,
) -> dict[int, kept_summaries.KeptSummary]:
    def each() -> Iterator[kept_summaries.KeptSummary]:
        width = reader.partition_width_us(stream.name)
        for done, start in enumerate(stale, 1):
            yield summarised(
                join(reader, stream, start_us=start, end_us=start + width, as_of_us=now_us), stream, start, seq=seq
            )
            if progress is not None:
                progress(done, len(stale))

    return {one.partition_us: one for one in each()}


def summarised(
    found: joined.Joined, stream: declaration.Stream, partition_us: int, *, seq: int
) -> kept_summaries.KeptSummary:
    """What is kept of one partition's join."""
    counts = found.counts
    return kept_summaries.KeptSummary(
        partition_us,
        found.cohorts if len(found.cohorts) else None,
        through_seq=seq,
        as_of_us=found.as_of_us,
        final=counts.immature == 0 and counts.future == 0,
        counts={**told(counts), _DECLARATION: fingerprint(stream)},
    )


def _held(parts: Iterable[Kept]) -> int:
    """Predictions that the summaries account for."""
    names = ("predictions", "future", "duplicate_predictions", "conflicting_predictions")
    return sum(one.counts.get(name, 0) for one in parts for name in names)
