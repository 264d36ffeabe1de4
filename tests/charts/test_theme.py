"""Colours that can be told apart and read, labels that can be drawn, axes that put numbers where they belong."""

from __future__ import annotations

import re
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.charts import theme


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2) of #rrggbb."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(first: str, second: str) -> float:
    """Contrast ratio (WCAG 2) of two colours."""
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def themes() -> dict[str, dict[str, str]]:
    """The variables of the light and the dark side of the page."""
    css = resources.files("calibrant.charts").joinpath("templates", "report.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, flags=re.S)[:2]
    found = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks]
    return {"light": found[0], "dark": found[0] | found[1]}


@pytest.mark.parametrize("side", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *(("ink", ground) for ground in ("paper", "ground")),
        *(("quiet", ground) for ground in ("paper", "ground")),
        *(("link", ground) for ground in ("paper", "ground")),
        *((verdict, ground) for verdict in ("good", "bad", "open") for ground in ("paper", f"{verdict}-soft")),
        ("ink", "good-soft"),
        ("quiet", "good-soft"),
    ],
)
def test_text_has_contrast(side, text, ground):
    """Text reaches 4.5 to 1 on every ground it stands on (WCAG 2 AA)."""
    colours = themes()[side]
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("side", ["light", "dark"])
def test_curves_have_contrast(side):
    """Lines that carry meaning reach 3 to 1 against the panel (WCAG 2 AA for graphics)."""
    colours = themes()[side]
    for line in (colours["blue"], theme.VERMILION, theme.GREEN):
        assert contrast(line, colours["paper"]) >= 3.0


def test_the_page_starts_from_the_colours_of_the_drawings():
    """On the light side variables have the colours that drawings fall back to."""
    colours = themes()["light"]
    assert {name: colours[variable[2:]] for name, variable in theme.VARIABLES.items()} == {
        name: name for name in theme.VARIABLES
    }


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("plain", "plain"),
        ("\u202egnp.exe", "?gnp.exe"),
        ("a\x00b\nc", "a?b?c"),
        ("می‌خواهم", "می‌خواهم"),
        ("x" * 40, "x" * 27 + "…"),
    ],
)
def test_labels_are_plain(text, drawn):
    """What turns the direction of text or cannot be seen is marked; joiners that words need stay."""
    assert theme.plain(text) == drawn


@given(st.floats(-1e9, 1e9))
def test_numbers_keep_three_digits(value):
    """Reading back what was written is off by half a unit of the third digit at most."""
    told = float(theme.number(value).replace(",", ""))
    assert told == pytest.approx(value, rel=0.051 if abs(value) < 1e-4 or abs(value) >= 1e6 else 5.1e-3, abs=1e-300)


def test_missing_numbers_become_null():
    """JSON knows no NaN and no infinity."""
    assert theme.values(x=[np.nan, np.inf, 1.0])["values"] == [{"x": None}, {"x": None}, {"x": 1.0}]


def test_logit_axis(case):
    """Equal odds ratios are equal steps, ends are cut off, ticks lie inside and say what they are."""
    ruler = theme.Ruler.of(case.rare)
    assert ruler.axis == "logit"
    place = ruler.place(np.array([0.01, 0.05, 0.2]))
    assert place == pytest.approx(np.log([1 / 99, 1 / 19, 1 / 4]))
    assert ruler.place(np.array([0.0, 1.0])).tolist() == pytest.approx(ruler.domain)
    ticks = ruler.ticks()
    low, high = ruler.domain
    assert all(low <= value <= high for value in ticks["values"])
    for value in ticks["values"]:
        assert f"'{1 / (1 + np.exp(-value)):.7g}'" in ticks["labelExpr"]


def test_linear_axis(case):
    """On the linear axis a probability lies where it is."""
    ruler = theme.Ruler.of(case.found)
    assert ruler.domain == [0.0, 1.0]
    assert ruler.place(np.array([0.25])).tolist() == [0.25]
