"""One map per cohort, and the pooled map for cohorts that were never seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors
from calibrant.calibrators import blocks, calibrator, logistic, parameters, scales

#: Maps that are lines in log-odds: applied to all cohorts in one pass.
LINES = (logistic.Intercept, logistic.Platt, logistic.Temperature)


@dataclass(frozen=True)
class ByCohort:
    """A map for each known cohort; ``fields`` name the columns whose values make up a cohort, in order.

    All maps read the same scale. Cohort values are text; a missing or unknown value means the pooled map.

    >>> maps = ByCohort(("country",), logistic.Platt(1.0, 0.0), ((("DE",), logistic.Platt(2.0, 0.0)),))
    >>> maps.apply([0.75, 0.75], [["DE", "FR"]])
    array([0.9 , 0.75])
    """

    kind: ClassVar[str] = "by_cohort"
    fields: tuple[str, ...]
    pooled: calibrator.Calibrator
    maps: tuple[tuple[tuple[str, ...], calibrator.Calibrator], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        object.__setattr__(self, "maps", tuple((tuple(key), member) for key, member in self.maps))
        if not self.fields or len(set(self.fields)) < len(self.fields):
            raise parameters.illegal(self.kind, "fields must name at least one column, each once")
        keys = [key for key, _ in self.maps]
        if len(set(keys)) < len(keys) or any(len(key) != len(self.fields) for key in keys):
            raise parameters.illegal(self.kind, "each cohort has one value per field and one map")
        for member in (self.pooled, *(member for _, member in self.maps)):
            if isinstance(member, ByCohort):
                raise parameters.illegal(self.kind, "a cohort cannot be split into cohorts again")
            if member.scale != self.pooled.scale:
                raise parameters.illegal(self.kind, "all cohorts must read the same score scale")

    @property
    def scale(self) -> scales.Scale:
        return self.pooled.scale

    @cached_property
    def _index(self) -> dict[tuple[str, ...], int]:
        return {key: number for number, (key, _) in enumerate(self.maps)}

    def apply(self, scores: ArrayLike, cohorts: Sequence[ArrayLike]) -> NDArray[np.float64]:
        """Calibrated scores of the same shape; ``cohorts`` holds one column of text per field."""
        raw = np.asarray(scores, dtype=np.float64)
        flat = raw.reshape(-1)
        number = self._numbers(cohorts, len(flat))
        lines = self._lines
        if lines is not None:
            return _apply_lines(flat, self.scale, *lines, number).reshape(raw.shape)
        order = np.argsort(number, kind="stable")
        ends = np.flatnonzero(np.diff(number[order])) + 1
        out = np.empty(len(flat))
        for rows in np.split(order, ends) if len(flat) else ():
            which = number[rows[0]]
            member = self.pooled if which < 0 else self.maps[which][1]
            out[rows] = member.apply(flat[rows])
        return out.reshape(raw.shape)

    def of(self, cohort: tuple[str, ...]) -> calibrator.Calibrator:
        """The map of one cohort: its own, or the pooled one."""
        number = self._index.get(cohort)
        return self.pooled if number is None else self.maps[number][1]

    def _numbers(self, cohorts: Sequence[ArrayLike], rows: int) -> NDArray[np.int64]:
        """The number of each row's map, -1 for the pooled one."""
        columns = [np.asarray(column) for column in cohorts]
        if len(columns) != len(self.fields) or any(column.size != rows for column in columns):
            raise errors.UsageError(
                "CAL-430",
                "the cohort columns do not fit the scores",
                cause=f"{rows} scores need {len(self.fields)} columns of as many values: {', '.join(self.fields)}",
                fix="pass one column of text per field, in the order of the fields",
            )
        if any(column.dtype.kind not in "OUT" for column in columns):
            raise errors.UsageError(
                "CAL-431",
                "cohort values must be text",
                cause="a cohort column holds numbers or dates, and 1, 1.0 and '1' would be three cohorts",
                fix="convert the column to text the way it was when the map was fitted",
            )
        keys = zip(*(column.reshape(-1).tolist() for column in columns), strict=True)
        return np.fromiter(map(self._index.get, keys, repeat(-1)), np.int64, count=rows)

    @cached_property
    def _lines(self) -> tuple[blocks.Floats, blocks.Floats] | None:
        """Minus slope and minus intercept per map, the pooled one last; None unless all are lines."""
        members = [*(member for _, member in self.maps), self.pooled]
        found = [member for member in members if isinstance(member, LINES)]
        if len(found) < len(members):
            return None
        return -np.array([line.slope for line in found]), -np.array([line.intercept for line in found])


def _apply_lines(
    flat: blocks.Floats,
    scale: scales.Scale,
    slopes: blocks.Floats,
    intercepts: blocks.Floats,
    number: NDArray[np.int64],
) -> blocks.Floats:
    out, work = np.empty(len(flat)), np.empty(min(blocks.BLOCK, len(flat)))
    with np.errstate(over="ignore", under="ignore"):
        for start in range(0, len(flat), blocks.BLOCK):
            rows = slice(start, start + blocks.BLOCK)
            block = out[rows]
            blocks.log_odds(scale, flat[rows], block, work[: len(block)])
            block *= slopes[number[rows]]  # -1 is the last: the pooled map
            block += intercepts[number[rows]]
            blocks.logistic_of_negative(block)
    return out
