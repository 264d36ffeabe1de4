"""Inductive Venn-Abers: two isotonic fits, one for each label the next row might have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import blocks, parameters, scales, search, steps


@dataclass(frozen=True)
class VennAbers:
    """Step functions p0 (``lower``) and p1 (``upper``) of the probability; the answer is p1 / (1 - p0 + p1).

    At a score the value of the last knot <= p counts; below all knots, the first. Precomputed from the
    calibration rows (Vovk, Petej, Fedorova 2015); the merged answer minimises the largest log-loss regret.

    >>> VennAbers((0.2, 0.6), (0.0, 0.5), (0.5, 1.0)).apply([0.1, 0.9]).round(6)
    array([0.333333, 0.666667])
    """

    kind: ClassVar[str] = "venn_abers"
    knots: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    scale: scales.Scale = scales.Scale()

    def __post_init__(self) -> None:
        for name in ("knots", "lower", "upper"):
            found = parameters.numbers(self.kind, name, getattr(self, name), low=0.0, high=1.0)
            object.__setattr__(self, name, found)
        parameters.same_length(self.kind, knots=self.knots, lower=self.lower, upper=self.upper)
        parameters.increasing(self.kind, "knots", self.knots)
        parameters.non_decreasing(self.kind, "lower", self.lower)
        parameters.non_decreasing(self.kind, "upper", self.upper)
        if any(low > high for low, high in zip(self.lower, self.upper, strict=True)):
            raise parameters.illegal(self.kind, "lower is above upper")

    @cached_property
    def _edges(self) -> search.Finder:
        return search.Finder.of(np.asarray(self.knots[1:]))

    @cached_property
    def merged(self) -> tuple[float, ...]:
        """p1 / (1 - p0 + p1) at every knot, non-decreasing to the last bit."""
        lower, upper = np.asarray(self.lower), np.asarray(self.upper)
        return tuple(np.maximum.accumulate(upper / (1.0 - lower + upper)).tolist())

    @cached_property
    def _merged(self) -> blocks.Floats:
        return np.asarray(self.merged)

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]:
        return steps.look_up(scores, self.scale, self._edges, self._merged)

    def interval(self, scores: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """p0 and p1, each of the shape of the scores, p0 <= p1: one of the two is calibrated by construction."""
        return (
            steps.look_up(scores, self.scale, self._edges, np.asarray(self.lower)),
            steps.look_up(scores, self.scale, self._edges, np.asarray(self.upper)),
        )
