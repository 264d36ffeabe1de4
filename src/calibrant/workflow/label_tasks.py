"""Which cases a person should label: uncertain ones, every score band, and a random sample; with honest chances.

Each prediction of the pool gets a probability of being chosen that is fixed before anything is drawn, and exactly
that probability is written beside the task. A label that carries it as ``propensity`` can be weighted by its inverse,
and then the chosen cases say what a random sample would have said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from calibrant import errors
from calibrant.calibrators import scales
from calibrant.joining import contract
from calibrant.streams import declaration
from calibrant.workflow import evidence_of_stream, partitions

Floats = NDArray[np.float64]
Reason = Literal["uncertain", "coverage", "random"]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
#: Shares of the tasks by reason, in that order. The random share is what makes every chance positive.
SHARES: Final = (0.4, 0.4, 0.2)
#: Equal-width bands of the score.
BANDS: Final = 10
#: Where nobody says what a score is compared with.
THRESHOLD: Final = 0.5
_COLUMNS: Final = ("id", "at_us", "score", "served", "threshold", "model", "cohorts")


@dataclass(frozen=True, slots=True)
class LabelTask:
    """A prediction to label by ``label_by_us``, after which its label would come too late to count."""

    prediction: str
    at_us: int
    label_by_us: int
    score: float
    model: str
    cohorts: Mapping[str, str]
    reason: Reason
    priority: float
    propensity: float


@dataclass(frozen=True, slots=True)
class LabelTasks:
    """The chosen tasks, most urgent reason first, and the size of the pool that they stand for."""

    tasks: tuple[LabelTask, ...]
    pool: int


@dataclass(frozen=True, eq=False, slots=True)
class Pool:
    """Unlabelled predictions that can still be labelled in time, and how many of each band are labelled already."""

    table: pa.Table
    served: Floats
    threshold: Floats
    labelled: NDArray[np.int64]


def label_tasks(
    store: partitions.Reads,
    stream: declaration.Stream,
    count: int,
    *,
    now_us: int,
    seed: int,
    threshold: float | None = None,
    shares: Sequence[float] = SHARES,
    start_us: int | None = None,
) -> LabelTasks:
    """Choose ``count`` cases (or all, if there are fewer) among those whose horizon has not passed.

    ``threshold`` is what served scores are compared with, where the events do not say it. The same events, time and
    seed give the same tasks.
    """
    evidence_of_stream.managed(stream)
    found = pool(store, stream, now_us=now_us, start_us=start_us, threshold=threshold)
    size = found.table.num_rows
    if not size:
        raise errors.UsageError(
            "CAL-485",
            f"{stream.name} has no case to label",
            cause=f"no prediction of the last {stream.labels.horizon} is without a label",
            fix="ingest newer predictions, or declare a longer horizon",
        )
    parts = components(found.served, found.threshold, found.labelled)
    mixture = np.asarray(shares, np.float64) @ parts
    chance = inclusion(mixture, min(count, size))
    rng = np.random.default_rng(seed)
    chosen = systematic(chance, rng)
    why = _reasons(parts[:, chosen], np.asarray(shares, np.float64), rng)
    # chances at the ends of a long sum may pass 1 by a rounding
    weight = np.minimum(chance[chosen], 1.0)
    horizon = contract.horizon_us(stream.labels)
    tasks = [
        LabelTask(
            row["id"],
            row["at_us"],
            row["at_us"] + horizon,
            row["score"],
            row["model"],
            json.loads(row["cohorts"]),
            REASONS[reason],
            float(urgency),
            float(odds),
        )
        for row, reason, urgency, odds in zip(
            found.table.take(pa.array(chosen)).to_pylist(), why, mixture[chosen] * size, weight, strict=True
        )
    ]
    tasks.sort(key=lambda task: (-task.priority, task.prediction))
    return LabelTasks(tuple(tasks), size)


def pool(
    store: partitions.Reads,
    stream: declaration.Stream,
    *,
    now_us: int,
    start_us: int | None = None,
    threshold: float | None = None,
) -> Pool:
    """Read the candidates, in order of id, so that the order of arrival chooses nobody."""
    first = now_us - contract.horizon_us(stream.labels)
    begin = first if start_us is None else max(first, start_us)
    with store.snapshot() as reader:
        every = [
            table.select(list(_COLUMNS))
            for table in reader.predictions(stream.name, start_us=begin, end_us=now_us + 1, columns=list(_COLUMNS))
        ]
        given = [
            table["prediction"].combine_chunks()
            for table in reader.labels(stream.name, start_us=begin, end_us=now_us + 1, columns=["prediction"])
        ]
    if not every:
        nothing = np.zeros(0)
        return Pool(pa.table({"id": []}), nothing, nothing, np.zeros(BANDS, np.int64))
    whole = pa.concat_tables(every).sort_by("id")
    known = pa.chunked_array(given, pa.string()) if given else pa.chunked_array([[]], pa.string())
    has = compute.is_in(whole["id"], value_set=known.combine_chunks()).to_numpy()
    served = _served(whole, stream)
    limit = THRESHOLD if threshold is None else threshold
    against = np.asarray(compute.fill_null(whole["threshold"], limit).to_numpy(), np.float64)
    return Pool(
        whole.filter(pa.array(~has)), served[~has], against[~has], np.bincount(bands(served[has]), minlength=BANDS)
    )


def components(served: Floats, threshold: Floats, labelled: NDArray[np.int64]) -> Floats:
    """Three distributions over the pool, shape (3, n), each summing to 1: uncertain, coverage, random.

    Uncertain falls off exponentially with the distance from the threshold in log-odds. Coverage gives every band that
    has cases a share that shrinks with the labels it has, shared equally within the band.
    """
    uncertain = np.exp(-np.abs(scales.logit(served) - scales.logit(threshold)))
    band = bands(served)
    here = np.bincount(band, minlength=BANDS)
    share = np.where(here > 0, 1.0 / (1.0 + labelled), 0.0)
    coverage = (share / np.maximum(here, 1))[band]
    return np.stack([uncertain / uncertain.sum(), coverage / coverage.sum(), np.full(len(served), 1.0 / len(served))])


def inclusion(mixture: Floats, count: int) -> Floats:
    """Probabilities proportional to the mixture, at most 1, that sum to ``count``.

    What would pass 1 is certain, and the rest shares what remains (Särndal, Swensson and Wretman 1992, section 3.6.2).
    """
    certain = np.zeros(len(mixture), bool)
    while True:
        left = count - int(certain.sum())
        rest = mixture[~certain].sum()
        chance = np.where(certain, 1.0, left * mixture / rest if rest > 0.0 else 1.0)
        over = (chance >= 1.0) & ~certain
        if not over.any():
            return chance
        certain |= over


def systematic(chance: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """A sample of fixed size with exactly these chances: equal steps in a random order (Madow 1949)."""
    order = rng.permutation(len(chance))
    ends = np.cumsum(chance[order])
    size = round(float(ends[-1]))
    ends *= size / ends[-1]
    marks = rng.random() + np.arange(size)
    return np.sort(order[np.searchsorted(ends, marks, side="right").clip(max=len(order) - 1)])


def bands(served: Floats) -> NDArray[np.int64]:
    """Equal-width band of each score; 1 lies in the last."""
    return np.minimum((served * BANDS).astype(np.int64), BANDS - 1)


def _reasons(parts: Floats, shares: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Why each task was chosen, drawn by what each reason added: those for ``random`` are a random sample."""
    added = shares[:, None] * parts
    ends = np.cumsum(added / added.sum(axis=0), axis=0)
    draw = rng.random(parts.shape[1])
    found: NDArray[np.int64] = (draw >= ends[:-1]).sum(axis=0)
    return found


def _served(table: pa.Table, stream: declaration.Stream) -> Floats:
    """What was acted on: the served score, else the raw one as a probability."""
    raw = stream.scale.to_probability(table["score"].to_numpy())
    served = table["served"].to_numpy()
    return np.asarray(np.where(np.isnan(served), raw, served), np.float64)
