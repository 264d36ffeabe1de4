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

from calibrant.calibrators import scales
from calibrant.stats import binned, corp, corp_curve, cox, ecce, expected, resampling, results, scores, smooth
from calibrant.stats import grid as score_grid
from calibrant.stats import summary as summaries

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float64]

#: ``logit`` spreads the ends out: for rare events, where a linear axis shows one corner.
Axis = Literal["probability", "logit"]

#: ``panel``: what a small picture needs.
Detail = Literal["full", "panel"]

IN_SAMPLE = "none (in-sample)"
#: A base rate below this, or above one minus this, makes the events rare.
RARE = 0.02
#: Rows below which no diagram is made, and the fewest rows of either label.
MINIMUM = 50
FEWEST_OF_A_LABEL = 5
#: Points of the curve, beside the ends of its blocks; bars of the histogram on a linear axis; width of a bar and
#: farthest bar in log-odds. Bars of fixed place can be compared between windows.
POINTS, BARS, STEP, FARTHEST = 160, 30, 0.5, 16.0


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
    smooth: smooth.Curve | None
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
            "smooth": None if self.smooth is None else _lists(self.smooth, "score", "rate"),
            "bins": _lists(self.bins, "low", "high", "score", "rate", "rate_low", "rate_high", "n"),
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


def _lists(part: Any, *names: str) -> dict[str, list[Any]]:
    """The named columns, or all of them, as lists."""
    return {name: column.tolist() for name, column in _columns(part).items() if not names or name in names}


def reliability(
    summary: summaries.Summary,
    *,
    rng: np.random.Generator,
    bins: int = 15,
    level: float = 0.95,
    resamples: int = 200,
    minimum: int = MINIMUM,
    axis: Axis | None = None,
    smoothed: bool = False,
    detail: Detail = "full",
    caption: Caption = Caption(),
) -> Reliability | results.Insufficient:
    """Compute a diagram; below ``minimum`` effective rows, or with one label or one score only, refuse to.

    Parameters
    ----------
    summary
        One group. Labels that are rates vary less than bands and intervals say.
    rng
        The only source of randomness.
    bins
        Equal-width bins, on a logit axis bins of equal mass; on the dyadic grid a divisor of 60.
    level
        Pointwise coverage of band and interval, and of the intervals of the numbers.
    resamples
        Draws behind band, interval and the interval of smECE. These are taken on the dyadic grid where there are
        more distinct scores than it has cells.
    axis
        None chooses: see ``choose_axis``.
    smoothed
        Whether to add the kernel-smoothed curve; on the logit axis there is none, as its kernel is a linear one.
    detail
        ``panel`` leaves out the interval of smECE, which takes longer than all the rest.
    """
    missing = _missing(summary.only(), minimum)
    if missing is not None:
        return missing
    rate = float(summary.wy.sum() / summary.w.sum())
    axis = axis or choose_axis(summary.score, summary.w, rate)
    box = _box(summary, rng=rng, bins=bins, level=level, resamples=resamples if detail == "full" else 0)
    extra = None
    if smoothed and axis == "probability" and isinstance(box.smece, results.Estimate) and box.smece.value > 0:
        found = smooth.smooth_curve(summary, bandwidth=box.smece.value)
        extra = found if isinstance(found, smooth.Curve) else None
    binning = binned.equal_width if axis == "probability" else binned.equal_mass
    return Reliability(
        axis=axis,
        level=level,
        curve=_curve(summary, rng=rng, level=level, resamples=resamples),
        smooth=extra,
        bins=binning(summary, count=bins, level=level),
        histogram=_histogram(summary, axis),
        box=box,
        caption=caption,
    )


def choose_axis(score: Floats, weight: Floats, base_rate: float) -> Axis:
    """``logit`` if the event is rare or nearly certain, or if more than half of the weight is in the tails."""
    tails = (score < RARE) | (score > 1.0 - RARE)
    rare = not RARE <= base_rate <= 1.0 - RARE
    return "logit" if rare or weight[tails].sum() > 0.5 * weight.sum() else "probability"


def _missing(summary: summaries.Summary, minimum: int) -> results.Insufficient | None:
    rows = float(summary.effective_n[0])
    if rows < minimum * (1.0 - 1e-9):
        return results.Insufficient(rows, minimum)
    share = float(summary.wy.sum() / summary.w.sum())
    rarer = rows * min(share, 1.0 - share)
    if rarer < FEWEST_OF_A_LABEL * (1.0 - 1e-9):
        return results.Insufficient(rarer, FEWEST_OF_A_LABEL, "rows of the rarer label")
    if len(summary.keys) < 2:
        return results.Insufficient(1, 2, "distinct scores")
    return None


