"""The event log: every prediction and every label of a stream, kept once, for as long as the stream says.

Promises of every implementation; ``calibrant.testing.event_log_contract`` is the exam.

1. **Durable.** When an ``append_*`` returns, its accepted events survive a power cut. When it raises, none of the
   batch may be assumed kept, and sending the batch again is always right.
2. **Once.** An event is its identity: a prediction is stream + id, a label is stream + prediction + source + revision.
   The same identity with the same digest is a duplicate and changes nothing; with another digest it is conflicting:
   refused, counted, and its body kept in quarantine. The first one stays. This holds for events of any age, whether
   they are stored hot, sealed, or erased by unit (an erased prediction does not come back: it counts as duplicate).
3. **Any order.** Labels may come before their prediction: they are orphans until it comes. Apart from ``seq`` and
   ``received_us`` the state does not depend on the order of arrival, unless an orphan waited for too long
   (``forget_orphans_before``): that one is expired for ever, however often it is sent again.
4. **Bitemporal.** ``seq`` grows with every accepted event of a stream, with gaps, and ``received_us`` never falls with
   it: a clock that jumps back is held at the last time that was used. Reading with ``as_of_us`` gives what a reader
   would have seen then, except for what has been removed since: by retention, by erasure, for waiting too long.
5. **Consistent.** Every read sees one state; ``snapshot`` gives several reads of one state while a writer writes.
6. **Partitions.** Time is cut into partitions of the stream's width, by the time of the prediction; a label belongs to
   the partition of its prediction, whenever it came. Every accepted event, adoption of an orphan and removal makes its
   partition dirty until ``clean`` is called with a ``seq`` that is not older.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

DAY_US: Final = 86_400_000_000
HOUR_US: Final = 3_600_000_000

#: The numbers in ``Appended.outcomes``.
ACCEPTED: Final = 0
DUPLICATE: Final = 1
CONFLICTING: Final = 2
#: Older than what retention has dropped, or a label that once waited too long for its prediction: not kept, counted.
EXPIRED: Final = 3


@dataclass(frozen=True, eq=False, slots=True)
class Appended:
    """What became of a batch; ``outcomes`` has one of the numbers above for every item, in order, as int8."""

    accepted: int
    duplicate: int
    conflicting: int
    expired: int
    outcomes: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """An item that was refused at the door: why, where in it, and a hash of its bytes, never the bytes."""

    code: str
    path: str
    reason: str = ""
    body_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Counts:
    """Exact counts of a stream. ``labels`` includes ``orphans``.

    ``duplicates``, ``conflicting``, ``rejected`` and ``expired`` count arrivals, not distinct events; ``erased`` counts
    predictions and ``orphans_expired`` labels that were here and are not any more, whatever the ``as_of_us``. Times are
    of the events; None when there are none.
    """

    predictions: int = 0
    labels: int = 0
    orphans: int = 0
    duplicates: int = 0
    conflicting: int = 0
    rejected: int = 0
    expired: int = 0
    erased: int = 0
    orphans_expired: int = 0
    first_at_us: int | None = None
    last_at_us: int | None = None
    last_label_us: int | None = None


class EventReader(Protocol):
    """Reads of the event log. Unknown streams are empty streams."""

    def streams(self) -> tuple[str, ...]:
        """Names of all streams, sorted."""
        ...

    def partition_width_us(self, stream: str) -> int:
        """Width of a partition: a day unless ``declare`` said otherwise."""
        ...

    def last_seq(self, stream: str) -> int:
        """The highest number given so far, 0 before the first: no event or removal of this state has a higher one, and
        every later one will. What ``clean`` wants to hear. It counts nothing: refused events use up numbers too.
        """
        ...

    def predictions(
        self,
        stream: str,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        as_of_us: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.Table]:
        """Predictions with ``at_us`` in [start, end): the columns of events.batch.PREDICTIONS, then received_us, seq.

        In no particular order. ``columns`` reads only those. A partition's rows follow one another.
        """
        ...

    def labels(
        self,
        stream: str,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        as_of_us: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.Table]:
        """Labels of predictions whose partition meets [start, end): events.batch.LABELS, received_us, seq.

        Orphans come too when neither start nor end is given. The window is widened to whole partitions.
        """
        ...

    def counts(self, stream: str, *, as_of_us: int | None = None) -> Counts:
        """Exact counts, now or as of a time of receipt."""
        ...

    def damaged(self, stream: str) -> tuple[str, ...]:
        """Names of the parts whose bytes are not those that were written; reads everything that is kept."""
        ...

    def dirty(self, stream: str) -> tuple[int, ...]:
        """Starts of the partitions that changed since they were last called clean, in increasing order."""
        ...

    def quarantined(self, stream: str) -> pa.Table:
        """The newest conflicting bodies, each once: kind, id, source, revision, digest, received_us, body (JSON)."""
        ...

    def rejected(self, stream: str) -> pa.Table:
        """The newest refused items: received_us, code, path, reason, body_hash."""
        ...


class EventLog(EventReader, Protocol):
    """The log with its writes. One writing process at a time; the object may be shared by threads."""

    def declare(self, stream: str, *, partition_us: int) -> None:
        """Fix the partition width of a new stream; UsageError (CAL-861) if it has another one already."""
        ...

    def append_predictions(self, stream: str, batch: pa.Table, *, received_us: int) -> Appended:
        """Keep the new ones of a table with the columns of events.batch.PREDICTIONS."""
        ...

    def append_labels(self, stream: str, batch: pa.Table, *, received_us: int) -> Appended:
        """Keep the new ones of a table with the columns of events.batch.LABELS."""
        ...

    def reject(self, stream: str, items: Sequence[RejectedItem], *, received_us: int) -> None:
        """Count refused items, and keep the newest of them to look at."""
        ...

    def clean(self, stream: str, partitions: Sequence[int], *, seq: int) -> None:
        """Say that these partitions are summarised up to change number ``seq``; later changes keep them dirty."""
        ...

    def maintain(self, *, now_us: int) -> None:
        """Seal partitions that ended before now, merge small pieces, remove files that nobody needs; safe any time."""
        ...

    def forget_before(self, stream: str, at_us: int, *, now_us: int) -> int:
        """Retention: drop predictions before ``at_us`` with their labels, and orphan labels of before; how many events.

        Later arrivals of before ``at_us`` are expired. A time after ``now_us`` is refused (CAL-862).
        """
        ...

    def forget_orphans_before(self, stream: str, received_us: int) -> int:
        """End the wait of orphan labels that were received before a time: they go, counted, and stay away; how many.

        A prediction that comes later is not labelled by them, and such a label that is sent again, with whatever body,
        is expired. Only keyed hashes of their identities remain, until retention drops what is of their time.
        """
        ...

    def forget_unit(self, stream: str, unit: str) -> int:
        """Erasure: remove the predictions of one unit, their labels and quarantined bodies; how many predictions.

        The bytes are overwritten. Only a count and keyed hashes of the ids remain, so that an event that is sent
        again does not come back.
        """
        ...

    def snapshot(self) -> AbstractContextManager[EventReader]:
        """Several reads of one state."""
        ...

    def close(self) -> None:
        """Let go of the store; a second call does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *failure: object) -> None: ...
