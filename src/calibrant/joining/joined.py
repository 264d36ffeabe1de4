"""The answer of a join: a summary by model and cohort, and a count for everything that is not in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from calibrant.joining import caps
from calibrant.stats import cohorts as stacked
from calibrant.stats import summary as summaries

#: What became of a prediction; exactly one of these, in this order of precedence from the back.
STATES = ("labelled", "implicit", "immature", "unlabelled", "unresolved", "weightless", "invalid")
LABELLED, IMPLICIT, IMMATURE, UNLABELLED, UNRESOLVED, WEIGHTLESS, INVALID = range(len(STATES))


@dataclass(frozen=True, slots=True)
class JoinCounts:
    """Where every prediction and every label went.

    The seven states of a prediction add up to ``predictions``: ``labelled`` and ``implicit`` (a declared "no label
    means no") are the pairs; ``immature`` wait for their horizon; ``unlabelled`` and ``unresolved`` never got an
    outcome; ``weightless`` have weight zero; ``invalid`` have a score outside its scale or no usable weight.

    Of the usable labels, ``matched`` belong to one of these predictions. Among those, ``late`` were given after the
    horizon, ``early`` before their prediction was made (they count, and the leakage guard names them),
    ``duplicate_labels`` are repeated word for word, and ``conflicting_labels`` say different things under one
    identity and count for nothing. ``labels`` are all that had been received, ``invalid_labels`` those of them with no
    value of the target, and ``orphans`` those without a prediction; all three are None where only a window of the
    predictions was looked at, which cannot tell. ``future`` predictions are dated after as_of and not looked at.
    """

    predictions: int = 0
    labelled: int = 0
    implicit: int = 0
    immature: int = 0
    unlabelled: int = 0
    unresolved: int = 0
    weightless: int = 0
    invalid: int = 0
    future: int = 0
    duplicate_predictions: int = 0
    conflicting_predictions: int = 0
    matched: int = 0
    late: int = 0
    early: int = 0
    duplicate_labels: int = 0
    conflicting_labels: int = 0
    labels: int | None = 0
    invalid_labels: int | None = 0
    overflow: Mapping[str, int] = field(default_factory=dict)
    """Predictions whose value of a field went to ``__other__``, by field."""

    @property
    def pairs(self) -> int:
        """Predictions with an outcome: what the summary holds."""
        return self.labelled + self.implicit

    @property
    def matured(self) -> int:
        """Predictions whose outcome can no longer change: all but the immature and the invalid."""
        return self.predictions - self.immature - self.invalid

    @property
    def matured_share(self) -> float | None:
        """Matured predictions among the valid ones; None without any."""
        valid = self.predictions - self.invalid
        return self.matured / valid if valid else None

    @property
    def orphans(self) -> int | None:
        """Usable labels that belong to no prediction; None for a window."""
        if self.labels is None or self.invalid_labels is None:
            return None
        return self.labels - self.invalid_labels - self.matched

    def __add__(self, other: JoinCounts) -> JoinCounts:
        """Counts of two windows of one stream; of the labels as a whole a window knows nothing."""
        names = [one.name for one in fields(self) if one.name not in ("labels", "invalid_labels", "overflow")]
        mixed = {name: getattr(self, name) + getattr(other, name) for name in names}
        overflow = {
            name: self.overflow.get(name, 0) + other.overflow.get(name, 0)
            for name in {**self.overflow, **other.overflow}
        }
        return JoinCounts(**mixed, labels=None, invalid_labels=None, overflow=overflow)


@dataclass(frozen=True, eq=False, slots=True)
class Joined:
    """Pairs summed by ``("model", *cohort fields)``, the counts, and the instant that they are true of.

    ``kept`` names the cohort values that have a cohort of their own: pass it on to the join of another window, and
    the two summaries add up.
    """

    cohorts: stacked.Cohorts
    counts: JoinCounts
    as_of_us: int
    kept: caps.Kept

    def __add__(self, other: Joined) -> Joined:
        """Disjoint windows of one stream, with the same kept values; true as of the older of the two."""
        counts, as_of = self.counts + other.counts, min(self.as_of_us, other.as_of_us)
        if not len(self.cohorts) or not len(other.cohorts):
            return Joined(self.cohorts if len(self.cohorts) else other.cohorts, counts, as_of, self.kept)
        return Joined(self.cohorts + other.cohorts, counts, as_of, self.kept)


def no_cohorts(names: tuple[str, ...], grid: summaries.Grid) -> stacked.Cohorts:
    """Cohorts of no pairs."""
    nothing = np.zeros(0, np.int64)
    empty = summaries.Summary(grid, nothing, nothing, np.zeros((len(summaries.SUMS), 0)), nothing)
    return stacked.Cohorts(names, (), empty)
