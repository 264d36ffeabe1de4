"""What was found wrong with the rows: counted over all of them, the first named, told once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from calibrant import errors
from calibrant.calibrators import scales
from calibrant.frames.chunks import Chunk

Bits = NDArray[np.bool_]
OR_SKIP = "correct them, or skip and count such rows (--skip-bad-rows)"


class Problem(Enum):
    """Kinds of bad values, the most telling first: only the first that occurs is raised."""

    UNREADABLE = "holds something else than a number"
    MISSING = "is missing, NaN or infinite"
    OUTSIDE = "lies outside the range of the score scale"
    LABEL_TEXT = "is text, not 0 or 1"
    LABEL_MISSING = "is missing or NaN"
    LABEL_VALUE = "is not an outcome"
    WEIGHT = "is negative, missing or infinite"
    TIME = "cannot be read as a time"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Rows that were left out because the caller asked for it: how many, why, and where the first one is."""

    reason: str
    count: int
    first: str


@dataclass(slots=True)
class Finding:
    """One kind of problem in one column."""

    column: str
    count: int
    first: str
    example: str


@dataclass(slots=True)
class Ledger:
    """Collects findings chunk by chunk; ``rows`` and the extremes of the scores belong to the explanation."""

    scale: scales.Scale
    target: str
    rows: int = 0
    low: float = np.inf
    high: float = -np.inf
    label_low: float = np.inf
    label_high: float = -np.inf
    label_fractions: int = 0
    score_bits_only: bool = True
    found: dict[Problem, Finding] = field(default_factory=dict)

    def note(self, problem: Problem, column: str, bad: Bits, chunk: Chunk, show: Callable[[int], str]) -> None:
        """Count the rows of ``bad``; remember the first one ever."""
        count = int(np.count_nonzero(bad))
        if not count:
            return
        if problem in self.found:
            self.found[problem].count += count
            return
        at = int(bad.argmax())
        where = chunk.place.describe(chunk.first + at)
        self.found[problem] = Finding(column, count, where, show(at))

    @property
    def worst(self) -> Problem | None:
        """The problem to talk about, if there is any."""
        return next((problem for problem in Problem if problem in self.found), None)

    def skipped(self) -> tuple[Skipped, ...]:
        """The findings as rows that were left out."""
        return tuple(
            Skipped(f"{self.found[kind].column}: {kind.value}", self.found[kind].count, self.found[kind].first)
            for kind in Problem
            if kind in self.found
        )

    def error(self) -> errors.InputError:
        """The error for the worst problem."""
        problem = self.worst
        assert problem is not None
        finding = self.found[problem]
        one = finding.count == 1
        cause = (
            f"{finding.count:,} of {self.rows:,} rows, " + ("" if one else "the first is ") + finding.first
        ) + f": {finding.example}"
        name = f"column {finding.column!r}"
        match problem:
            case Problem.UNREADABLE:
                return errors.ColumnError("CAL-204", f"{name} must hold numbers", cause=cause, fix=OR_SKIP)
            case Problem.MISSING:
                return errors.ValueRangeError(
                    "CAL-307", f"{name} has missing, NaN or infinite values", cause=cause, fix=OR_SKIP
                )
            case Problem.OUTSIDE:
                return self._outside(name, cause)
            case Problem.LABEL_TEXT:
                return errors.ColumnError(
                    "CAL-203", f"{name} holds text, labels are 0 or 1", cause=cause, fix="write 1 for yes and 0 for no"
                )
            case Problem.LABEL_MISSING:
                return errors.ValueRangeError(
                    "CAL-309",
                    f"{name} has missing labels",
                    cause=cause,
                    fix="wait for the outcomes, or skip and count such rows (--skip-bad-rows)",
                )
            case Problem.LABEL_VALUE:
                return self._label(name, finding, cause)
            case Problem.WEIGHT:
                return errors.ValueRangeError(
                    "CAL-305", f"{name}: weights must be finite and not negative", cause=cause, fix=OR_SKIP
                )
            case Problem.TIME:
                return errors.ColumnError(
                    "CAL-206",
                    f"{name} cannot be read as time",
                    cause=cause,
                    fix="write ISO 8601, all with a zone or all without: 2026-11-22T10:15:00",
                )
            case _:
                assert_never(problem)

    def _outside(self, name: str, cause: str) -> errors.ValueRangeError:
        low, high = self.scale.range
        if self.scale.kind == "probability" and self.low >= 0.0 and 2.0 <= self.high <= 100.0:
            return errors.ValueRangeError(
                "CAL-304",
                f"{name} looks like percent, but probabilities were declared",
                cause=f"scores go up to {self.high:g}; {cause}",
                fix="declare it: --scale percent (in Python scale=Scale('percent'))",
            )
        hint = ", logit or unbounded" if self.low < 0.0 else ""
        return errors.ValueRangeError(
            "CAL-302",
            f"{name} has scores outside [{low:g}, {high:g}]",
            cause=cause,
            fix=f"declare another --scale (percent{hint}), correct the rows, or skip and count them (--skip-bad-rows)",
        )

    def _label(self, name: str, finding: Finding, cause: str) -> errors.InputError:
        unit = self.label_low >= 0.0 and self.label_high <= 1.0
        if self.target == "binary" and unit and self.label_fractions and self.score_bits_only:
            return errors.ColumnError(
                "CAL-208",
                "the score and label columns look swapped",
                cause=f"the scores are all 0 or 1 while {name} has fractions: {finding.example}",
                fix="exchange --score and --label",
            )
        if self.target == "binary":
            fix = "name the column of outcomes" + (", or declare --target rate" if unit else "")
            return errors.ValueRangeError("CAL-308", f"{name} is not binary: labels are 0 or 1", cause=cause, fix=fix)
        return errors.ValueRangeError("CAL-308", f"{name} has rates outside [0, 1]", cause=cause, fix=OR_SKIP)
