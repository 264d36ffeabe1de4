"""Repairs of quantile and interval forecasts: a map of levels, and a shift of the ends of an interval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import parameters

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class QuantileMap:
    """How often the outcome really lies below the forecast's quantile of a level: the recalibrated level.

    ``levels`` are the forecast's, increasing from 0 to 1; ``values`` are the true ones, not decreasing from 0 to 1;
    straight lines between.

    >>> overconfident = QuantileMap(levels=(0.0, 0.1, 0.9, 1.0), values=(0.0, 0.2, 0.8, 1.0))
    >>> overconfident.apply([0.1, 0.5]).round(6).tolist()      # P(outcome <= the forecast's 10 % and 50 % quantile)
    [0.2, 0.5]
    >>> overconfident.asked([0.8, 0.5]).round(6).tolist()      # for a true 80 % quantile take the forecast's 90 %
    [0.9, 0.5]
    """

    kind: ClassVar[str] = "quantile_map"

    levels: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("levels", "values"):
            found = parameters.numbers(self.kind, name, getattr(self, name), low=0.0, high=1.0)
            object.__setattr__(self, name, found)
        parameters.same_length(self.kind, levels=self.levels, values=self.values)
        parameters.increasing(self.kind, "levels", self.levels)
        parameters.non_decreasing(self.kind, "values", self.values)
        if (self.levels[0], self.levels[-1], self.values[0], self.values[-1]) != (0.0, 1.0, 0.0, 1.0):
            raise parameters.illegal(self.kind, "a map of levels leads from 0 to 0 and from 1 to 1")

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats]:
        return np.array(self.levels, np.float64), np.array(self.values, np.float64)

    def apply(self, scores: ArrayLike) -> Floats:
        """The forecast's levels (or values of its distribution function), any shape, to true levels."""
        return np.asarray(np.interp(np.asarray(scores, np.float64), *self._arrays))

    def asked(self, levels: ArrayLike) -> Floats:
        """The smallest forecast level whose true level is at least the wanted one, any shape."""
        forecast, true = self._arrays
        wanted = np.asarray(levels, np.float64)
        after = np.clip(np.searchsorted(true, wanted, side="left"), 1, len(true) - 1)
        low, high = true[after - 1], true[after]
        share = np.divide(wanted - low, high - low, out=np.zeros_like(wanted + low), where=high > low)
        return np.asarray(forecast[after - 1] + np.clip(share, 0.0, 1.0) * (forecast[after] - forecast[after - 1]))

    def apply_quantiles(self, quantiles: ArrayLike, levels: ArrayLike) -> Floats:
        """Forecast quantiles, shape (n, m), at increasing ``levels``, shape (m,), to true quantiles at these levels.

        Straight lines between the given quantiles; where the map asks for a level beyond the outermost of
        ``levels``, the outermost quantile is returned: what the forecast did not say cannot be recalibrated.
        """
        q = np.asarray(quantiles, np.float64)
        given = np.asarray(levels, np.float64)
        asked = np.clip(self.asked(given), given[0], given[-1])
        after = np.clip(np.searchsorted(given, asked, side="left"), 1, max(len(given) - 1, 1))
        if len(given) == 1:
            return q.copy()
        share = (asked - given[after - 1]) / (given[after] - given[after - 1])
        return np.asarray(q[..., after - 1] + share * (q[..., after] - q[..., after - 1]))


@dataclass(frozen=True)
class ConformalShift:
    """Moves the ends of intervals outward: [low - lower, high + upper]. Negative shifts narrow them.

    ``miscoverage`` is the share of outcomes that may lie outside, as asked of the fit.

    >>> ConformalShift(lower=1.0, upper=2.0, miscoverage=0.1).apply([[10.0, 20.0]]).tolist()
    [[9.0, 22.0]]
    """

    kind: ClassVar[str] = "conformal_shift"

    lower: float
    upper: float
    miscoverage: float

    def __post_init__(self) -> None:
        for name in ("lower", "upper", "miscoverage"):
            object.__setattr__(self, name, parameters.number(self.kind, name, getattr(self, name)))
        if not 0.0 < self.miscoverage < 1.0:
            raise parameters.illegal(self.kind, f"miscoverage is {self.miscoverage}, not in (0, 1)")

    def apply(self, scores: ArrayLike) -> Floats:
        """Intervals, shape (..., 2), to intervals. Ends that would cross meet in the middle."""
        intervals = np.asarray(scores, np.float64)
        low, high = intervals[..., 0] - self.lower, intervals[..., 1] + self.upper
        middle = (low + high) / 2.0
        crossed = low > high
        return np.stack([np.where(crossed, middle, low), np.where(crossed, middle, high)], axis=-1)
