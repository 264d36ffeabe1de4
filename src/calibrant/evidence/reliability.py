"""The reliability diagram as data: every curve, band, bar and number that a drawing needs, and no drawing.

The curve is CORP (Dimitriadis, Gneiting and Jordan 2021, doi:10.1073/pnas.2016191118): the isotonic fit of labels on
scores, which needs no bins. Around the diagonal lies the band in which a perfectly calibrated model would stay; a
curve outside it is evidence, a curve inside it is not.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibrant.stats import binned, results

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float64]

#: ``logit`` spreads the ends out: for rare events, where a linear axis shows one corner.
Axis = Literal["probability", "logit"]

#: A base rate below this, or above one minus this, makes the events rare.
RARE = 0.02
#: Rows below which no diagram is made, and the fewest rows of either outcome.
MINIMUM = 50
FEWEST_OF_A_CLASS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """At each of m scores, increasing: the observed rate, its interval, and the band of a perfect model.

    All of shape (m,), all probabilities. ``rate`` is the CORP curve, ``low`` and ``high`` its pointwise interval,
    ``band_low`` and ``band_high`` the pointwise consistency band around the diagonal.
    """

    score: Floats
    rate: Floats
    low: Floats
    high: Floats
    band_low: Floats
    band_high: Floats

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Where the curve leaves the band, shape (m,)."""
        return np.asarray((self.rate < self.band_low) | (self.rate > self.band_high))


@dataclass(frozen=True, slots=True, eq=False)
class Smooth:
    """The kernel-smoothed rate at each score, both of shape (m,)."""

    score: Floats
    rate: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Scores by outcome, all of shape (h,): ends of the bars, and the weight of positives and of negatives."""

    left: Floats
    right: Floats
    positives: Floats
    negatives: Floats


@dataclass(frozen=True, slots=True)
class Box:
    """The numbers beside the diagram."""

    n: int
    base_rate: results.Estimate
    mean_score: float
    slope: results.Measured
    intercept: results.Measured
    brier: float
    mcb: results.Measured
    dsc: results.Measured
    unc: results.Measured
    smece: results.Measured
    ece: results.Measured
    ece_if_perfect: results.Measured
    ecce: results.Measured
    ecce_p: float | None

    def to_dict(self) -> dict[str, Any]:
        pairs = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {
            name: value.to_dict() if isinstance(value, results.Estimate | results.Insufficient) else value
            for name, value in pairs
        }


@dataclass(frozen=True, slots=True)
class Caption:
    """Where the rows come from, as far as the caller knows; every part is optional.

    ``matured`` is the share of rows whose label has had its time to arrive, in [0, 1].
    """

    matured: float | None = None
    window: str | None = None
    data_cutoff: str | None = None
    artifact: str | None = None

    def __str__(self) -> str:
        parts = (
            f"window {self.window}" if self.window else "",
            f"data until {self.data_cutoff}" if self.data_cutoff else "",
            f"{self.matured:.1%} of labels matured" if self.matured is not None else "",
            f"artifact {self.artifact[:19]}" if self.artifact else "",
        )
        return " · ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """A reliability diagram as data. ``level`` is the coverage of all its intervals and of the band."""

    axis: Axis
    level: float
    curve: Curve
    smooth: Smooth | None
    bins: binned.Bins
    histogram: Histogram
    box: Box
    caption: Caption = Caption()

    @property
    def difference(self) -> Curve:
        """The same curve with the diagonal taken away: observed rate less score."""
        c = self.curve
        return Curve(
            c.score, c.rate - c.score, c.low - c.score, c.high - c.score, c.band_low - c.score, c.band_high - c.score
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers: the JSON form."""
        return {
            "schema": "calibrant.reliability/1",
            "axis": self.axis,
            "level": self.level,
            "curve": _lists(self.curve),
            "smooth": None if self.smooth is None else _lists(self.smooth),
            "bins": {name: column for name, column in _lists(self.bins).items() if name != "level"},
            "histogram": _lists(self.histogram),
            "box": self.box.to_dict(),
            "caption": dataclasses.asdict(self.caption),
        }

    def to_frame(self) -> pa.Table:
        """The curve, its interval, the band and the difference, one row a score."""
        import pyarrow as pa  # only for those who ask for a table

        return pa.table(_columns(self.curve) | {"difference": self.difference.rate})


def _columns(part: Any) -> dict[str, NDArray[Any]]:
    return {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}


def _lists(part: Any) -> dict[str, list[Any]]:
    return {name: np.asarray(column).tolist() for name, column in _columns(part).items()}


def choose_axis(scores: Floats, weights: Floats, base_rate: float) -> Axis:
    """``logit`` if the event is rare or nearly certain, or if more than half of the weight is in the tails."""
    tails = (scores < RARE) | (scores > 1.0 - RARE)
    rare = not RARE <= base_rate <= 1.0 - RARE
    return "logit" if rare or weights[tails].sum() > 0.5 * weights.sum() else "probability"
