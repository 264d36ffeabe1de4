"""How a stream is doing: what came, how late labels are, how much has matured, what was not taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from calibrant.joining import contract, joined
from calibrant.ports import event_log
from calibrant.streams import declaration
from calibrant.workflow import evidence_of_stream, partitions

Ints = NDArray[np.int64]
#: Quantiles of the label lag.
QUANTILES: Final = (0.5, 0.9, 0.99, 1.0)
#: Ages at which the maturity curve is read, as shares of the horizon.
AGES: Final = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class MaturityPoint:
    """Of ``old_enough`` predictions of at least this age, so many had a label by that age."""

    age_us: int
    old_enough: int
    labelled: int

    @property
    def share(self) -> float | None:
        return self.labelled / self.old_enough if self.old_enough else None


@dataclass(frozen=True, slots=True)
class Status:
    """One stream as of now. ``lag`` is from a prediction to its first label, by quantile; ``join`` adds everything up.

    ``quarantined`` and ``refused`` count the bodies and items that are kept to look at, by kind and by code.
    """

    stream: str
    as_of_us: int
    counts: event_log.Counts
    join: joined.JoinCounts
    lag: tuple[tuple[float, int], ...]
    maturity: tuple[MaturityPoint, ...]
    quarantined: int
    refused: tuple[tuple[str, int], ...]
    partitions: int
    dirty: int


def status(
    store: partitions.Reads,
    stream: declaration.Stream,
    *,
    now_us: int,
    start_us: int | None = None,
    end_us: int | None = None,
    progress: partitions.Progress | None = None,
) -> Status:
    """Look at the predictions of a window (all of them by default); writes nothing."""
    evidence_of_stream.managed(stream)
    with store.snapshot() as reader:
        counts = reader.counts(stream.name)
        dirty = reader.dirty(stream.name)
        found = partitions.starts(reader, stream, start_us=start_us, end_us=end_us)
        width = reader.partition_width_us(stream.name)
        total = joined.JoinCounts()
        ages, waits = [], []
        for done, start in enumerate(found, 1):
            begin = start if start_us is None else max(start, start_us)
            end = start + width if end_us is None else min(start + width, end_us)
            total = total + partitions.join(reader, stream, start_us=begin, end_us=end, as_of_us=now_us).counts
            age, wait = _waits(reader, stream.name, begin, end, now_us)
            ages.append(age)
            waits.append(wait)
            if progress is not None:
                progress(done, len(found))
        quarantined = reader.quarantined(stream.name)
        rejected = reader.rejected(stream.name)
    age, wait = np.concatenate([np.zeros(0, np.int64), *ages]), np.concatenate([np.zeros(0, np.int64), *waits])
    return Status(
        stream.name,
        now_us,
        counts,
        total,
        _quantiles(wait[wait != _NEVER]),
        _curve(age, wait, contract.horizon_us(stream.labels)),
        quarantined.num_rows,
        _by_code(rejected),
        len(found),
        len(dirty),
    )


_NEVER: Final = np.iinfo(np.int64).max


def _waits(reader: event_log.EventReader, stream: str, start_us: int, end_us: int, now_us: int) -> tuple[Ints, Ints]:
    """Age of each prediction and the time to its first label, ``_NEVER`` without one."""
    window = {"start_us": start_us, "end_us": end_us}
    made = pa.concat_tables(list(reader.predictions(stream, columns=["id", "at_us"], **window)))
    at = made["at_us"].to_numpy()
    first = np.full(len(at), _NEVER)
    ids = made["id"].combine_chunks()
    for table in reader.labels(stream, columns=["prediction", "at_us"], **window):
        place = compute.index_in(table["prediction"], value_set=ids)
        mine = compute.is_valid(place)
        where = place.filter(mine).to_numpy()
        np.minimum.at(first, where, table["at_us"].filter(mine).to_numpy())
    has = first != _NEVER
    wait = np.where(has, first - at, _NEVER)
    return now_us - at, wait


def _quantiles(wait: Ints) -> tuple[tuple[float, int], ...]:
    if not len(wait):
        return ()
    found = np.quantile(wait, QUANTILES, method="inverted_cdf")
    return tuple(zip(QUANTILES, (int(one) for one in found), strict=True))


def _curve(age: Ints, wait: Ints, horizon_us: int) -> tuple[MaturityPoint, ...]:
    """Only predictions that have reached an age say how many of that age are labelled."""
    points = []
    for share in AGES:
        limit = round(share * horizon_us)
        old = age >= limit
        points.append(MaturityPoint(limit, int(old.sum()), int((wait[old] <= limit).sum())))
    return tuple(points)


def _by_code(rejected: pa.Table) -> tuple[tuple[str, int], ...]:
    counted = rejected.group_by("code", use_threads=False).aggregate([([], "count_all")])
    pairs = zip(counted["code"].to_pylist(), counted["count_all"].to_pylist(), strict=True)
    return tuple(sorted(pairs, key=lambda one: (-one[1], one[0])))
