"""From the labels of a prediction to its one outcome: horizon, revisions, and the four policies for conflicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from calibrant.joining import contract, identity
from calibrant.streams import declaration

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bits = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Chosen:
    """One outcome a prediction: arrays of one length, ``value`` NaN where there is none; and counts of labels."""

    value: Floats
    weight: Floats
    propensity: Floats
    unresolved: Bits
    late: int
    early: int
    duplicates: int
    conflicting: int


def attach(labels: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
    """The labels of these predictions, with a column ``index`` into them."""
    index = compute.index_in(labels["prediction"], value_set=ids.combine_chunks())
    found = compute.is_valid(index)
    return labels.append_column("index", index.cast(pa.int64())).filter(found).drop_columns(["prediction"])


def choose(labels: pa.Table, *, at: Ints, rule: declaration.LabelContract) -> Chosen:
    """The outcome of every prediction; ``labels`` come from ``attach``, ``at`` are the times of the predictions."""
    clean, duplicates, conflicting = identity.distinct(labels, ("index", "source", "revision"))
    index = clean["index"].to_numpy()
    given = clean["at_us"].to_numpy()
    in_time = given <= at[index] + contract.horizon_us(rule)
    counted = clean.filter(pa.array(in_time))
    order, winners, unresolved = _winners(counted, rule)
    count = len(at)
    value, weight, propensity = np.full(count, np.nan), np.ones(count), np.ones(count)
    mine = counted["index"].to_numpy()[order][winners]
    for column, name in ((value, "value"), (weight, "weight"), (propensity, "propensity")):
        column[mine] = counted[name].to_numpy()[order][winners]
    conflict = np.zeros(count, bool)
    conflict[unresolved] = True
    value[unresolved] = np.nan
    return Chosen(
        value + 0.0,
        weight,
        propensity,
        conflict,
        late=int((~in_time).sum()),
        early=int((given < at[index]).sum()),
        duplicates=duplicates,
        conflicting=conflicting,
    )


def usable(labels: pa.Table, target: declaration.Target) -> pa.ChunkedArray:
    """Labels with a value of the target, a finite weight of at least 0 and a propensity in (0, 1]."""
    value = compute.fill_null(labels["value"], -1.0)
    fits = compute.and_(compute.greater_equal(value, 0.0), compute.less_equal(value, 1.0))
    if target == "probability":
        fits = compute.or_(compute.equal(value, 0.0), compute.equal(value, 1.0))
    weight, chance = labels["weight"], labels["propensity"]
    heavy = compute.and_(compute.greater_equal(weight, 0.0), compute.is_finite(weight))
    possible = compute.and_(compute.greater(chance, 0.0), compute.less_equal(chance, 1.0))
    return compute.and_(fits, compute.and_(heavy, possible))


def _winners(labels: pa.Table, rule: declaration.LabelContract) -> tuple[Ints, Ints, Ints]:
    """An order of the labels, places in it of one label for each prediction, and the predictions without a decision."""
    index, value = labels["index"].to_numpy(), labels["value"].to_numpy()
    revision, at = labels["revision"].to_numpy(), labels["at_us"].to_numpy()
    source = _ranks(labels["source"])
    nothing = np.zeros(0, np.int64)
    match rule.conflicts:
        case "last_revision":
            order = np.lexsort((source, at, revision, index))
            return order, _lasts(index[order]), nothing
        case "labeler_priority":
            standing = -_standing(labels["source"], rule.priority)
            order = np.lexsort((source, at, revision, standing, index))
            return order, _lasts(index[order]), nothing
        case "majority_vote":
            return _vote(index, value, (source, at, revision))
        case "reject":
            order = np.lexsort((source, at, revision, index))
            low, high = _extremes(value[order], index[order])
            lasts = _lasts(index[order])
            return order, lasts, index[order][lasts[low != high]]
        case _:
            assert_never(rule.conflicts)


def _vote(index: Ints, value: Floats, ties: tuple[Ints, Ints, Ints]) -> tuple[Ints, Ints, Ints]:
    """The most frequent value of each prediction; the label of it that would win by revision carries the weight."""
    order = np.lexsort((*ties, value, index))
    ends = np.flatnonzero(_changes(index[order]) | _changes(value[order]))
    votes = np.diff(np.append(-1, ends))
    ranked = np.lexsort((votes, index[order][ends]))
    places = _lasts(index[order][ends][ranked])
    winner, owner = ranked[places], index[order][ends][ranked]
    second = np.maximum(places - 1, 0)
    tied = (places > 0) & (owner[second] == owner[places]) & (votes[ranked[second]] == votes[winner])
    return order, ends[winner], owner[places][tied]


def _changes(column: NDArray[np.generic]) -> Bits:
    """Where the next row differs; the last row always does."""
    return np.append(column[1:] != column[:-1], True) if len(column) else np.zeros(0, bool)


def _lasts(index: Ints) -> Ints:
    """The last place of each run."""
    return np.flatnonzero(_changes(index))


def _extremes(value: Floats, index: Ints) -> tuple[Floats, Floats]:
    if not len(index):
        return np.zeros(0), np.zeros(0)
    starts = np.append(0, _lasts(index)[:-1] + 1)
    return np.minimum.reduceat(value, starts), np.maximum.reduceat(value, starts)


def _ranks(column: pa.ChunkedArray) -> Ints:
    """The place of each text in the order of code points, which every engine can agree on."""
    codes, words = _coded(column)
    ranks = np.empty(len(words), np.int64)
    ranks[sorted(range(len(words)), key=words.__getitem__)] = np.arange(len(words))
    return ranks[codes]


def _standing(column: pa.ChunkedArray, priority: tuple[str, ...]) -> Ints:
    """The place of each source in the list; those that are not in it come after all that are."""
    codes, words = _coded(column)
    place = {source: index for index, source in enumerate(priority)}
    return np.array([place.get(word, len(priority)) for word in words], np.int64)[codes]


def _coded(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    coded = column.combine_chunks()
    coded = (coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded).dictionary_encode()
    return coded.indices.to_numpy().astype(np.int64), coded.dictionary.to_pylist()
