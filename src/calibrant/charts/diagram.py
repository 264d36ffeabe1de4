"""The reliability diagram: curve and interval, the band of a perfect model, bins, the scores by outcome, the box."""

from __future__ import annotations

import numpy as np

from calibrant.charts import chart, theme
from calibrant.evidence import reliability
from calibrant.stats import binned, results, smooth

CURVE = "observed rate (CORP)"
BAND = "where a perfect model would stay"
SMOOTH = "smoothed rate"
BINS = "bins with Wilson intervals"


def draw(
    found: reliability.Reliability,
    *,
    title: str | None = "Reliability diagram",
    width: int = 440,
    box: bool = True,
    bins: bool = True,
) -> chart.Chart:
    """Draw a diagram; ``width`` in pixels is that of the panel, ``box`` puts the numbers beside it."""
    ruler = theme.Ruler.of(found)
    plots: theme.Spec = {
        "vconcat": [panel(found, ruler, width=width, bins=bins), histogram(found, ruler, width=width)],
        "spacing": 14,
        "bounds": "flush",
        "resolve": {"scale": {"color": "independent"}},
    }
    body: theme.Spec = {"hconcat": [plots, numbers(found)], "spacing": 28} if box else plots
    spec = theme.top(body, title=title, subtitle=[str(found.caption)])
    return chart.Chart(spec, describe(found), found.to_frame())


def panel(found: reliability.Reliability, ruler: theme.Ruler, *, width: int, bins: bool = True) -> theme.Spec:
    """The main panel."""
    layers = [band(found.curve, ruler), diagonal(ruler), interval(found.curve, ruler)]
    names, colours = [CURVE, BAND], [theme.BLUE, theme.BAND]
    if found.smooth is not None:
        layers.append(smoothed(found.smooth, ruler))
        names, colours = [*names, SMOOTH], [*colours, theme.GREEN]
    layers.append(line(found.curve, ruler))
    if bins:
        layers += points(found.bins, ruler)
        names, colours = [*names, BINS], [*colours, theme.INK]
    legend = theme.legend(columns=1 if width < 400 else 2)
    colour = {"datum": CURVE, "type": "nominal", "scale": {"domain": names, "range": colours}, "legend": legend}
    layers[0]["encoding"]["color"] = colour | {"datum": BAND}
    return {"width": width, "height": width, "layer": layers}


def x(ruler: theme.Ruler, *, title: str | None, few: bool = False, labels: bool = True) -> theme.Spec:
    axis = ruler.ticks(few=few) | {"title": title, "labels": labels, "ticks": labels}
    return {"field": "x", "type": "quantitative", "scale": ruler.scale(), "axis": axis}


def y(ruler: theme.Ruler, *, title: str | None, few: bool = False, field: str = "y") -> theme.Spec:
    axis = ruler.ticks(few=few) | {"title": title}
    return {"field": field, "type": "quantitative", "scale": ruler.scale(), "axis": axis}


def band(curve: reliability.Curve, ruler: theme.Ruler, *, few: bool = False) -> theme.Spec:
    """Where a perfect model would stay; it carries the axes."""
    data = theme.values(x=ruler.place(curve.score), low=ruler.place(curve.band_low), high=ruler.place(curve.band_high))
    title = None if few else "observed rate"
    return {
        "data": data,
        "mark": {"type": "area", "opacity": 0.45, "color": theme.BAND, "clip": True},
        "encoding": {
            "x": x(ruler, title=None, few=few, labels=few),
            "y": y(ruler, title=title, few=few, field="low"),
            "y2": {"field": "high"},
        },
    }


def diagonal(ruler: theme.Ruler) -> theme.Spec:
    low, high = ruler.domain
    mark = {"type": "line", "color": theme.QUIET, "strokeDash": [5, 4], "strokeWidth": 1}
    return {"data": theme.values(x=[low, high], y=[low, high]), "mark": mark, "encoding": _xy()}


def interval(curve: reliability.Curve, ruler: theme.Ruler, *, colour: str = theme.BLUE) -> theme.Spec:
    """The interval of the curve."""
    data = theme.values(x=ruler.place(curve.score), y=ruler.place(curve.low), high=ruler.place(curve.high))
    mark = {"type": "area", "opacity": 0.22, "color": colour, "clip": True}
    return {"data": data, "mark": mark, "encoding": _xy() | {"y2": {"field": "high"}}}


def line(
    curve: reliability.Curve,
    ruler: theme.Ruler,
    *,
    colour: str = theme.BLUE,
    dash: tuple[int, ...] = (),
    thick: float = 2.5,
) -> theme.Spec:
    data = theme.values(x=ruler.place(curve.score), y=ruler.place(curve.rate))
    mark = {"type": "line", "color": colour, "strokeWidth": thick, "strokeDash": list(dash), "clip": True}
    return {"data": data, "mark": mark, "encoding": _xy()}


def smoothed(curve: smooth.Curve, ruler: theme.Ruler) -> theme.Spec:
    data = theme.values(x=ruler.place(curve.score), y=ruler.place(curve.rate))
    mark = {"type": "line", "color": theme.GREEN, "strokeWidth": 1.5, "strokeDash": [2, 2], "clip": True}
    return {"data": data, "mark": mark, "encoding": _xy()}


