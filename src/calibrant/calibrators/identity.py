"""The map that changes nothing but the scale: always a candidate, wins ties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import blocks, scales


@dataclass(frozen=True)
class Identity:
    """The declared scale alone: raw scores to numbers in [0, 1].

    >>> Identity(scales.Scale("percent")).apply([0.0, 25.0])
    array([0.  , 0.25])
    """

    kind: ClassVar[str] = "identity"
    scale: scales.Scale = scales.Scale()

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]:
        return blocks.each(scores, lambda raw, out, _: blocks.probability(self.scale, raw, out))
