"""A smooth rising curve in log-odds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import blocks, parameters, scales, search

#: The derivative may dip below zero by this share of the largest slope around it: rounding, not a fall.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class MonotoneSpline:
    """Cubic Hermite curve from logit p to logit q, linear outside the knots; never falls.

    ``knots`` rise strictly, ``values`` and ``slopes`` (of the curve at the knots, >= 0) must keep every cubic
    piece from falling (Fritsch and Carlson 1980); checked exactly, piece by piece.

    >>> MonotoneSpline((-1.0, 1.0), (-1.0, 1.0), (1.0, 1.0)).apply([0.1, 0.5, 0.9])
    array([0.1, 0.5, 0.9])
    """

    kind: ClassVar[str] = "monotone_spline"
    knots: tuple[float, ...]
    values: tuple[float, ...]
    slopes: tuple[float, ...]
    scale: scales.Scale = scales.Scale()

    def __post_init__(self) -> None:
        infinity = float("inf")
        for name, low in (("knots", -infinity), ("values", -infinity), ("slopes", 0.0)):
            found = parameters.numbers(self.kind, name, getattr(self, name), low=low, high=infinity)
            object.__setattr__(self, name, found)
        parameters.same_length(self.kind, knots=self.knots, values=self.values, slopes=self.slopes)
        parameters.increasing(self.kind, "knots", self.knots)
        parameters.non_decreasing(self.kind, "values", self.values)
        if len(self.knots) < 2:
            raise parameters.illegal(self.kind, "a spline needs two knots")
        if not np.isfinite(self.pieces).all():
            raise parameters.illegal(self.kind, "two knots are so close that the curve between them overflows")
        if not _rising(self):
            raise parameters.illegal(self.kind, "the curve falls between two knots")

    @cached_property
    def pieces(self) -> blocks.Floats:
        """Shape (k + 1, 4): constant, linear, quadratic and cubic coefficient of x - origin per piece.

        The first piece is the line below the first knot, the last the line above the last.
        """
        x, y, m = np.asarray(self.knots), np.asarray(self.values), np.asarray(self.slopes)
        with np.errstate(over="ignore", invalid="ignore"):
            h = np.diff(x)
            rise = np.diff(y) / h
            quadratic = (3.0 * rise - 2.0 * m[:-1] - m[1:]) / h
            cubic = (m[:-1] + m[1:] - 2.0 * rise) / (h * h)
        inside = np.stack([y[:-1], m[:-1], quadratic, cubic], axis=1)
        return np.vstack([[y[0], m[0], 0.0, 0.0], inside, [y[-1], m[-1], 0.0, 0.0]])

    @cached_property
    def _bounds(self) -> tuple[search.Finder, blocks.Floats, blocks.Floats, blocks.Floats]:
        """Knots, origins of the pieces, and the least and largest value of each piece."""
        knots, values = np.asarray(self.knots), np.asarray(self.values)
        return (
            search.Finder.of(knots),
            np.concatenate([knots[:1], knots]),
            np.concatenate([[-np.inf], values]),
            np.concatenate([values, [np.inf]]),
        )

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]:
        knots, origins, least, largest = self._bounds
        constant, linear, quadratic, cubic = self.pieces.T.copy()
        scale = self.scale

        def kernel(raw: blocks.Floats, out: blocks.Floats, work: blocks.Floats) -> None:
            blocks.log_odds(scale, raw, work, out)
            piece = knots.count(work)
            work -= origins[piece]
            np.take(cubic, piece, out=out, mode="clip")
            for coefficient in (quadratic, linear, constant):
                out *= work
                out += coefficient[piece]
            # rounding must not carry a piece past its neighbours
            np.maximum(out, least[piece], out=out)
            np.minimum(out, largest[piece], out=out)
            blocks.logistic(out)

        return blocks.each(scores, kernel)


def _rising(spline: MonotoneSpline) -> bool:
    """Whether the least derivative of every piece is not negative: at the ends (checked) or at its vertex."""
    _, first, quadratic, cubic = spline.pieces[1:-1].T
    h = np.diff(np.asarray(spline.knots))
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = -quadratic / (3.0 * cubic)
        least = first + quadratic * vertex
    inside = (cubic > 0.0) & (vertex > 0.0) & (vertex < h)
    slopes = np.asarray(spline.slopes)
    scale = np.maximum(np.maximum(slopes[:-1], slopes[1:]), np.diff(np.asarray(spline.values)) / h)
    return bool(np.all(least[inside] >= -TOLERANCE * scale[inside]))
