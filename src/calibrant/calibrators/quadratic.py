"""A parabola in log-odds, allowed only where it rises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import blocks, parameters, scales


@dataclass(frozen=True)
class QuadraticLogit:
    """logit q = constant + linear x + quadratic x^2, x = logit p clipped to [low, high], rising there.

    >>> QuadraticLogit(0.0, 1.0, 0.0, -2.0, 2.0).apply([0.5, 0.6])
    array([0.5, 0.6])
    """

    kind: ClassVar[str] = "quadratic_logit"
    constant: float
    linear: float
    quadratic: float
    low: float
    high: float
    scale: scales.Scale = scales.Scale()

    def __post_init__(self) -> None:
        for name in ("constant", "linear", "quadratic", "low", "high"):
            object.__setattr__(self, name, parameters.number(self.kind, name, getattr(self, name)))
        if not -blocks.LIMIT <= self.low < self.high <= blocks.LIMIT:
            raise parameters.illegal(self.kind, f"low is {self.low} and high is {self.high}: not a range of log-odds")
        # the derivative is linear in x, so its sign at both ends decides
        steepness = [self.linear + 2.0 * self.quadratic * x for x in (self.low, self.high)]
        if min(steepness) < 0.0:
            raise parameters.illegal(self.kind, "the parabola falls inside [low, high]")

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]:
        def kernel(raw: blocks.Floats, out: blocks.Floats, work: blocks.Floats) -> None:
            blocks.log_odds(self.scale, raw, work, out)
            np.maximum(work, self.low, out=work)
            np.minimum(work, self.high, out=work)
            np.multiply(work, -self.quadratic, out=out)
            out -= self.linear
            out *= work
            out -= self.constant
            blocks.logistic_of_negative(out)

        return blocks.each(scores, kernel)
