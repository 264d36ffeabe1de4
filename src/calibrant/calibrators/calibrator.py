"""What every map of one score is: a kind, a declared scale, and ``apply``."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import scales


@runtime_checkable
class Calibrator(Protocol):
    """A frozen value that turns raw scores on ``scale`` into calibrated numbers of the same shape.

    ``kind`` names the map in files. Scores must lie in ``scale.range``: that is checked at the door, not here;
    NaN stays NaN. Maps of probabilities never decrease (up to the last bit of the logarithm and exponential).
    """

    kind: ClassVar[str]

    @property
    def scale(self) -> scales.Scale: ...

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]: ...
