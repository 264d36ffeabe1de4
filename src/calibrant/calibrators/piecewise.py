"""A non-decreasing broken line from a raw measurement to reference units: a sensor that is not straight."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import parameters

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Piecewise:
    """Straight between (knot, value) pairs and constant outside them: it does not extrapolate.

    >>> Piecewise(knots=(0.0, 10.0), values=(1.0, 3.0)).apply([-5.0, 5.0, 50.0]).tolist()
    [1.0, 2.0, 3.0]
    """

    kind: ClassVar[str] = "piecewise"

    knots: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("knots", "values"):
            found = parameters.numbers(self.kind, name, getattr(self, name), low=-math.inf, high=math.inf)
            object.__setattr__(self, name, found)
        parameters.same_length(self.kind, knots=self.knots, values=self.values)
        parameters.increasing(self.kind, "knots", self.knots)
        parameters.non_decreasing(self.kind, "values", self.values)

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats]:
        return np.array(self.knots, np.float64), np.array(self.values, np.float64)

    def apply(self, scores: ArrayLike) -> Floats:
        """Raw measurements, any shape, to reference units; NaN stays NaN."""
        return np.asarray(np.interp(np.asarray(scores, np.float64), *self._arrays))
