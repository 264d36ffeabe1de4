"""What a measurement returns: a number with its interval, or the plain statement that data are missing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and, where theory or resampling gives one, its interval.

    Parameters
    ----------
    value
        The point estimate. Always finite.
    low, high
        Ends of the interval, or None where no honest interval is known.
    level
        Coverage of the interval, in (0, 1); None without an interval.
    method
        How the interval was made: ``"wald"``, ``"wilson"``, ``"delong"``, ``"bootstrap"`` ...; for a bare
        number, why there is none.
    """

    value: float
    low: float | None = None
    high: float | None = None
    level: float | None = None
    method: str = "none"

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise AssertionError("an Estimate is finite; missing data is Insufficient")

    def to_dict(self) -> dict[str, float | str | None]:
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "method": self.method,
        }


@dataclass(frozen=True, slots=True)
class Insufficient:
    """Not enough data: a value of its own, never 0 and never NaN.

    ``have`` and ``need`` count what ``unit`` names (rows, positives, distinct scores ...).
    """

    have: float
    need: float
    unit: str = "rows"

    def __str__(self) -> str:
        return f"insufficient: {self.have:g} {self.unit}, needs {self.need:g}"

    def to_dict(self) -> dict[str, float | str]:
        return {"insufficient": self.unit, "have": self.have, "need": self.need}


Measured: TypeAlias = Estimate | Insufficient
