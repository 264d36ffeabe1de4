"""A year in minutes: predictions and labels come in on a fake clock, and a controller looks once a day.

Every prediction is served by what was bound when it was made: its arm by the hash of its unit, its score by the map of
that arm. Nothing is known before its time, so what comes out is what the loop would have done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from calibrant.advice import effects
from calibrant.calibrators import identity
from calibrant.events import batch
from calibrant.registry import bindings
from calibrant.rollout import exposure, states
from calibrant.serving import assign
from calibrant.streams import declaration
from calibrant.workflow import advising, controlling

DAY_US: Final = 86_400_000_000

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]


class MovableClock(Protocol):
    """A clock that a replay sets."""

    us: int


@dataclass(frozen=True, eq=False, slots=True)
class Replayed:
    """What was served for each prediction in order of time, and what each look saw."""

    at_us: NDArray[np.int64]
    raw: Floats
    served: Floats
    outcome: Floats
    seen: tuple[controlling.Seen, ...]


def replay(
    post: controlling.Post,
    stream: declaration.Stream,
    environment: str,
    *,
    predictions: pa.Table,
    labels: pa.Table,
    clock: MovableClock,
    every_us: int = DAY_US,
    after_us: int = 3 * DAY_US,
    resamples: int | None = None,
    progress: Progress | None = None,
) -> Replayed:
    """Replay events with the schemas of ``events.batch``, looking every so often, until some time after the last.

    Labels are received when they are dated. ``outcome`` is the last label of each prediction, NaN without one.
    """
    made, known = predictions.sort_by("at_us"), labels.sort_by("at_us")
    made_at, known_at = (table["at_us"].to_numpy() for table in (made, known))
    begin = int(made_at[0]) // every_us * every_us
    end = max(int(made_at[-1]), int(known_at[-1])) + after_us
    served: list[Floats] = []
    seen: list[controlling.Seen] = []
    steps = range(begin, end, every_us)
    for number, start in enumerate(steps):
        stop = start + every_us
        clock.us = stop
        part = _between(made, made_at, start, stop)
        if part.num_rows:
            answers, arms = _serve(post, stream, environment, part)
            served.append(answers)
            post.events.append_predictions(stream.name, _written(part, answers, arms), received_us=stop)
        outcome = _between(known, known_at, start, stop)
        if outcome.num_rows:
            post.events.append_labels(stream.name, outcome, received_us=stop)
        seen.append(controlling.look(post, stream, environment, now_us=stop, resamples=resamples))
        if progress is not None:
            progress(number + 1, len(steps))
    raw = stream.scale.to_probability(made["score"].to_numpy())
    return Replayed(made_at, raw, np.concatenate(served), _outcomes(made, known), tuple(seen))


def months(at_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Year and month of each time, as 201302."""
    month = at_us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    return np.asarray((month // 12 + 1970) * 100 + month % 12 + 1)


def _serve(
    post: controlling.Post, stream: declaration.Stream, environment: str, part: pa.Table
) -> tuple[Floats, list[str | None] | None]:
    """What each prediction is served with, and its arm while there is a rollout with arms."""
    reader, target = post.ledger.reader, bindings.name(stream.name, environment)
    binding = bindings.read(reader.get(bindings.KIND, target))
    found = reader.get(states.KIND, target)
    arms = None if found is None or found.body is None else exposure.arms(states.read(found), binding)
    scores = stream.scale.to_probability(part["score"].to_numpy())
    if arms is None:
        return _answers(post, stream, binding.champion, scores), None
    units = [text or name for text, name in zip(part["unit"].to_pylist(), part["id"].to_pylist(), strict=True)]
    mine = assign.arms(units, salt=arms.salt, width=arms.width)
    which = np.array(mine)
    answers = _answers(post, stream, arms.rest, scores)
    for name, ref in (("canary", arms.canary), ("control", arms.control)):
        answers = np.where(which == name, _answers(post, stream, ref, scores), answers)
    return answers, list(mine)


def _answers(
    post: controlling.Post, stream: declaration.Stream, ref: bindings.Ref | None, scores: Floats
) -> Floats:  # fmt: skip
    rule = (
        effects.Rule(identity.Identity(stream.scale))
        if ref is None
        else advising.rule_of(post.ledger.reader, post.contents, ref)
    )
    return np.asarray(effects.on_probability(rule.calibrator).apply(scores))


def _between(table: pa.Table, at: NDArray[np.int64], start: int, stop: int) -> pa.Table:
    first, last = np.searchsorted(at, [start, stop])
    return table.slice(int(first), int(last - first))


def _written(part: pa.Table, served: Floats, arms: list[str | None] | None) -> pa.Table:
    """The events with what was served, and with digests of that."""
    unit = [text or name for text, name in zip(part["unit"].to_pylist(), part["id"].to_pylist(), strict=True)]
    given = batch.columns_of(part)
    return batch.of_predictions(replace(given, served=served, arm=arms, unit=unit)).table


def _outcomes(made: pa.Table, known: pa.Table) -> Floats:
    values = dict(zip(known["prediction"].to_pylist(), known["value"].to_pylist(), strict=True))
    return np.array([values.get(name, np.nan) for name in made["id"].to_pylist()], np.float64)