def _coarse(summary: summaries.Summary) -> summaries.Summary:
    """The rows on the dyadic grid if that has fewer cells: what is drawn anew hundreds of times."""
    return summary.to_dyadic() if len(summary.keys) > score_grid.CELLS else summary


def _curve(summary: summaries.Summary, *, rng: np.random.Generator, level: float, resamples: int) -> Curve:
    """The blocks of CORP with interval and band, read off where blocks end and at evenly chosen cells between."""
    blocks = corp_curve.curve(summary)
    source = _coarse(summary)
    band = corp_curve.consistency_band(source, rng=rng, draws=resamples, level=level)
    interval = corp_curve.confidence_band(source, rng=rng, draws=resamples, level=level)
    assert isinstance(blocks, corp_curve.Curve), "there are rows"
    assert isinstance(band, corp_curve.Band), "there are rows"
    assert isinstance(interval, corp_curve.Band), "there are rows"
    size = len(summary.keys)
    by_cell = np.linspace(0, size - 1, POINTS // 2).round().astype(np.int64)
    by_score = np.searchsorted(summary.score, np.linspace(summary.score[0], summary.score[-1], POINTS // 2))
    score = np.unique(np.concatenate([blocks.low, blocks.high, summary.score[by_cell], summary.score[by_score]]))
    rate = blocks.rate[np.searchsorted(blocks.low, score, side="right") - 1]

    def at(known: Floats, limits: corp_curve.Band) -> Floats:
        return np.asarray(np.interp(score, limits.score, known))

    # an interval made by resampling the fit can miss the fit itself at the very ends; it never should
    low, high = np.minimum(at(interval.low, interval), rate), np.maximum(at(interval.high, interval), rate)
    return Curve(score, rate, low, high, at(band.low, band), at(band.high, band))


def _box(summary: summaries.Summary, *, rng: np.random.Generator, bins: int, level: float, resamples: int) -> Box:
    line, kuiper, parts = cox.cox(summary, level=level), ecce.ecce(summary), corp.corp(summary)
    base_rate = scores.base_rate(summary, level=level)
    smece: results.Measured = smooth.smece(summary)
    if resamples:
        smece = resampling.poisson_bootstrap(
            summary, smooth.smece, replicates=resamples, rng=rng, level=level, kind="basic"
        )
    assert isinstance(base_rate, results.Estimate), "there are rows"
    assert isinstance(parts, corp.Decomposition), "there are rows"
    return Box(
        n=int(summary.rows[0]),
        base_rate=base_rate,
        mean_score=float(summary.total("wp")[0] / summary.total("w")[0]),
        slope=line.slope if isinstance(line, cox.Cox) else line,
        intercept=line.intercept if isinstance(line, cox.Cox) else line,
        brier=_value(scores.brier(summary, level=level)),
        mcb=results.Estimate(parts.mcb, method=IN_SAMPLE),
        dsc=results.Estimate(parts.dsc, method=IN_SAMPLE),
        unc=results.Estimate(parts.unc, method=IN_SAMPLE),
        smece=smece,
        ece=binned.ece(summary, count=bins),
        ece_if_perfect=expected.expected_ece(_coarse(summary) if 60 % bins == 0 else summary, count=bins, rng=rng),
        ecce=_kuiper(kuiper, level),
        ecce_p=kuiper.p_value if isinstance(kuiper, ecce.Ecce) else None,
    )


def _value(measured: results.Measured) -> float:
    assert isinstance(measured, results.Estimate), "there are rows"
    return measured.value


def _kuiper(found: ecce.Ecce | results.Insufficient, level: float) -> results.Measured:
    if isinstance(found, results.Insufficient):
        return found
    side = (1.0 + level) / 2.0
    return results.Estimate(found.value, found.lower(side), found.upper(side), level, "two one-sided bounds")


def _histogram(summary: summaries.Summary, axis: Axis) -> Histogram:
    """Bars of equal width on the axis, at places that do not depend on the data."""
    positives = summary.wy
    negatives = np.maximum(summary.w - positives, 0.0)
    if axis == "probability":
        edges = np.arange(BARS + 1) / BARS
        bar = summary.bins(BARS)
    else:
        x = np.clip(scales.logit(summary.score), -FARTHEST, FARTHEST - 1e-9)
        bar = np.floor(x / STEP).astype(np.int64)
        edges = scales.expit(np.arange(bar.min(), bar.max() + 2) * STEP)
        bar -= bar.min()
    count = len(edges) - 1
    heights = [np.bincount(bar, weight, count).astype(np.float64) for weight in (positives, negatives)]
    return Histogram(edges[:-1], edges[1:], *heights)
