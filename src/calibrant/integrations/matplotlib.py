"""The reliability diagram on a matplotlib Axes, for figures that are composed by hand (extra ``matplotlib``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike

from calibrant import errors
from calibrant.charts import diagram, theme
from calibrant.evidence import reliability
from calibrant.stats import results
from calibrant.stats import summary as summaries

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Up to so many rows every different score is a cell of its own.
EXACT = 250_000


def plot(
    found: reliability.Reliability,
    *,
    ax: Axes | None = None,
    bins: bool = True,
    histogram: bool = True,
    box: bool = False,
    name: str | None = None,
) -> Axes:
    """Draw a diagram on an Axes, a new one if none is given, and return it.

    The scores by outcome stand above the panel in an inset; ``box`` writes the numbers into the panel.
    """
    panel = _new_axes() if ax is None else ax
    ruler, curve = theme.Ruler.of(found), found.curve

    def inside(p: theme.Floats) -> theme.Floats:
        return np.clip(p, ruler.low, ruler.high)

    if ruler.axis == "logit":
        panel.set_xscale("logit")
        panel.set_yscale("logit")
    panel.set(xlim=(ruler.low, ruler.high), ylim=(ruler.low, ruler.high), xlabel="score", ylabel="observed rate")
    panel.fill_between(
        curve.score,
        inside(curve.band_low),
        inside(curve.band_high),
        color=theme.BAND,
        alpha=0.45,
        lw=0,
        label=diagram.BAND,
    )
    ends = [ruler.low, ruler.high]
    panel.plot(ends, ends, color=theme.QUIET, lw=1, ls=(0, (5, 4)))
    panel.fill_between(curve.score, inside(curve.low), inside(curve.high), color=theme.BLUE, alpha=0.22, lw=0)
    panel.plot(curve.score, inside(curve.rate), color=theme.BLUE, lw=2, label=name or diagram.CURVE)
    if found.smooth is not None:
        smooth = found.smooth
        panel.plot(smooth.score, inside(smooth.rate), color=theme.GREEN, lw=1.2, ls=":", label=diagram.SMOOTH)
    if bins:
        _bins(found, panel)
    if histogram:
        _histogram(found, panel)
    if box:
        text = "\n".join(f"{label}: {value}" for label, value in diagram.lines(found.box))
        panel.text(0.02, 0.98, text, transform=panel.transAxes, va="top", fontsize=7.5, color=theme.INK)
    panel.legend(loc="lower right", fontsize=8, frameon=False)
    return panel


class ReliabilityDisplay:
    """A diagram that can be drawn again and again, in the manner of scikit-learn's displays.

    After ``plot`` the attributes ``ax_`` and ``figure_`` hold what it was drawn on.
    """

    def __init__(self, found: reliability.Reliability, *, name: str | None = None) -> None:
        self.reliability = found
        self.name = name
        self.ax_: Axes | None = None
        self.figure_: Figure | None = None

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        scores: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        name: str | None = None,
        seed: int = 0,
        ax: Axes | None = None,
    ) -> Self:
        """Compute the diagram from labels and probabilities, draw it, and return the display.

        Raises
        ------
        ValueRangeError
            CAL-391 below the number of rows or labels that a diagram needs.
        """
        grid: summaries.Grid = "distinct" if np.size(scores) <= EXACT else "dyadic"
        summary = summaries.summarise(scores, y_true, weights=sample_weight, grid=grid)
        found = reliability.reliability(summary, rng=np.random.default_rng(seed))
        if isinstance(found, results.Insufficient):
            raise errors.ValueRangeError(
                "CAL-391",
                "there are too few rows for a reliability diagram",
                cause=str(found),
                fix="collect more labelled rows",
            )
        return cls(found, name=name).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None, bins: bool = True, histogram: bool = True, box: bool = False) -> Self:
        """Draw on an Axes, a new one if none is given."""
        self.ax_ = plot(self.reliability, ax=ax, bins=bins, histogram=histogram, box=box, name=self.name)
        self.figure_ = self.ax_.get_figure()  # type: ignore[assignment]  # an Axes just drawn on has a figure
        return self


def _new_axes() -> Axes:
    try:
        from matplotlib import pyplot
    except ImportError as missing:
        raise errors.MissingExtraError.of("matplotlib", needed_for="drawing with matplotlib") from missing
    _, axes = pyplot.subplots(figsize=(5.2, 5.6), layout="constrained")
    return axes


def _bins(found: reliability.Reliability, panel: Axes) -> None:
    bins = found.bins
    whiskers = np.stack([bins.rate - bins.rate_low, bins.rate_high - bins.rate])
    panel.errorbar(
        bins.score,
        bins.rate,
        yerr=np.maximum(whiskers, 0.0),
        fmt="o",
        ms=4,
        lw=1,
        color=theme.INK,
        mfc=theme.PAPER,
        label=diagram.BINS,
    )


def _histogram(found: reliability.Reliability, panel: Axes) -> None:
    """Scores by outcome above the panel: positives upward, negatives downward."""
    bars = found.histogram
    above = panel.inset_axes((0.0, 1.03, 1.0, 0.16), sharex=panel)
    width = bars.right - bars.left
    above.bar(bars.left, bars.positives, width, align="edge", color=theme.VERMILION, label="label 1")
    above.bar(bars.left, -bars.negatives, width, align="edge", color=theme.SKY, label="label 0")
    above.tick_params(labelbottom=False)
    above.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    above.set_ylabel("rows")
    above.spines[["top", "right"]].set_visible(False)
    above.legend(loc="lower right", fontsize=7, frameon=False, ncols=2)