def points(bins: binned.Bins, ruler: theme.Ruler) -> list[theme.Spec]:
    """The second layer: a point and a whisker a bin, in marks that a page can switch off by their name."""
    data = theme.values(
        x=ruler.place(bins.score),
        y=ruler.place(bins.rate),
        low=ruler.place(bins.rate_low),
        high=ruler.place(bins.rate_high),
    )
    whisker = {"type": "rule", "color": theme.INK, "strokeWidth": 1, "clip": True}
    point = {"type": "point", "color": theme.INK, "fill": theme.PAPER, "size": 30, "strokeWidth": 1.3, "opacity": 1}
    ends = _xy() | {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}
    return [
        {"name": "whiskers", "data": data, "mark": whisker, "encoding": ends},
        {"name": "points", "data": data, "mark": point, "encoding": _xy()},
    ]


def histogram(found: reliability.Reliability, ruler: theme.Ruler, *, width: int, height: int = 84) -> theme.Spec:
    """Scores by outcome: positives upward, negatives downward, on one scale."""
    bars = found.histogram
    kinds = ("label 1", "label 0")
    data = theme.values(
        left=np.tile(ruler.place(bars.left), 2),
        right=np.tile(ruler.place(bars.right), 2),
        count=np.concatenate([bars.positives, -bars.negatives]),
        outcome=np.repeat(kinds, len(bars.left)).tolist(),
    )
    legend = theme.legend(columns=2) | {"orient": "bottom", "offset": 4}
    along = x(ruler, title="score" if ruler.axis == "probability" else "score (log-odds scale)") | {"field": "left"}
    up = {"title": "rows", "tickCount": 3, "labelExpr": "format(abs(datum.value), '~s')"}
    colours = {"domain": list(kinds), "range": [theme.VERMILION, theme.SKY]}
    return {
        "width": width,
        "height": height,
        "data": data,
        "mark": {"type": "rect", "stroke": theme.PAPER, "strokeWidth": 0.5},
        "encoding": {
            "x": along,
            "x2": {"field": "right"},
            "y": {"field": "count", "type": "quantitative", "axis": up},
            "y2": {"datum": 0},
            "color": {"field": "outcome", "type": "nominal", "scale": colours, "legend": legend},
        },
    }


def numbers(found: reliability.Reliability) -> theme.Spec:
    """The box as a panel of text."""
    rows = list(lines(found.box))
    data = theme.values(row=range(len(rows)), name=[name for name, _ in rows], value=[value for _, value in rows])
    place = {
        "field": "row",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [-0.6, len(rows) - 0.4], "reverse": True},
    }

    def text(field: str, left: int, **look: object) -> theme.Spec:
        mark = {"type": "text", "align": "left", "baseline": "middle", "fontSize": 12.5} | look
        return {
            "mark": mark,
            "encoding": {"x": {"value": left}, "y": place, "text": {"field": field, "type": "nominal"}},
        }

    layers = [text("name", 0, color=theme.QUIET), text("value", 132, color=theme.INK, fontWeight=600)]
    return {"data": data, "width": 300, "height": 25 * len(rows), "layer": layers}


def lines(box: reliability.Box) -> list[tuple[str, str]]:
    """Name and value of every number of the box, as words."""
    told = [
        ("rows", f"{box.n:,}"),
        ("base rate", say(box.base_rate)),
        ("mean score", theme.number(box.mean_score)),
        ("slope", say(box.slope)),
        ("intercept", say(box.intercept)),
        ("MCB − DSC + UNC", " ".join([short(box.mcb), "−", short(box.dsc), "+", short(box.unc)])),
        ("Brier score", theme.number(box.brier)),
        ("smECE", say(box.smece)),
        ("ECE", say(box.ece)),
        ("ECE if perfect", say(box.ece_if_perfect)),
        ("ECCE", say(box.ecce)),
    ]
    return [*told, ("p of ECCE", theme.p_value(box.ecce_p))] if box.ecce_p is not None else told


def say(measured: results.Measured) -> str:
    """A number with its interval, or what is missing."""
    if isinstance(measured, results.Insufficient):
        return str(measured)
    if measured.low is None or measured.high is None:
        return theme.number(measured.value)
    return f"{theme.number(measured.value)} [{theme.number(measured.low)}, {theme.number(measured.high)}]"


def short(measured: results.Measured) -> str:
    return "?" if isinstance(measured, results.Insufficient) else theme.number(measured.value)


def describe(found: reliability.Reliability) -> str:
    """The diagram in two sentences."""
    curve, box = found.curve, found.box
    outside = curve.outside
    text = (
        f"Reliability diagram of {box.n:,} rows with base rate {theme.number(box.base_rate.value)}: observed rate "
        f"against score from {theme.number(curve.score[0])} to {theme.number(curve.score[-1])}. "
    )
    if not outside.any():
        return text + f"The curve stays inside the {found.level:.0%} band of a perfectly calibrated model."
    gap = np.where(outside, curve.rate - curve.score, 0.0)
    worst = int(np.abs(gap).argmax())
    side = "above" if gap[worst] > 0 else "below"
    return text + (
        f"The curve leaves the {found.level:.0%} band of a perfectly calibrated model; farthest at score "
        f"{theme.number(curve.score[worst])}, where the observed rate is {theme.number(curve.rate[worst])}, "
        f"{side} the score."
    )


def _xy() -> theme.Spec:
    return {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}}
