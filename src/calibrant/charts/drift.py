"""Two windows side by side: where the scores lie, and what a score means, in the reference and now."""

from __future__ import annotations

import numpy as np

from calibrant.charts import chart, diagram, held_out, theme
from calibrant.evidence import reliability

REFERENCE = "reference"
CURRENT = "current"


def draw(
    reference: reliability.Reliability,
    current: reliability.Reliability,
    *,
    title: str | None = "Reference and current window",
    width: int = 440,
) -> chart.Chart:
    """Draw both score distributions as shares above, both reliability curves below, on one axis.

    Both diagrams should be computed on one axis; shares are per bar, so bars of both must be the same.
    """
    ruler = theme.Ruler.of(reference, current)
    shares = {REFERENCE: _shares(reference.histogram), CURRENT: _shares(current.histogram)}
    scale = {"domain": [REFERENCE, CURRENT], "range": [theme.VERMILION, theme.BLUE]}
    upper = {
        "width": width,
        "height": 120,
        "layer": [
            _steps(reference.histogram, shares[REFERENCE], ruler, REFERENCE, scale),
            _steps(current.histogram, shares[CURRENT], ruler, CURRENT, scale),
        ],
    }
    lower_layers = [
        diagram.band(current.curve, ruler),
        diagram.diagonal(ruler),
        diagram.interval(reference.curve, ruler, colour=theme.VERMILION),
        diagram.interval(current.curve, ruler),
        diagram.line(reference.curve, ruler, colour=theme.VERMILION, dash=(6, 3), thick=2),
        diagram.line(current.curve, ruler),
    ]
    title_x = "score" if ruler.axis == "probability" else "score (log-odds scale)"
    lower_layers[0]["encoding"]["x"] = diagram.x(ruler, title=title_x)
    lower = {"width": width, "height": width, "layer": lower_layers}
    body = {"vconcat": [upper, lower], "spacing": 14, "bounds": "flush"}
    names = (REFERENCE, CURRENT)
    spec = theme.top(body, title=title)
    return chart.Chart(spec, describe(reference, current), held_out.table(names, reference, current))


def describe(reference: reliability.Reliability, current: reliability.Reliability) -> str:
    first, second = reference.box, current.box
    return (
        f"Score distributions and reliability curves of {first.n:,} reference rows and {second.n:,} current rows. "
        f"Mean score {theme.number(first.mean_score)} then {theme.number(second.mean_score)}; base rate "
        f"{theme.number(first.base_rate.value)} then {theme.number(second.base_rate.value)}."
    )


def _shares(bars: reliability.Histogram) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    weight = bars.positives + bars.negatives
    return np.asarray(weight / weight.sum())


def _steps(
    bars: reliability.Histogram, share: theme.Floats, ruler: theme.Ruler, name: str, scale: theme.Spec
) -> theme.Spec:
    """The outline of a histogram, so that two can lie over each other."""
    edges = ruler.place(np.append(bars.left, bars.right[-1]))
    data = theme.values(x=edges, y=np.append(share, share[-1]))
    colour = theme.VERMILION if name == REFERENCE else theme.BLUE
    outline = {"color": colour, "strokeWidth": 2, "strokeDash": [6, 3] if name == REFERENCE else [1, 0]}
    up = {"field": "y", "type": "quantitative", "axis": {"title": "share of rows", "format": ".0%", "tickCount": 3}}
    return {
        "data": data,
        "mark": {"type": "area", "interpolate": "step-after", "opacity": 0.3, "color": colour, "line": outline},
        "encoding": {
            "x": diagram.x(ruler, title=None, labels=False),
            "y": up,
            "color": {"datum": name, "type": "nominal", "scale": scale, "legend": theme.legend(columns=2)},
        },
    }
