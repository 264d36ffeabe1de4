"""Isotonic regression: a step function of the probability."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import blocks, parameters, scales, search


@dataclass(frozen=True)
class Isotonic:
    """The value of the last threshold <= p; below all thresholds, the first value.

    Thresholds rise strictly in [0, 1]; values do not fall and lie in [0, 1].

    >>> Isotonic((0.2, 0.6), (0.1, 0.7)).apply([0.0, 0.2, 0.5, 0.6, 1.0])
    array([0.1, 0.1, 0.1, 0.7, 0.7])
    """

    kind: ClassVar[str] = "isotonic"
    thresholds: tuple[float, ...]
    values: tuple[float, ...]
    scale: scales.Scale = scales.Scale()

    def __post_init__(self) -> None:
        for name in ("thresholds", "values"):
            found = parameters.numbers(self.kind, name, getattr(self, name), low=0.0, high=1.0)
            object.__setattr__(self, name, found)
        parameters.same_length(self.kind, thresholds=self.thresholds, values=self.values)
        parameters.increasing(self.kind, "thresholds", self.thresholds)
        parameters.non_decreasing(self.kind, "values", self.values)

    @cached_property
    def _edges(self) -> search.Finder:
        return search.Finder.of(np.asarray(self.thresholds[1:]))

    @cached_property
    def _values(self) -> blocks.Floats:
        return np.asarray(self.values)

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]:
        return look_up(scores, self.scale, self._edges, self._values)


def look_up(scores: ArrayLike, scale: scales.Scale, edges: search.Finder, values: blocks.Floats) -> blocks.Floats:
    """``values[number of edges <= p]``, NaN for NaN; one value more than edges."""

    def kernel(raw: blocks.Floats, out: blocks.Floats, work: blocks.Floats) -> None:
        blocks.probability(scale, raw, work)
        np.take(values, edges.count(work), out=out, mode="clip")
        missing = np.isnan(work)
        if missing.any():
            out[missing] = np.nan

    return blocks.each(scores, kernel)
