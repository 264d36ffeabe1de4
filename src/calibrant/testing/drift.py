"""What goes wrong in production, done to made-up events on purpose: each fault alone, in a window, the same every time.

A ``Feed`` is predictions and their labels as tables; each injector takes one and gives another, whose digests are those
of the changed events. All randomness comes from ``rng``, one draw for each row of the whole feed: moving the window
changes nothing but which rows it holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from calibrant import errors
from calibrant.calibrators import canonical, scales
from calibrant.events import batch, columns
from calibrant.testing import made_up

Floats = NDArray[np.float64]
Bits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Feed:
    """Tables of the schemas ``events.batch.PREDICTIONS`` and ``LABELS``; scores are probabilities."""

    predictions: pa.Table
    labels: pa.Table

    @classmethod
    def made(cls, n: int, *, rng: np.random.Generator, days: float = 1.0, delay_days: float = 1.0) -> Feed:
        """So many calibrated predictions over so many days, each with a label."""
        predictions = made_up.many_predictions(n, rng=rng, days=days)
        return cls(predictions, made_up.many_labels(predictions, rng=rng, delay_days=delay_days))


@dataclass(frozen=True, slots=True)
class Where:
    """Which predictions a fault befalls: those made in ``[start_us, end_us)`` with these cohort values."""

    start_us: int | None = None
    end_us: int | None = None
    cohorts: tuple[tuple[str, str], ...] = ()

    def holds(self, predictions: pa.Table) -> Bits:
        """For each prediction whether it is one of them."""
        at = predictions["at_us"].to_numpy()
        inside = np.ones(len(at), bool)
        if self.start_us is not None:
            inside &= at >= self.start_us
        if self.end_us is not None:
            inside &= at < self.end_us
        if self.cohorts:
            wanted = dict(self.cohorts).items()
            inside &= [wanted <= json.loads(text).items() for text in predictions["cohorts"].to_pylist()]
        return inside


EVERYWHERE: Final = Where()


@dataclass(frozen=True, slots=True)
class Lag:
    """How long a label takes: always ``days``, or exponentially distributed with that mean."""

    days: float
    kind: Literal["fixed", "exponential"] = "fixed"

    def drawn(self, uniform: Floats) -> NDArray[np.int64]:
        """Microseconds for each number in [0, 1)."""
        each = np.full(len(uniform), self.days) if self.kind == "fixed" else -self.days * np.log1p(-uniform)
        return np.round(each * made_up.DAY_US).astype(np.int64)


# ---------------------------------------------------------------- the model


def logit_shifted(feed: Feed, shift: float, *, where: Where = EVERYWHERE) -> Feed:
    """The model says ``logit + shift``; outcomes stay, so the map that repairs it subtracts the shift."""
    return _rescored(feed, lambda logits: logits + shift, where)


def slope_changed(feed: Feed, factor: float, *, where: Where = EVERYWHERE) -> Feed:
    """The model says ``factor * logit``: too extreme above 1, too timid below; the repairing slope is 1 / factor."""
    return _rescored(feed, lambda logits: factor * logits, where)


# ---------------------------------------------------------------- the world


def base_rate_shifted(feed: Feed, log_odds: float, *, rng: np.random.Generator, where: Where = EVERYWHERE) -> Feed:
    """Prior shift: the odds of a positive change by ``exp(log_odds)`` at every score alike.

    Predictions of the class that is to become rarer are left out at random, with their labels; within each class
    scores stay as they are distributed. Predictions without a label stay.
    """
    value = _values(feed)
    rarer = (value == 0.0) if log_odds > 0.0 else (value == 1.0)
    gone = rarer & (rng.random(len(value)) >= np.exp(-abs(log_odds)))
    return _without(feed, gone & where.holds(feed.predictions))


def covariate_shifted(feed: Feed, tilt: float, *, rng: np.random.Generator, where: Where = EVERYWHERE) -> Feed:
    """Other cases come, and each score means what it meant: rows are kept in proportion to ``exp(tilt * score)``."""
    scores = feed.predictions["score"].to_numpy()
    kept = np.exp(tilt * scores - max(tilt, 0.0))
    return _without(feed, (rng.random(len(scores)) >= kept) & where.holds(feed.predictions))


# ---------------------------------------------------------------- the labels


def labels_lagging(
    feed: Feed, *, positive: Lag, negative: Lag, rng: np.random.Generator, where: Where = EVERYWHERE
) -> Feed:
    """Labels of 1 and all others come with lags of their own, counted from their prediction; orphans stay."""
    labels, owner = feed.labels, _owner(feed)
    uniform = rng.random(labels.num_rows)
    lag = np.where(labels["value"].to_numpy() == 1.0, positive.drawn(uniform), negative.drawn(uniform))
    mine = _owned(where.holds(feed.predictions), owner)
    old = labels["at_us"].to_numpy()
    made = feed.predictions["at_us"].to_numpy()
    at = np.where(mine, (made[owner] if len(made) else old) + lag, old)
    said = _labels(labels)
    if said.observed_us is not None:
        known = said.observed_us != columns.NO_TIME
        said.observed_us = np.where(known, said.observed_us + (at - old), columns.NO_TIME)
    said.at_us = at
    return replace(feed, labels=batch.of_labels(said).table)


def labels_biased(
    feed: Feed,
    *,
    edges: Sequence[float],
    coverage: Sequence[float],
    rng: np.random.Generator,
    where: Where = EVERYWHERE,
) -> Feed:
    """Whether a prediction is ever labelled depends on its score: ``coverage[i]`` below ``edges[i]``, then the last."""
    if len(coverage) != len(edges) + 1 or list(edges) != sorted(edges):
        raise errors.UsageError(
            "CAL-479",
            "bands of scores need one coverage more than edges, and rising edges",
            cause=f"{len(edges)} edges and {len(coverage)} coverages were given",
            fix="for two bands pass edges=[0.5], coverage=[0.3, 0.95]",
        )
    band = np.searchsorted(np.asarray(edges, float), feed.predictions["score"].to_numpy(), side="right")
    return _unlabelled(feed, 1.0 - np.asarray(coverage, float)[band], rng, where)


def labels_dropped(feed: Feed, share: float = 1.0, *, rng: np.random.Generator, where: Where = EVERYWHERE) -> Feed:
    """This share of the predictions loses all its labels; 1 is an outage of the labels of a window."""
    return _unlabelled(feed, np.full(feed.predictions.num_rows, share), rng, where)


# ---------------------------------------------------------------- what is sent


def cohorts_renamed(
    feed: Feed,
    field: str,
    names: Mapping[str, str],
    *,
    rng: np.random.Generator,
    share: float = 1.0,
    where: Where = EVERYWHERE,
) -> Feed:
    """A cohort value is sent under another name: ``{"US": "us"}``, or ``{"A": "B", "B": "A"}`` for two that flip."""
    mine = (rng.random(feed.predictions.num_rows) < share) & where.holds(feed.predictions)
    texts = feed.predictions["cohorts"].to_pylist()
    for place in np.flatnonzero(mine).tolist():
        cohorts = json.loads(texts[place])
        if cohorts.get(field) in names:
            texts[place] = canonical.dumps(cohorts | {field: names[cohorts[field]]}).decode()
    said = batch.columns_of(feed.predictions)
    said.cohorts = texts
    return replace(feed, predictions=batch.of_predictions(said).table)


def telemetry_lost(feed: Feed, share: float = 1.0, *, rng: np.random.Generator, where: Where = EVERYWHERE) -> Feed:
    """This share of the predictions never arrives; their labels do, as orphans."""
    lost = (rng.random(feed.predictions.num_rows) < share) & where.holds(feed.predictions)
    return replace(feed, predictions=feed.predictions.filter(pa.array(~lost)))


# ---------------------------------------------------------------- tools


def _rescored(feed: Feed, change: Any, where: Where) -> Feed:
    scores = feed.predictions["score"].to_numpy()
    moved = np.where(where.holds(feed.predictions), scales.expit(change(scales.logit(scores))), scores)
    said = batch.columns_of(feed.predictions)
    said.score = moved
    return replace(feed, predictions=batch.of_predictions(said).table)


def _owner(feed: Feed) -> NDArray[np.int64]:
    """The row of each label's prediction; -1 for an orphan."""
    place = {name: row for row, name in enumerate(feed.predictions["id"].to_pylist())}
    return np.array([place.get(name, -1) for name in feed.labels["prediction"].to_pylist()], np.int64)


