"""Before and after on rows the map was not fitted on: two curves in one panel."""

from __future__ import annotations

import pyarrow as pa

from calibrant.charts import chart, diagram, theme
from calibrant.evidence import reliability

BEFORE = "before: raw scores"
AFTER = "after: calibrated scores"


def draw(
    before: reliability.Reliability,
    after: reliability.Reliability,
    *,
    title: str | None = "Held-out rows, before and after",
    width: int = 440,
    names: tuple[str, str] = (BEFORE, AFTER),
) -> chart.Chart:
    """Draw both curves with their intervals, and the band that a perfect model would keep to after the change."""
    ruler = theme.Ruler.of(before, after)
    legend = theme.legend(columns=1 if width < 460 else 3)
    shown = [*names, diagram.BAND]
    scale = {"domain": shown, "range": [theme.VERMILION, theme.BLUE, theme.BAND]}
    layers = [
        diagram.band(after.curve, ruler),
        diagram.diagonal(ruler),
        diagram.interval(before.curve, ruler, colour=theme.VERMILION),
        diagram.interval(after.curve, ruler),
        diagram.line(before.curve, ruler, colour=theme.VERMILION, dash=(6, 3), thick=2),
        diagram.line(after.curve, ruler),
    ]
    layers[0]["encoding"]["color"] = {"datum": diagram.BAND, "type": "nominal", "scale": scale, "legend": legend}
    title_x = "score" if ruler.axis == "probability" else "score (log-odds scale)"
    layers[0]["encoding"]["x"] = diagram.x(ruler, title=title_x)
    told = f"MCB {_mcb(before)} before, {_mcb(after)} after; Brier score {theme.number(before.box.brier)} before, "
    subtitle = told + f"{theme.number(after.box.brier)} after"
    body = {"width": width, "height": width, "layer": layers}
    spec = theme.top(body, title=title, subtitle=[subtitle] if width >= 400 else subtitle.split("; "))
    return chart.Chart(spec, describe(before, after), table(names, before, after))


def describe(before: reliability.Reliability, after: reliability.Reliability) -> str:
    return (
        f"Reliability curves of the same {after.box.n:,} held-out rows before and after calibration: Brier score "
        f"{theme.number(before.box.brier)} before and {theme.number(after.box.brier)} after; "
        f"{before.curve.outside.mean():.0%} of the curve lies outside the band before, "
        f"{after.curve.outside.mean():.0%} after."
    )


def table(names: tuple[str, str], *found: reliability.Reliability) -> pa.Table:
    frames = [
        each.to_frame().add_column(0, "curve", pa.array([name] * len(each.curve.score)))
        for name, each in zip(names, found, strict=True)
    ]
    return pa.concat_tables(frames)


def _mcb(found: reliability.Reliability) -> str:
    return diagram.short(found.box.mcb)
