"""Time slices of matured predictions, each good, bad or too thin to be counted.

Calibration belongs to a group and not to an event, so the events of an error budget are slices: cohort x window of
prediction times whose labels have all had their time. A slice is **bad** when the lower confidence bound of its
calibration error is above the tolerance, **good** otherwise, and **not counted** when it has too few pairs: what is not
counted neither spends the budget nor proves anything, and feeds the coverage objective instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibrant.evidence import verdict
from calibrant.slo import members
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: The share of the error budget that noise may spend while a stream is off by exactly its tolerance.
_NOISE: Final = 0.2


@dataclass(frozen=True, eq=False, slots=True)
class Slices:
    """All slices of a period: arrays of shape (members, slices), in order of time.

    ``predictions`` are matured predictions: of the whole stream with and without a label, of a cohort those with one.
    ``value`` and ``lower`` are the larger of ECCE and departure and its lower bound; 0 where ``counted`` is False.
    """

    members: tuple[members.Member, ...]
    starts_us: Ints
    width_us: int
    rows: Ints
    predictions: Ints
    value: Floats
    lower: Floats
    counted: Flags
    bad: Flags


def level_of(objective: float) -> float:
    """Confidence of the bound: a stream at its tolerance spends a fifth of its budget on noise, at most.

    >>> round(level_of(0.95), 3)
    0.99
    """
    return 1.0 - _NOISE * (1.0 - objective)


def newest(as_of_us: int, *, width_us: int, horizon_us: int) -> int:
    """The end of the newest slice whose labels have all had their time: slices lie on multiples of their width."""
    matured = as_of_us - horizon_us
    return matured - matured % width_us


def starts(end_us: int, *, width_us: int, period_us: int) -> Ints:
    """Where the slices of a period begin that ends with a slice."""
    return np.arange(end_us - period_us, end_us, width_us, dtype=np.int64)


def judge(
    stacked: summaries.Summary | None,
    *,
    member: Sequence[int],
    place: Sequence[int],
    names: Sequence[members.Member],
    starts_us: Ints,
    width_us: int,
    matured: Ints,
    held: Flags | None = None,
    tolerance: float,
    level: float,
    least: int,
) -> Slices:
    """Judge every slice that has pairs.

    Parameters
    ----------
    stacked
        One group for each slice with pairs; None when no slice has any.
    member, place
        For each group its member, as an index of ``names``, and its slice, as an index of ``starts_us``.
    names
        The members; the first is the whole stream.
    matured
        Matured predictions of the whole stream in each slice, with a label or without.
    held
        Slices that cannot be judged whatever they hold, because their labels do not stand for all.
    tolerance, level, least
        What nobody minds, the confidence of the bound, and the effective rows that a slice needs to count.
    """
    shape = (len(names), len(starts_us))
    rows, value, lower = np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)
    effective = np.zeros(shape)
    if stacked is not None and len(stacked.keys):
        at = (np.asarray(member, np.int64), np.asarray(place, np.int64))
        both = verdict.Deciding.of(stacked)
        # two measures are looked at: each gets half of the error
        one_sided = (1.0 + level) / 2.0
        rows[at] = stacked.rows
        effective[at] = stacked.effective_n
        value[at] = np.maximum(both.kuiper.value, np.where(both.moved.known, both.moved.value, 0.0))
        lower[at] = np.maximum(both.kuiper.lower(one_sided), both.moved.lower(one_sided))
    predictions = rows.copy()
    predictions[0] = np.maximum(matured, rows[0])
    counted = effective >= max(least, verdict.FEWEST_ROWS)
    if held is not None:
        counted &= ~held
    return Slices(
        members=tuple(names),
        starts_us=starts_us,
        width_us=width_us,
        rows=rows,
        predictions=predictions,
        value=np.where(counted, value, 0.0),
        lower=np.where(counted, lower, 0.0),
        counted=counted,
        bad=counted & (lower > tolerance),
    )
