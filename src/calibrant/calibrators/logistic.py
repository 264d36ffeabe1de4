"""Straight lines in log-odds: intercept alone, Platt scaling, temperature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import blocks, parameters, scales


class Line(Protocol):
    """What the three maps have in common: logit q = intercept + slope * logit p."""

    @property
    def slope(self) -> float: ...

    @property
    def intercept(self) -> float: ...

    @property
    def scale(self) -> scales.Scale: ...


@dataclass(frozen=True)
class Intercept:
    """logit q = intercept + logit p: moves the base rate and nothing else.

    >>> Intercept(math.log(3.0)).apply(0.5).round(6)
    np.float64(0.75)
    """

    kind: ClassVar[str] = "intercept"
    intercept: float
    scale: scales.Scale = scales.Scale()

    def __post_init__(self) -> None:
        object.__setattr__(self, "intercept", parameters.number(self.kind, "intercept", self.intercept))

    @property
    def slope(self) -> float:
        return 1.0

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]:
        if self.scale.kind in ("logit", "unbounded") or abs(self.intercept) > 600.0:
            return _apply(self, scores)
        factor = math.exp(-self.intercept)

        def kernel(raw: blocks.Floats, out: blocks.Floats, work: blocks.Floats) -> None:
            blocks.odds(self.scale, raw, out, work)
            np.divide(factor, out, out=out)
            out += 1.0
            np.divide(1.0, out, out=out)

        return blocks.each(scores, kernel)


@dataclass(frozen=True)
class Platt:
    """logit q = intercept + slope * logit p, slope > 0 (Platt 1999, on logits).

    >>> Platt(slope=2.0, intercept=0.0).apply([0.5, 0.75])
    array([0.5, 0.9])
    """

    kind: ClassVar[str] = "platt"
    slope: float
    intercept: float
    scale: scales.Scale = scales.Scale()

    def __post_init__(self) -> None:
        object.__setattr__(self, "slope", parameters.number(self.kind, "slope", self.slope))
        object.__setattr__(self, "intercept", parameters.number(self.kind, "intercept", self.intercept))
        if self.slope <= 0.0:
            raise parameters.illegal(self.kind, f"slope is {self.slope}, which would turn the ranking round")

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]:
        return _apply(self, scores)


@dataclass(frozen=True)
class Temperature:
    """logit q = logit p / temperature, temperature > 0 (Guo et al. 2017).

    >>> Temperature(0.5).apply([0.5, 0.75])
    array([0.5, 0.9])
    """

    kind: ClassVar[str] = "temperature"
    temperature: float
    scale: scales.Scale = scales.Scale()

    def __post_init__(self) -> None:
        object.__setattr__(self, "temperature", parameters.number(self.kind, "temperature", self.temperature))
        if self.temperature <= 0.0 or not math.isfinite(1.0 / self.temperature):
            raise parameters.illegal(self.kind, f"temperature is {self.temperature}, not positive")

    @property
    def slope(self) -> float:
        return 1.0 / self.temperature

    @property
    def intercept(self) -> float:
        return 0.0

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]:
        return _apply(self, scores)


def _apply(line: Line, scores: ArrayLike) -> NDArray[np.float64]:
    slope, intercept, scale = line.slope, line.intercept, line.scale

    def kernel(raw: blocks.Floats, out: blocks.Floats, work: blocks.Floats) -> None:
        blocks.log_odds(scale, raw, out, work)
        out *= -slope
        out -= intercept
        blocks.logistic_of_negative(out)

    return blocks.each(scores, kernel)
