"""The join itself, on Arrow tables in memory: the rules spelt out once, against which every engine is measured.

A label counts for a prediction if it was given within the horizon and known by ``as_of``; of those that count, the
conflict policy takes one value, or none. A prediction is matured once its horizon has passed or its label is terminal.
The answer depends on the set of rows alone: any order of events, and any event twice, gives the same.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute
from pyarrow import json as arrow_json

from calibrant.calibrators.scales import Scale
from calibrant.joining import caps, contract, identity, joined, outcomes
from calibrant.stats import cohorts as stacked
from calibrant.stats import summary as summaries
from calibrant.streams import declaration

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bits = NDArray[np.bool_]
Tables: TypeAlias = pa.Table | Iterable[pa.Table]

#: Objects parsed at a time: a million cohorts must not need a million Python objects.
BLOCK = 1 << 15
#: What is read of a prediction, with the value that stands for a missing one; ``received_us`` defaults to ``at_us``.
PREDICTION = {"id": None, "at_us": None, "score": None, "model": "", "cohorts": "{}", "weight": 1.0}
LABEL = {
    "prediction": None, "at_us": None, "value": None, "source": "", "revision": 0, "weight": 1.0, "propensity": 1.0,
}  # fmt: skip


@dataclass(frozen=True, eq=False, slots=True)
class Pairs:
    """Every visible prediction in order of id, with its state and outcome; ``value`` is NaN without one.

    ``weight`` is that of the pair, without any propensity; ``propensity`` is 1 where none is known.
    """

    table: pa.Table
    state: Ints
    scores: Floats
    value: Floats
    weight: Floats
    propensity: Floats
    counts: joined.JoinCounts


def join(
    predictions: Tables,
    labels: Tables,
    *,
    rule: declaration.LabelContract,
    as_of_us: int,
    cohorts: Sequence[declaration.CohortField] = (),
    kept: caps.Kept | None = None,
    scale: Scale = Scale(),
    target: declaration.Target = "probability",
    weighting: contract.Weighting = "plain",
    grid: summaries.Grid = "dyadic",
    start_us: int | None = None,
    end_us: int | None = None,
) -> joined.Joined:
    """Join, as of an instant, the predictions made in ``[start_us, end_us)``.

    Tables have the columns of ``events.batch`` (plus ``received_us``, where it is known), or at least those without a
    default in ``PREDICTION`` and ``LABEL``. ``kept`` pins the cohort values that are kept apart; without it they are
    the most frequent ones among these predictions.
    """
    found = pairs(
        predictions, labels, rule=rule, as_of_us=as_of_us, scale=scale, target=target, start_us=start_us, end_us=end_us
    )
    return summarise(found, as_of_us=as_of_us, cohorts=cohorts, kept=kept, weighting=weighting, grid=grid)


def pairs(
    predictions: Tables,
    labels: Tables,
    *,
    rule: declaration.LabelContract,
    as_of_us: int,
    scale: Scale = Scale(),
    target: declaration.Target = "probability",
    start_us: int | None = None,
    end_us: int | None = None,
) -> Pairs:
    """State and outcome of every prediction: what ``join`` sums up."""
    known = _normal(_columns(predictions, PREDICTION, as_of_us), scale)
    future = compute.greater(known["at_us"], as_of_us)
    in_window = _window(known["at_us"], start_us, end_us)
    ahead = int(compute.sum(compute.and_(future, in_window)).as_py() or 0)
    known = known.filter(compute.and_(in_window, compute.invert(future)))
    clean, twice, conflicting = identity.distinct(known, ("id",))
    clean = clean.sort_by("id")
    every = _columns(labels, LABEL, as_of_us)
    usable = every.filter(outcomes.usable(every, target))
    own = outcomes.attach(usable, clean["id"])
    at = clean["at_us"].to_numpy()
    chosen = outcomes.choose(own, at=at, rule=rule)
    scores, weight = clean["score"].to_numpy(), clean["weight"].to_numpy()
    state, pair_weight = _states(scores, weight, chosen, as_of_us >= at + contract.horizon_us(rule), rule)
    tally = np.bincount(state, minlength=len(joined.STATES)).tolist()
    whole_stream = start_us is None and end_us is None
    counts = joined.JoinCounts(
        predictions=clean.num_rows,
        **dict(zip(joined.STATES, tally, strict=True)),
        future=ahead,
        duplicate_predictions=twice,
        conflicting_predictions=conflicting,
        matched=own.num_rows,
        late=chosen.late,
        early=chosen.early,
        duplicate_labels=chosen.duplicates,
        conflicting_labels=chosen.conflicting,
        labels=every.num_rows if whole_stream else None,
        invalid_labels=every.num_rows - usable.num_rows if whole_stream else None,
    )
    value = np.where(state == joined.IMPLICIT, 0.0, chosen.value)
    return Pairs(clean, state, scores, value, pair_weight, chosen.propensity, counts)


def summarise(
    found: Pairs,
    *,
    as_of_us: int,
    cohorts: Sequence[declaration.CohortField] = (),
    kept: caps.Kept | None = None,
    weighting: contract.Weighting = "plain",
    grid: summaries.Grid = "dyadic",
) -> joined.Joined:
    """Sum the pairs by model and cohort."""
    names = [one.field for one in cohorts]
    fields = ("model", *names)
    encoded = [_encode(found.table["model"]), *attributes(found.table["cohorts"], names)]
    chosen: dict[str, tuple[str, ...] | None] = {}
    overflow: dict[str, int] = {}
    for place, one in enumerate(cohorts, 1):
        column = encoded[place]
        chosen[one.field] = kept[one.field] if kept is not None else _most_frequent(column, one.cap)
        encoded[place], overflow[one.field] = _capped(column, chosen[one.field])
    mine = found.state <= joined.IMPLICIT
    weights = found.weight[mine]
    if weighting == "inverse_propensity":
        weights = weights / found.propensity[mine]
    counts = _with_overflow(found.counts, overflow)
    if not mine.any():
        return joined.Joined(joined.no_cohorts(fields, grid), counts, as_of_us, chosen)
    codes, keys = _groups([(codes[mine], words) for codes, words in encoded])
    made = summaries.summarise(
        found.scores[mine],
        found.value[mine],
        weights=None if bool((weights == 1.0).all()) else weights,
        groups=codes,
        group_count=len(keys),
        grid=grid,
    )
    return joined.Joined(stacked.Cohorts(fields, keys, made), counts, as_of_us, chosen)


def _states(
    scores: Floats, weight: Floats, chosen: outcomes.Chosen, passed: Bits, rule: declaration.LabelContract
) -> tuple[Ints, Floats]:
    """The state of every prediction, and the weight of its pair."""
    has = ~np.isnan(chosen.value)
    terminal = has & np.isin(chosen.value, np.array(rule.terminal, np.float64))
    pair_weight = np.where(has, weight * chosen.weight, weight)
    without = joined.IMPLICIT if rule.implicit_negative else joined.UNLABELLED
    state = np.where(has, joined.LABELLED, without).astype(np.int64)
    state[(pair_weight == 0.0) & (state <= joined.IMPLICIT)] = joined.WEIGHTLESS
    state[chosen.unresolved] = joined.UNRESOLVED
    state[~(passed | terminal)] = joined.IMMATURE
    state[(scores < 0.0) | (weight < 0.0)] = joined.INVALID
    return state, pair_weight


def _columns(tables: Tables, wanted: dict[str, Any], as_of_us: int) -> pa.Table:
    """The columns that are read, without missing values, of the rows that were received by then."""
    parts = [tables] if isinstance(tables, pa.Table) else list(tables)
    picked = []
    for part in parts:
        # a label without a time of receipt was known when it was given; a later prediction is counted as future
        received = "received_us" if "received_us" in part.column_names else "at_us" if wanted is LABEL else None
        if received is not None:
            part = part.filter(compute.less_equal(part[received], as_of_us))
        columns = {}
        for name, default in wanted.items():
            kind = _kind(name)
            column = (
                part[name].cast(kind)
                if name in part.column_names
                else pa.chunked_array([pa.repeat(pa.scalar(default, kind), part.num_rows)])
            )
            columns[name] = column if default is None else compute.fill_null(column, pa.scalar(default, kind))
        picked.append(pa.table(columns))
    return pa.concat_tables(picked) if picked else pa.schema([(name, _kind(name)) for name in wanted]).empty_table()


def _kind(name: str) -> pa.DataType:
    if name in ("at_us", "revision"):
        return pa.int64()
    return pa.float64() if name in ("score", "weight", "value", "propensity") else pa.large_string()


def _normal(known: pa.Table, scale: Scale) -> pa.Table:
    """Scores as probabilities; a score or weight that cannot be used is -1, whatever it was."""
    scores = scale.to_probability(compute.fill_null(known["score"], np.nan).to_numpy()) + 0.0
    weight = known["weight"].to_numpy()
    with np.errstate(invalid="ignore"):
        scores = np.where((scores >= 0.0) & (scores <= 1.0), scores, -1.0)
        weight = np.where((weight >= 0.0) & np.isfinite(weight), weight, -1.0)
    for name, column in (("score", scores), ("weight", weight)):
        known = known.set_column(known.column_names.index(name), name, pa.array(column))
    return known


def _window(at: pa.ChunkedArray, start_us: int | None, end_us: int | None) -> pa.ChunkedArray:
    inside = pa.chunked_array([pa.repeat(True, len(at))])
    if start_us is not None:
        inside = compute.and_(inside, compute.greater_equal(at, start_us))
    if end_us is not None:
        inside = compute.and_(inside, compute.less(at, end_us))
    return inside


#: Codes into the different values.
Encoded: TypeAlias = tuple[Ints, pa.Array]


def attributes(texts: pa.ChunkedArray, names: Sequence[str]) -> list[Encoded]:
    """Cohort values out of their canonical JSON text, one column for each name; a missing value is the empty text."""
    parts: list[list[pa.DictionaryArray]] = [[] for _ in names]
    for chunk in texts.chunks if names else []:
        for start in range(0, len(chunk), BLOCK):
            coded = chunk.slice(start, BLOCK).dictionary_encode()
            values = _parsed(coded.dictionary, names)
            for part, name in zip(parts, names, strict=True):
                words = compute.fill_null(values[name].combine_chunks(), "").dictionary_encode()
                part.append(pa.DictionaryArray.from_arrays(words.indices.take(coded.indices), words.dictionary))
    return [_unified(part) for part in parts]


def _unified(parts: list[pa.DictionaryArray]) -> Encoded:
    if not parts:
        return np.zeros(0, np.int64), pa.array([], pa.string())
    whole = pa.chunked_array(parts).unify_dictionaries()
    codes = np.concatenate([part.indices.to_numpy() for part in whole.chunks]).astype(np.int64)
    return codes, whole.chunk(0).dictionary


def _parsed(texts: pa.Array, names: Sequence[str]) -> pa.Table:
    """One column of text for each name; canonical JSON has no line breaks, so that many objects are JSON lines."""
    return arrow_json.read_json(
        io.BytesIO("\n".join(texts.to_pylist()).encode()),
        read_options=arrow_json.ReadOptions(use_threads=False),
        parse_options=arrow_json.ParseOptions(
            explicit_schema=pa.schema([(name, pa.string()) for name in names]), unexpected_field_behavior="ignore"
        ),
    )


def _encode(column: pa.ChunkedArray) -> Encoded:
    """Codes into the values."""
    return _unified([chunk.dictionary_encode() for chunk in column.chunks])


def _most_frequent(column: Encoded, cap: int) -> tuple[str, ...] | None:
    """What ``caps.most_frequent`` says, without making text of a million values: most are never looked at."""
    codes, words = column
    if len(words) - int(compute.is_in(words, value_set=pa.array([caps.OTHER], words.type)).true_count) <= cap:
        return None
    counts = np.bincount(codes, minlength=len(words))
    least = np.partition(counts, len(counts) - cap - 1)[len(counts) - cap - 1 :].min()
    above, level = np.flatnonzero(counts > least), words.filter(pa.array(counts == least))
    # of many values with the same count, the first by name; one more than fit, in case __other__ is among them
    tied = level.take(compute.array_sort_indices(level)[: cap + 2]).to_pylist()
    some = [*zip(words.take(pa.array(above)).to_pylist(), counts[above].tolist(), strict=True)]
    return caps.first([*some, *((word, int(least)) for word in tied)], cap)


def _capped(column: Encoded, kept: tuple[str, ...] | None) -> tuple[Encoded, int]:
    """The column with everything else as ``__other__``, and how many predictions that moved."""
    codes, words = column
    if kept is None:
        return column, 0
    stay = pa.array([*(value for value in kept if value != caps.OTHER), caps.OTHER], words.type)
    place = compute.index_in(words, value_set=stay)
    moved = compute.fill_null(place, len(stay) - 1).to_numpy().astype(np.int64)
    lost = place.is_null().to_numpy(zero_copy_only=False)
    return (moved[codes], stay), int(lost[codes].sum())


def _groups(encoded: Sequence[Encoded]) -> tuple[Ints, tuple[stacked.Key, ...]]:
    """Group number of every row, and the keys of the groups in increasing order."""
    mixed = np.zeros(len(encoded[0][0]), np.int64)
    for codes, words in encoded:
        rank = np.empty(len(words), np.int64)
        rank[compute.array_sort_indices(words).to_numpy()] = np.arange(len(words))
        # names of used combinations again after each field: the product of all widths could pass 2^63
        _, mixed = np.unique(mixed * max(len(words), 1) + rank[codes], return_inverse=True)
    first = np.unique(mixed, return_index=True)[1]
    columns = [words.take(pa.array(codes[first])).to_pylist() for codes, words in encoded]
    return mixed, tuple(zip(*columns, strict=True))


def _with_overflow(counts: joined.JoinCounts, overflow: dict[str, int]) -> joined.JoinCounts:
    return dataclasses.replace(counts, overflow=overflow)
