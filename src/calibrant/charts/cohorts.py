"""Small multiples: one little diagram a cohort, the strongest evidence first, the global curve grey behind each."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from calibrant.charts import chart, diagram, theme
from calibrant.evidence import reliability


@dataclass(frozen=True, slots=True)
class Panel:
    """One cohort: its name, its diagram, and the p-value of its miscalibration adjusted for the number of cohorts."""

    name: str
    found: reliability.Reliability
    p_adjusted: float


def draw(
    panels: Sequence[Panel],
    overall: reliability.Reliability,
    *,
    columns: int = 4,
    width: int = 150,
    most: int = 24,
    title: str | None = "Cohorts, strongest evidence first",
) -> chart.Chart:
    """Draw at most ``most`` cohorts; how many are left out is said in the subtitle."""
    shown = ordered(panels)[:most]
    ruler = theme.Ruler.of(overall, *(panel.found for panel in shown))
    left_out = f"{len(panels) - len(shown)} more cohorts are in the table." if len(panels) > len(shown) else ""
    body = {
        "concat": [_panel(panel, overall, ruler, width) for panel in shown],
        "columns": columns,
        "spacing": {"row": 14, "column": 12},
    }
    says = (
        "blue: the cohort; thin grey line: all rows; grey area: where a perfect model of this size would stay; "
        "p: adjusted for the number of cohorts"
    )
    spec = theme.top(body, title=title, subtitle=[*_wrapped(says, columns * width), left_out])
    return chart.Chart(spec, describe(shown), table(shown))


def ordered(panels: Sequence[Panel]) -> list[Panel]:
    """The strongest evidence first; ties by name."""
    return sorted(panels, key=lambda panel: (panel.p_adjusted, panel.name))


def single(panel: Panel, overall: reliability.Reliability, ruler: theme.Ruler, *, width: int = 130) -> chart.Chart:
    """One of the panels as a chart of its own, for a page that arranges them itself."""
    body = _panel(panel, overall, ruler, width)
    alt = f"Cohort {theme.plain(panel.name, longest=80)}: {diagram.describe(panel.found)}"
    spec = theme.top(body, title=None)
    spec["config"]["padding"] = 2
    return chart.Chart(spec, alt, table([panel]))


def describe(shown: Sequence[Panel]) -> str:
    if not shown:
        return "No cohort has enough rows for a diagram."
    strong = [panel.name for panel in shown if panel.p_adjusted < 0.05]
    said = f"{len(strong)} of {len(shown)} cohorts shown depart from calibration at an adjusted p below 0.05"
    return said + (f", most clearly {theme.plain(strong[0])}." if strong else ".")


def table(shown: Sequence[Panel]) -> pa.Table:
    """All curves, one row a cohort and score."""
    frames = [
        panel.found.to_frame().add_column(
            0, "cohort", pa.array([panel.name] * len(panel.found.curve.score), pa.string())
        )
        for panel in shown
    ]
    return pa.concat_tables(frames) if frames else pa.table({"cohort": pa.array([], pa.string())})


def _panel(panel: Panel, overall: reliability.Reliability, ruler: theme.Ruler, width: int) -> theme.Spec:
    curve = panel.found.curve
    layers = [
        diagram.band(curve, ruler, few=True),
        diagram.diagonal(ruler),
        diagram.line(overall.curve, ruler, colour=theme.QUIET, thick=1),
        diagram.interval(curve, ruler),
        diagram.line(curve, ruler, thick=2),
    ]
    p = "p < 0.001" if panel.p_adjusted < 0.001 else f"p = {panel.p_adjusted:.2g}"
    name = {
        "text": theme.plain(panel.name, longest=max(8, width // 8)),
        "subtitle": f"n = {panel.found.box.n:,} · {p}",
        "fontSize": 13,
        "subtitleFontSize": 12,
        "subtitlePadding": 2,
        "offset": 6,
        "frame": "group",
    }
    return {"title": name, "width": width, "height": width, "layer": layers}


def _wrapped(text: str, width: int) -> list[str]:
    """Lines that fit into a width in pixels; a letter of a subtitle is about 6 pixels wide."""
    return textwrap.wrap(text, max(30, int(width / 6)))


def thin(found: reliability.Reliability, points: int = 60) -> reliability.Reliability:
    """The same diagram with at most so many points on its curve: small panels need no more."""
    size = len(found.curve.score)
    if size <= points:
        return found
    kept = np.unique(np.linspace(0, size - 1, points).round().astype(int))
    fields = dataclasses.fields(found.curve)
    curve = reliability.Curve(**{field.name: getattr(found.curve, field.name)[kept] for field in fields})
    return dataclasses.replace(found, curve=curve)
