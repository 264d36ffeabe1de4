"""The matured pairs of a stream as rows, for what cannot be done with sums: fitting a map and proving it.

Scores are the raw ones that were sent, as probabilities of the stream's scale; served scores are never looked at. The
latest whole partitions judge, so that a map is proved on the time after the one it was fitted on; where partitions are
too coarse for that, the latest rows do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from calibrant.calibrators.scales import Scale
from calibrant.evidence import recommend
from calibrant.frames import columns
from calibrant.joining import caps, joined, reference
from calibrant.streams import declaration
from calibrant.workflow import evidence_of_stream, partitions

#: Whole partitions judge if their share of the rows is that near to the one that should judge.
NEAR: Final = 0.1


@dataclass(frozen=True, eq=False, slots=True)
class StreamRows:
    """Rows in order of partitions; ``judged`` marks those of the latest, or is None where partitions are too coarse."""

    rows: columns.Rows
    judged: NDArray[np.bool_] | None


def read(
    store: partitions.Reads,
    stream: declaration.Stream,
    found: evidence_of_stream.Matured,
    *,
    by: Sequence[str] | None = None,
    received_by_us: int | None = None,
    progress: partitions.Progress | None = None,
) -> StreamRows:
    """The pairs that ``found`` sums up. ``by`` are cohort fields, as in ``evidence_of_stream.assessed``.

    ``received_by_us`` is the ``as_of_us`` that ``found`` was asked for, None if it was asked for now.
    """
    groups = evidence_of_stream.cohorts_by(found, stream, by)
    fields = () if groups is None else groups.fields
    kept = {field: _kept(found, field) for field in fields}
    parts: list[_Part] = []
    with store.snapshot() as reader:
        width = reader.partition_width_us(stream.name)
        every = partitions.starts(reader, stream, start_us=found.start_us, end_us=found.end_us, as_of_us=received_by_us)
        for done, start in enumerate(every, 1):
            one = partitions.pairs(
                reader,
                stream,
                start_us=start if found.start_us is None else max(start, found.start_us),
                end_us=start + width if found.end_us is None else min(start + width, found.end_us),
                as_of_us=found.as_of_us,
                received_by_us=received_by_us,
            )
            parts.append(_part(one, kept, weighting=found.weighting))
            if progress is not None:
                progress(done, len(every))
    return _together(parts, kept, stream, found, width)


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    scores: NDArray[np.float64]
    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    at_us: NDArray[np.int64]
    codes: dict[str, NDArray[np.int32]]


def _kept(found: evidence_of_stream.Matured, field: str) -> pa.Array:
    """The values of a field that are told apart, sorted, with the one that stands for all others."""
    place = found.pairs.fields.index(field)
    return pa.array(sorted({key[place] for key in found.pairs.keys} | {caps.OTHER}), pa.string())


def _part(one: reference.Pairs, kept: dict[str, pa.Array], *, weighting: str) -> _Part:
    # in an order of their own, so that the same events give the same fit however they are stored
    order = compute.sort_indices(one.table.select(["at_us", "id"]), [("at_us", "ascending"), ("id", "ascending")])
    mine = order.to_numpy()[(one.state <= joined.IMPLICIT)[order.to_numpy()]]
    weights = one.weight / one.propensity if weighting == "inverse_propensity" else one.weight
    table = one.table.take(pa.array(mine))
    declared = [field for field in kept if field != "model"]
    encoded = dict(zip(declared, reference.attributes(table["cohorts"], declared), strict=True))
    codes = {}
    for field, values in kept.items():
        if field == "model":
            place = compute.index_in(table["model"].cast(pa.string()), value_set=values)
            words, each = place.combine_chunks(), np.arange(table.num_rows)
        else:
            each, different = encoded[field]
            words = compute.index_in(different.cast(pa.string()), value_set=values)
        other = values.index(caps.OTHER).as_py()
        codes[field] = compute.fill_null(words, other).to_numpy(zero_copy_only=False).astype(np.int32)[each]
    return _Part(one.scores[mine], one.value[mine], weights[mine], table["at_us"].to_numpy(), codes)


def _together(
    parts: Sequence[_Part],
    kept: dict[str, pa.Array],
    stream: declaration.Stream,
    found: evidence_of_stream.Matured,
    width: int,
) -> StreamRows:
    values = np.concatenate([one.values for one in parts] or [np.zeros(0)])
    weights = np.concatenate([one.weights for one in parts] or [np.zeros(0)])
    at = np.concatenate([one.at_us for one in parts] or [np.zeros(0, np.int64)])
    rows = columns.Rows(
        scores=np.concatenate([one.scores for one in parts] or [np.zeros(0)]),
        labels=values.astype(np.int8) if stream.target == "probability" else values,
        weights=None if bool((weights == 1.0).all()) else weights,
        cohorts={
            field: _encoded(np.concatenate([one.codes[field] for one in parts]), words) for field, words in kept.items()
        },
        times=at.astype("datetime64[us]"),
        scale=Scale(),
        target="binary" if stream.target == "probability" else "rate",
        source=f"stream {stream.name}",
        read=found.counts.predictions,
    )
    return StreamRows(rows, _latest(at, width))


def _encoded(codes: NDArray[np.int32], words: pa.Array) -> columns.Encoded:
    """Without values that no row has; the order of the text stays."""
    used, place = np.unique(codes, return_inverse=True)
    return columns.Encoded(place.astype(np.int32), tuple(words.take(pa.array(used)).to_pylist()))


def _latest(at: NDArray[np.int64], width: int) -> NDArray[np.bool_] | None:
    """Rows of the latest partitions that together come nearest to the share that judges; None if none comes near."""
    starts, counts = np.unique(at - at % width, return_counts=True)
    if len(starts) < 2:
        return None
    away = np.abs(np.cumsum(counts[:0:-1]) / len(at) - recommend.HOLDOUT)
    many = int(np.argmin(away)) + 1
    return np.asarray(at >= starts[-many]) if away[many - 1] <= NEAR else None
