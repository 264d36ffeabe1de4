"""What a loop is compared with: the maps that people fit by hand, month by month, and one that knows the future.

All are fitted to whole months of outcomes, whenever these became known: for every one of them but the daily map that
flatters what is not the loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators import logistic, steps
from calibrant.fitting import isotonic, platt
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Probabilities are kept this far from 0 and 1, so that one row cannot make a loss infinite.
EDGE: Final = 1e-9
#: Columns of a table, in this order.
NAMES: Final = ("frozen", "governed", "first_platt", "last_isotonic", "oracle")


@dataclass(frozen=True, slots=True)
class Month:
    """Mean losses of one month by what was served; ``name`` is 201303, or "all" for all months that count."""

    name: str
    rows: int
    log_loss: Mapping[str, float]
    brier: Mapping[str, float]


def answers(raw: Floats, served: Floats, outcome: Floats, month: Ints) -> dict[str, Floats]:
    """What each of ``NAMES`` would have served for every row; rows in order of time, every one with an outcome.

    In the first month nobody knows anything: there the frozen scores stand for all but the governed and the oracle.
    """
    every = np.unique(month)
    mine = {int(each): month == each for each in every}
    fitted = {name: summaries.summarise(raw[at], outcome[at]) for name, at in mine.items()}
    monthly = {name: isotonic.fit(found) for name, found in fitted.items()}
    found = {"frozen": raw, "governed": served, **{name: raw.copy() for name in NAMES[2:]}}
    first = platt.fit(fitted[int(every[0])])
    for place, name in enumerate(int(each) for each in every):
        at = mine[name]
        found["oracle"][at] = _applied(monthly[name], raw[at])
        if place:
            found["first_platt"][at] = _applied(first, raw[at])
            found["last_isotonic"][at] = _applied(monthly[int(every[place - 1])], raw[at])
    return found


def table(found: Mapping[str, Floats], outcome: Floats, month: Ints) -> tuple[Month, ...]:
    """Losses of each month but the first, which everything is fitted to, and then of all of these together."""
    every = np.unique(month)
    parts = [(str(each), month == each) for each in every[1:].tolist()]
    whole = ("all", month > every[0])
    return tuple(_month(name, at, found, outcome) for name, at in (*parts, whole) if at.any())


def log_losses(answer: Floats, outcome: Floats) -> Floats:
    """Of each row, in nats."""
    kept = np.clip(answer, EDGE, 1.0 - EDGE)
    return np.asarray(-(outcome * np.log(kept) + (1.0 - outcome) * np.log1p(-kept)))


def _month(name: str, at: NDArray[np.bool_], found: Mapping[str, Floats], outcome: Floats) -> Month:
    return Month(
        name,
        int(at.sum()),
        {key: float(log_losses(answer[at], outcome[at]).mean()) for key, answer in found.items()},
        {key: float(((answer[at] - outcome[at]) ** 2).mean()) for key, answer in found.items()},
    )


def _applied(found: logistic.Platt | steps.Isotonic, scores: Floats) -> Floats:
    return np.asarray(found.apply(scores), np.float64)
