"""Colours, letters and axes that all charts share.

The colours are those of Okabe and Ito (2008), which people with any of the common colour-vision deficiencies can
tell apart; whatever colour says is also said by shape, dash or position. The letters are Arial by name: the
drawing library carries Liberation Sans, which has the same widths, so nothing is fetched and nothing shifts.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators import scales
from calibrant.evidence import reliability

Spec = dict[str, Any]
Floats = NDArray[np.float64]

BLUE = "#0072b2"
SKY = "#56b4e9"
GREEN = "#009e73"
ORANGE = "#e69f00"
VERMILION = "#d55e00"
PURPLE = "#b5578d"
BAND = "#a3afbd"
INK = "#1b242e"
QUIET = "#52606d"
LINE = "#d9dfe6"
PAPER = "#ffffff"

#: For a page with a dark side: what the colours of a drawing become there, by way of CSS variables.
VARIABLES = {INK: "--ink", QUIET: "--quiet", LINE: "--line", PAPER: "--paper", BLUE: "--blue", BAND: "--band"}

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
FONT = "Arial, Liberation Sans, Helvetica, sans-serif"

#: Characters that change the direction of what follows them, and categories of characters that nobody can see.
TURNERS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
UNDRAWABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: Longest label drawn whole.
LONGEST = 28
#: Ticks of the logit axis.
LOGIT_TICKS = (1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999, 0.9999, 1 - 1e-5, 1 - 1e-6)


def config() -> Spec:
    """The look of every chart. ARIA per mark is off: the drawing as a whole has a title and a description."""
    title = {"anchor": "start", "frame": "bounds", "fontSize": 16, "fontWeight": 600, "color": INK, "offset": 14}
    label = {"labelFontSize": 12, "titleFontSize": 12.5, "labelColor": QUIET, "titleColor": INK}
    return {
        "font": FONT,
        "aria": False,
        "background": PAPER,
        "padding": 8,
        "view": {"stroke": None},
        "title": {**title, "subtitleFontSize": 12.5, "subtitleColor": QUIET, "subtitlePadding": 5, "lineHeight": 20},
        "axis": {
            **label,
            "titleFontWeight": 500,
            "titlePadding": 8,
            "gridColor": LINE,
            "domainColor": LINE,
            "tickColor": LINE,
            "tickSize": 4,
            "labelPadding": 4,
        },
        "header": {"labelFontSize": 12.5, "labelFontWeight": 600, "labelColor": INK, "labelAnchor": "start"},
        "legend": {**label, "titleFontWeight": 500, "orient": "top", "direction": "vertical", "offset": 6},
        "text": {"color": INK, "fontSize": 12.5},
    }


def top(body: Spec, *, title: str | None, subtitle: list[str] | None = None) -> Spec:
    """A whole spec: schema, look and title around the body."""
    spec: Spec = {"$schema": SCHEMA, "config": config()}
    if title is not None:
        spec["title"] = {"text": plain(title, longest=80)}
        lines = [plain(line, longest=160) for line in subtitle or [] if line]
        if lines:
            spec["title"]["subtitle"] = lines
    return spec | body


def legend(*, columns: int) -> Spec:
    """A legend of opaque squares above the panel."""
    return {
        "title": None,
        "columns": columns,
        "symbolType": "square",
        "symbolSize": 90,
        "symbolOpacity": 1,
        "symbolStrokeWidth": 0,
        "labelLimit": 0,
    }


def plain(text: str, *, longest: int = LONGEST) -> str:
    """Text that can be drawn as it is: no control or direction-changing characters, not longer than it may be."""
    kept = "".join("?" if each in TURNERS or unicodedata.category(each) in UNDRAWABLE else each for each in text)
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


def values(**columns: Any) -> Spec:
    """Columns as the inline data of a spec; numbers keep seven digits, what is not finite becomes null."""
    lists = {name: [_cell(value) for value in column] for name, column in columns.items()}
    return {"values": [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]}


def _cell(value: Any) -> Any:
    if isinstance(value, str | bool):
        return value
    number = float(value)
    return float(f"{number:.7g}") if np.isfinite(number) else None


def number(value: float) -> str:
    """Three significant digits as people write them: .236 becomes 0.236, 0.00001 becomes 1e-05."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:.2g}"


def p_value(p: float) -> str:
    """Two digits, and a bound where digits mean nothing."""
    return "< 1e-15" if p < 1e-15 else f"{p:.2g}"


class Ruler:
    """Where a probability lies on an axis: linear, or linear in log-odds with the ends cut off where data end."""

    def __init__(self, axis: reliability.Axis, low: float, high: float) -> None:
        self.axis = axis
        self.low, self.high = (0.0, 1.0) if axis == "probability" else (low, high)

    @classmethod
    def of(cls, *found: reliability.Reliability) -> Ruler:
        """The axis that holds all these diagrams; the first one says of which kind it is."""
        lowest = min(float(each.curve.score[0]) for each in found)
        highest = max(float(each.curve.score[-1]) for each in found)
        # of n rows none can tell a probability below a tenth of 1 / n from zero
        edge = 0.1 / max(each.box.n for each in found)
        return cls(found[0].axis, max(lowest / 2, edge), min((1 + highest) / 2, 1 - edge))

    def place(self, p: Floats) -> Floats:
        """Probabilities to positions."""
        if self.axis == "probability":
            return np.asarray(p, np.float64)
        return scales.logit(np.clip(p, self.low, self.high))

    @property
    def domain(self) -> list[float]:
        ends = self.place(np.array([self.low, self.high]))
        return [float(end) for end in ends]

    def scale(self) -> Spec:
        return {"domain": self.domain, "nice": False, "zero": False, "clamp": True}

    def ticks(self, *, few: bool = False) -> Spec:
        """Axis properties: where the ticks stand and what they say."""
        if self.axis == "probability":
            return {"values": [0, 0.5, 1] if few else [0, 0.2, 0.4, 0.6, 0.8, 1], "format": ".1~f"}
        inside = [tick for tick in LOGIT_TICKS if self.low <= tick <= self.high]
        shown = [tick for tick in inside if tick in (0.001, 0.05, 0.5, 0.99)] if few else inside
        chosen = shown or inside
        at = scales.logit(np.array(chosen))
        # one branch a tick: an axis label knows its position only
        say = "".join(f"datum.value < {at[i] + 1e-6:.7f} ? '{chosen[i]:.7g}' : " for i in range(len(chosen)))
        return {"values": [float(f"{value:.9g}") for value in at], "labelExpr": say + "''", "labelOverlap": True}