def _owned(chosen: Bits, owner: NDArray[np.int64]) -> Bits:
    """Labels of chosen predictions; orphans are nobody's."""
    return np.append(chosen, False)[owner]


def _values(feed: Feed) -> Floats:
    """The value of each prediction's last label by row, NaN without one."""
    owner = _owner(feed)
    value = np.full(feed.predictions.num_rows + 1, np.nan)
    value[owner] = feed.labels["value"].to_numpy()
    return value[:-1]


def _without(feed: Feed, gone: Bits) -> Feed:
    labels = feed.labels.filter(pa.array(~_owned(gone, _owner(feed))))
    return Feed(feed.predictions.filter(pa.array(~gone)), labels)


def _unlabelled(feed: Feed, chance: Floats, rng: np.random.Generator, where: Where) -> Feed:
    silent = (rng.random(len(chance)) < chance) & where.holds(feed.predictions)
    return replace(feed, labels=feed.labels.filter(pa.array(~_owned(silent, _owner(feed)))))


def _labels(table: pa.Table) -> columns.Labels:
    found = batch.plain_columns(table, {"at_us", "value", "revision", "weight", "propensity"})
    if found["observed_us"] is not None:
        found["observed_us"] = table["observed_us"].fill_null(int(columns.NO_TIME)).to_numpy()
    return columns.Labels(**found)
