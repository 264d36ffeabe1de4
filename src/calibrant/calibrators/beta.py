"""Beta calibration: the family of maps that is right for beta-distributed scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import blocks, parameters, scales


@dataclass(frozen=True)
class Beta:
    """logit q = c + a ln p - b ln (1 - p), a >= 0, b >= 0 (Kull, Silva Filho, Flach 2017).

    >>> Beta(a=1.0, b=1.0, c=0.0).apply([0.25, 0.75])
    array([0.25, 0.75])
    """

    kind: ClassVar[str] = "beta"
    a: float
    b: float
    c: float
    scale: scales.Scale = scales.Scale()

    def __post_init__(self) -> None:
        for name in ("a", "b", "c"):
            object.__setattr__(self, name, parameters.number(self.kind, name, getattr(self, name)))
        if self.a < 0.0 or self.b < 0.0:
            raise parameters.illegal(self.kind, f"a is {self.a} and b is {self.b}: neither may be negative")

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]:
        a, b, c, scale = self.a, self.b, self.c, self.scale

        def kernel(raw: blocks.Floats, out: blocks.Floats, work: blocks.Floats) -> None:
            blocks.both_logs(scale, raw, out, work)
            out *= -a
            work *= b
            out += work
            out -= c
            blocks.logistic_of_negative(out)

        return blocks.each(scores, kernel)
