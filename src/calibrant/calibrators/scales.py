"""How a raw score becomes a number in [0, 1]: declared by the caller, never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors

Kind = Literal["probability", "percent", "logit", "unbounded"]

#: Probabilities are kept this far from 0 and 1 before a logarithm; the machine epsilon, as scikit-learn does.
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Scale:
    """A declared score scale.

    Parameters
    ----------
    kind
        ``probability`` in [0, 1]; ``percent`` in [0, 100]; ``logit`` in log-odds; ``unbounded`` for margins,
        distances and anomaly scores, which are squashed by the logistic function of (raw - center) / spread.
    center, spread
        Only for ``unbounded``; spread > 0, in units of the raw score.

    >>> Scale.parse("percent").to_probability([25.0])
    array([0.25])
    >>> Scale.parse("unbounded:10,2").to_probability([10.0])
    array([0.5])
    """

    kind: Kind = "probability"
    center: float = 0.0
    spread: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise errors.UsageError(
                "CAL-402",
                f"unknown score scale {self.kind!r}",
                cause="a scale is one of " + ", ".join(get_args(Kind)),
                fix="declare the scale that the scores have",
            )
        if not (self.spread > 0 and np.isfinite(self.spread) and np.isfinite(self.center)):
            raise errors.UsageError(
                "CAL-403",
                "an unbounded scale needs a finite center and a positive spread",
                cause=f"center={self.center!r}, spread={self.spread!r}",
                fix="write it as unbounded:CENTER,SPREAD, for example unbounded:0,1",
            )

    @classmethod
    def parse(cls, text: str) -> Scale:
        """Read ``probability``, ``percent``, ``logit``, ``unbounded`` or ``unbounded:CENTER,SPREAD``."""
        kind, _, numbers = text.partition(":")
        if not numbers:
            return cls(kind)  # type: ignore[arg-type]  # checked in __post_init__
        try:
            center, spread = (float(part) for part in numbers.split(","))
        except ValueError:
            raise errors.UsageError(
                "CAL-403",
                f"the scale {text!r} cannot be read",
                cause="after the colon come two numbers, center and spread",
                fix="write it as unbounded:CENTER,SPREAD, for example unbounded:0,1",
            ) from None
        return cls(kind, center, spread)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"unbounded:{self.center!r},{self.spread!r}" if self.kind == "unbounded" else self.kind

    @property
    def range(self) -> tuple[float, float]:
        """The closed interval in which raw scores of this scale must lie."""
        match self.kind:
            case "probability":
                return 0.0, 1.0
            case "percent":
                return 0.0, 100.0
            case "logit" | "unbounded":
                return -float("inf"), float("inf")
            case _:
                assert_never(self.kind)

    def to_probability(self, raw: ArrayLike) -> NDArray[np.float64]:
        """Raw scores, any shape, to numbers in [0, 1]. Monotone; NaN stays NaN."""
        x = np.asarray(raw, dtype=np.float64)
        match self.kind:
            case "probability":
                return x
            case "percent":
                return x / 100.0
            case "logit":
                return expit(x)
            case "unbounded":
                return expit((x - self.center) / self.spread)
            case _:
                assert_never(self.kind)


def expit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logistic function 1 / (1 + exp(-x)), without overflow and with numpy alone."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-x)))


def logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(p / (1 - p)) after clipping p to [EPSILON, 1 - EPSILON]."""
    q = np.clip(p, EPSILON, 1.0 - EPSILON)
    return np.asarray(np.log(q / (1.0 - q)))
