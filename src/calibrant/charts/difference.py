"""The difference plot: observed rate less score, where small departures show that a square panel hides."""

from __future__ import annotations

import numpy as np

from calibrant.charts import chart, diagram, theme
from calibrant.evidence import reliability

CURVE = "observed rate less score"
TOLERANCE = "tolerance"


def draw(
    found: reliability.Reliability,
    *,
    tolerance: float | None = None,
    title: str | None = "Observed rate less score",
    width: int = 440,
    height: int = 220,
) -> chart.Chart:
    """Draw the curve less the diagonal, its interval, the band of a perfect model and, if given, the tolerance."""
    ruler, gap = theme.Ruler.of(found), found.difference
    x = ruler.place(gap.score)
    reach = _reach(gap, tolerance)
    names, colours = [CURVE, diagram.BAND], [theme.BLUE, theme.BAND]
    colour = {
        "datum": diagram.BAND,
        "type": "nominal",
        "scale": {"domain": names, "range": colours},
        "legend": theme.legend(columns=1 if width < 400 else 2),
    }
    axis = {"field": "low", "type": "quantitative", "scale": {"domain": [-reach, reach], "clamp": True}}
    axis["axis"] = {
        "title": "rate − score",
        "format": "+.2~r",
        "tickCount": 5,
        "labelExpr": "datum.value == 0 ? '0' : datum.label",
    }
    along = diagram.x(ruler, title="score" if ruler.axis == "probability" else "score (log-odds scale)")
    layers: list[theme.Spec] = [
        {
            "data": theme.values(x=x, low=gap.band_low, high=gap.band_high),
            "mark": {"type": "area", "opacity": 0.45, "color": theme.BAND, "clip": True},
            "encoding": {"x": along, "y": axis, "y2": {"field": "high"}, "color": colour},
        },
        {"data": theme.values(y=[0.0]), "mark": {"type": "rule", "color": theme.QUIET, "strokeDash": [5, 4]}}
        | _level(),
        {
            "data": theme.values(x=x, y=gap.low, high=gap.high),
            "mark": {"type": "area", "opacity": 0.22, "color": theme.BLUE, "clip": True},
            "encoding": _xy() | {"y2": {"field": "high"}},
        },
        {
            "data": theme.values(x=x, y=gap.rate),
            "mark": {"type": "line", "color": theme.BLUE, "strokeWidth": 2.5, "clip": True},
            "encoding": _xy(),
        },
    ]
    if tolerance is not None:
        mark = {"type": "rule", "color": theme.VERMILION, "strokeDash": [2, 3], "strokeWidth": 1.2}
        layers.insert(1, {"data": theme.values(y=[-tolerance, tolerance]), "mark": mark} | _level())
    subtitle = [] if tolerance is None else [f"dotted lines: tolerance of ±{theme.number(tolerance)}"]
    spec = theme.top({"width": width, "height": height, "layer": layers}, title=title, subtitle=subtitle)
    return chart.Chart(spec, describe(found), found.to_frame())


def describe(found: reliability.Reliability) -> str:
    gap = found.difference
    low, high = int(np.argmin(gap.rate)), int(np.argmax(gap.rate))
    return (
        "Difference plot: observed rate less score. It lies between "
        f"{theme.number(gap.rate[low])} at score {theme.number(gap.score[low])} and "
        f"{theme.number(gap.rate[high])} at score {theme.number(gap.score[high])}."
    )


def _reach(gap: reliability.Curve, tolerance: float | None) -> float:
    """Half the height of the panel: the curve always fits, wide intervals at the ends are cut off."""
    ends = np.abs(np.concatenate([gap.low, gap.high, gap.band_low, gap.band_high]))
    widest = max(float(np.abs(gap.rate).max()), float(np.quantile(ends, 0.9)), (tolerance or 0.0) * 1.5, 1e-6)
    return float(f"{min(1.1 * widest, 1.0):.3g}")


def _level() -> theme.Spec:
    return {"encoding": {"y": {"field": "y", "type": "quantitative"}}}


def _xy() -> theme.Spec:
    return {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}}
