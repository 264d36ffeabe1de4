"""Centred isotonic regression: straight pieces between the centres of the isotonic blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import blocks, parameters, scales, steps


@dataclass(frozen=True)
class CenteredIsotonic:
    """Linear interpolation in p between (knot, value) pairs, constant outside (Oron and Flournoy 2017).

    Knots rise strictly in [0, 1]; values do not fall and lie in [0, 1].

    >>> CenteredIsotonic((0.2, 0.6), (0.1, 0.5)).apply([0.0, 0.4, 1.0])
    array([0.1, 0.3, 0.5])
    """

    kind: ClassVar[str] = "centered_isotonic"
    knots: tuple[float, ...]
    values: tuple[float, ...]
    scale: scales.Scale = scales.Scale()

    def __post_init__(self) -> None:
        for name in ("knots", "values"):
            found = parameters.numbers(self.kind, name, getattr(self, name), low=0.0, high=1.0)
            object.__setattr__(self, name, found)
        parameters.same_length(self.kind, knots=self.knots, values=self.values)
        parameters.increasing(self.kind, "knots", self.knots)
        parameters.non_decreasing(self.kind, "values", self.values)
        if not all(math.isfinite(slope) for slope in slopes(self.knots, self.values)):
            raise parameters.illegal(self.kind, "two knots are so close that the slope between them overflows")

    @cached_property
    def _knots(self) -> blocks.Floats:
        return np.asarray(self.knots)

    @cached_property
    def _values(self) -> blocks.Floats:
        return np.asarray(self.values)

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]:
        knots, values, scale = self._knots, self._values, self.scale
        if len(knots) == 1:  # np.interp answers NaN with the only value
            return steps.look_up(scores, scale, knots[1:], values)

        def kernel(raw: blocks.Floats, out: blocks.Floats, work: blocks.Floats) -> None:
            blocks.probability(scale, raw, work)
            # rounding may lift the end of a piece by one unit in the last place: never above the last value
            np.minimum(np.interp(work, knots, values), values[-1], out=out)

        return blocks.each(scores, kernel)


def slopes(knots: tuple[float, ...], values: tuple[float, ...]) -> tuple[float, ...]:
    """Rise over run of each piece; infinite where the run is too small for a double."""
    pairs = zip(knots, knots[1:], values, values[1:], strict=False)
    # a quotient of floats that overflows raises only for a zero divisor, which strictly rising knots exclude
    return tuple((d - c) / (b - a) for a, b, c, d in pairs)
