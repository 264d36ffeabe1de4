"""The cost curve: what every threshold would cost a row, with its interval, and the threshold that was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from calibrant.charts import chart, theme

if TYPE_CHECKING:
    from calibrant.decisions import costs

#: Points drawn; a curve may hold one for every distinct score.
POINTS = 300


def draw(
    curve: costs.CostCurve,
    *,
    chosen: float | None = None,
    title: str | None = "Expected cost of every threshold",
    width: int = 440,
    height: int = 240,
) -> chart.Chart:
    """Draw expected cost per row against threshold; ``chosen`` is marked where it stands."""
    kept = np.unique(np.linspace(0, len(curve.thresholds) - 1, POINTS).round().astype(int))
    x, cost = np.minimum(curve.thresholds[kept], 1.0), curve.cost[kept]
    along = {"field": "x", "type": "quantitative", "scale": {"domain": [0, 1]}}
    along["axis"] = {"title": "threshold (act at this calibrated score or more)", "format": ".1~f"}
    up = {"field": "low", "type": "quantitative", "axis": {"title": "expected cost per row", "tickCount": 5}}
    layers: list[theme.Spec] = [
        {
            "data": theme.values(x=x, low=curve.low[kept], high=curve.high[kept]),
            "mark": {"type": "area", "opacity": 0.25, "color": theme.BLUE},
            "encoding": {"x": along, "y": up, "y2": {"field": "high"}},
        },
        {
            "data": theme.values(x=x, y=cost),
            "mark": {"type": "line", "color": theme.BLUE, "strokeWidth": 2.5},
            "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}},
        },
    ]
    if chosen is not None:
        layers += _mark(chosen, curve.at(chosen).value, height)
    spec = theme.top({"width": width, "height": height, "layer": layers}, title=title)
    frame = pa.table(
        {
            "threshold": curve.thresholds,
            "cost": curve.cost,
            "low": curve.low,
            "high": curve.high,
            "alert_rate": curve.alert_rate,
        }
    )
    return chart.Chart(spec, describe(curve, chosen), frame)


def describe(curve: costs.CostCurve, chosen: float | None) -> str:
    never, always = theme.number(curve.cost[-1]), theme.number(curve.cost[0])
    text = (
        f"Expected cost per row against threshold, with its {curve.level:.0%} interval: acting always costs {always}, "
    )
    text += f"never acting {never}"
    if chosen is None:
        return text + "."
    return text + f", the chosen threshold {theme.number(chosen)} costs {theme.number(curve.at(chosen).value)}."


def _mark(chosen: float, cost: float, height: int) -> list[theme.Spec]:
    left = chosen < 0.6
    place = {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}}
    data = theme.values(x=[chosen], y=[cost], text=[f"chosen: {theme.number(chosen)}"])
    label = {
        "type": "text",
        "align": "left" if left else "right",
        "dx": 8 if left else -8,
        "baseline": "bottom",
        "fontWeight": 600,
    }
    return [
        {
            "data": data,
            "mark": {"type": "rule", "color": theme.VERMILION, "strokeDash": [5, 3]},
            "encoding": {"x": place["x"]},
        },
        {
            "data": data,
            "mark": {"type": "point", "filled": True, "size": 80, "color": theme.VERMILION, "opacity": 1},
            "encoding": place,
        },
        {
            "data": data,
            "mark": label,
            "encoding": {"x": place["x"], "y": {"value": height - 6}, "text": {"field": "text", "type": "nominal"}},
        },
    ]
