"""The forest plot: one number a cohort with its interval, against the value that a calibrated cohort would have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from calibrant.charts import chart, theme
from calibrant.stats import results


@dataclass(frozen=True, slots=True)
class Row:
    """A cohort and its estimate; one with too few rows is listed without a point."""

    name: str
    estimate: results.Measured
    n: int


def draw(
    rows: Sequence[Row],
    *,
    ideal: float,
    measure: str,
    overall: float | None = None,
    width: int = 340,
    most: int = 40,
    title: str | None = "By cohort",
) -> chart.Chart:
    """Draw rows in the order given; ``ideal`` is 1 for a slope and 0 for calibration in the large."""
    shown = rows[:most]
    found = [(row, row.estimate) for row in shown if isinstance(row.estimate, results.Estimate)]
    labels = _labels(shown, 22 if width >= 250 else 13)
    data = theme.values(
        name=[labels[id(row)] for row, _ in found],
        value=[estimate.value for _, estimate in found],
        low=[estimate.value if estimate.low is None else estimate.low for _, estimate in found],
        high=[estimate.value if estimate.high is None else estimate.high for _, estimate in found],
        side=[_side(estimate, ideal) for _, estimate in found],
    )
    low, high = _domain([estimate for _, estimate in found], ideal)
    across = {"type": "quantitative", "scale": {"domain": [low, high], "nice": False, "clamp": True}}
    names = {"axis": {"title": None, "labelLimit": 150, "grid": False, "ticks": False, "domain": False}}
    y = {"field": "name", "type": "nominal", "sort": None, "scale": {"domain": list(labels.values())}} | names
    colour = {
        "field": "side",
        "type": "nominal",
        "scale": {"domain": ["interval holds the ideal", "it does not"], "range": [theme.BLUE, theme.VERMILION]},
        "legend": theme.legend(columns=2),
    }
    shape = {"field": "side", "type": "nominal", "scale": {"range": ["circle", "diamond"]}, "legend": None}
    lines = [(ideal, theme.QUIET, [5, 4])] + ([] if overall is None else [(overall, theme.GREEN, [2, 2])])
    layers: list[theme.Spec] = [
        {
            "data": theme.values(at=[at]),
            "mark": {"type": "rule", "color": line, "strokeDash": dash},
            "encoding": {"x": {"field": "at"} | across | {"axis": {"title": measure, "tickCount": 5}}},
        }
        for at, line, dash in lines
    ]
    layers.append(
        {
            "data": data,
            "mark": {"type": "rule", "strokeWidth": 1.6, "clip": True},
            "encoding": {"x": {"field": "low"} | across, "x2": {"field": "high"}, "y": y, "color": colour},
        }
    )
    layers.append(
        {
            "data": data,
            "mark": {"type": "point", "filled": True, "size": 62, "opacity": 1, "clip": True},
            "encoding": {"x": {"field": "value"} | across, "y": y, "color": colour, "shape": shape},
        }
    )
    said = f"dashed: ideal {theme.number(ideal)}" + (
        "" if overall is None else f"; dotted: all rows {theme.number(overall)}"
    )
    body = {"width": width, "height": {"step": 22}, "layer": layers}
    spec = theme.top(body, title=title, subtitle=[said])
    return chart.Chart(spec, describe(rows, ideal, measure), table(rows))


def describe(rows: Sequence[Row], ideal: float, measure: str) -> str:
    found = [row.estimate for row in rows if isinstance(row.estimate, results.Estimate)]
    away = sum(_side(estimate, ideal) == "it does not" for estimate in found)
    told = f"{measure} of {len(found)} cohorts with intervals: "
    return told + f"{away} intervals do not hold the ideal {theme.number(ideal)}."


def table(rows: Sequence[Row]) -> pa.Table:
    found = [row.estimate if isinstance(row.estimate, results.Estimate) else None for row in rows]
    return pa.table(
        {
            "cohort": pa.array([row.name for row in rows], pa.string()),
            "n": pa.array([row.n for row in rows], pa.int64()),
            "value": pa.array([None if each is None else each.value for each in found], pa.float64()),
            "low": pa.array([None if each is None else each.low for each in found], pa.float64()),
            "high": pa.array([None if each is None else each.high for each in found], pa.float64()),
        }
    )


def _labels(rows: Sequence[Row], longest: int) -> dict[int, str]:
    """Drawable names, all different: names that were cut to the same text get a number."""
    seen: dict[str, int] = {}
    labels = {}
    for row in rows:
        text = theme.plain(row.name, longest=longest)
        seen[text] = seen.get(text, 0) + 1
        labels[id(row)] = text if seen[text] == 1 else f"{text} ({seen[text]})"
    return labels


def _side(estimate: results.Estimate, ideal: float) -> str:
    if estimate.low is None or estimate.high is None or estimate.low <= ideal <= estimate.high:
        return "interval holds the ideal"
    return "it does not"


def _domain(found: Sequence[results.Estimate], ideal: float) -> tuple[float, float]:
    """All points and most of the intervals: very wide ones are cut off at the frame."""
    points = np.array([estimate.value for estimate in found] + [ideal])
    ends = [abs(end - ideal) for each in found for end in (each.low, each.high) if end is not None]
    reach = max(float(np.abs(points - ideal).max()), float(np.quantile(ends, 0.9)) if ends else 0.0, 1e-3) * 1.08
    return ideal - reach, ideal + reach
