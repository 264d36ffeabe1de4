"""Centred isotonic regression: straight pieces between the centres of the isotonic blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import blocks, parameters, scales, search


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
    def _pieces(self) -> tuple[search.Finder, blocks.Floats, blocks.Floats, blocks.Floats]:
        """Knots, and origin, value there and slope of each piece; the first and the last are level."""
        knots, values = np.asarray(self.knots), np.asarray(self.values)
        rise = np.concatenate([[0.0], slopes(self.knots, self.values), [0.0]])
        return search.Finder.of(knots), np.append(knots[:1], knots), np.append(values[:1], values), rise

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]:
        knots, origins, values, rise = self._pieces
        scale, highest = self.scale, values[-1]

        def kernel(raw: blocks.Floats, out: blocks.Floats, work: blocks.Floats) -> None:
            blocks.probability(scale, raw, work)
            piece = knots.count(work)
            np.take(rise, piece, out=out, mode="clip")
            work -= origins[piece]
            out *= work
            out += values[piece]
            # rounding may lift the end of a piece by one unit in the last place: never above the last value
            np.minimum(out, highest, out=out)

        return blocks.each(scores, kernel)


def slopes(knots: tuple[float, ...], values: tuple[float, ...]) -> tuple[float, ...]:
    """Rise over run of each piece; infinite where the run is too small for a double."""
    pairs = zip(knots, knots[1:], values, values[1:], strict=False)
    # a quotient of floats that overflows raises only for a zero divisor, which strictly rising knots exclude
    return tuple((d - c) / (b - a) for a, b, c, d in pairs)
