"""A straight line from a raw measurement to reference units: the calibration of a sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import parameters


@dataclass(frozen=True)
class Affine:
    """intercept + slope * raw: any real measurements, not probabilities. ``Affine()`` is the identity.

    >>> Affine(slope=1.8, intercept=32.0).apply([0.0, 100.0]).tolist()
    [32.0, 212.0]
    """

    kind: ClassVar[str] = "affine"

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        for name in ("slope", "intercept"):
            object.__setattr__(self, name, parameters.number(self.kind, name, getattr(self, name)))
        if self.slope == 0.0:
            raise parameters.illegal(self.kind, "slope is 0, which forgets the measurement")

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Raw measurements, any shape, to reference units."""
        return np.asarray(self.intercept + self.slope * np.asarray(scores, np.float64))
