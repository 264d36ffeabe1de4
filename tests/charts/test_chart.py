"""A chart draws itself, describes itself, gives its numbers away, and needs nobody for it."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from calibrant import charts, errors
from calibrant.charts import chart, diagram, theme

SVG = "{http://www.w3.org/2000/svg}"


def simple(text: str = "a") -> chart.Chart:
    """A chart of one point with a title."""
    spec = theme.top(
        {
            "data": theme.values(x=[1.0], name=[text]),
            "mark": {"type": "text", "clip": True},
            "encoding": {
                "x": {"field": "x", "type": "quantitative"},
                "text": {"field": "name", "type": "nominal"},
            },
        },
        title=text,
    )
    return chart.Chart(spec, f"one point called {text}", pa.table({"x": [1.0]}))


def test_the_drawing_is_described():
    """Role, label, title and description are there for those who do not see it."""
    root = ElementTree.fromstring(simple("A & B").svg())
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "A & B"
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title.text == "A & B"
    assert desc.text == "one point called A & B"
    assert root.attrib["aria-describedby"] == desc.attrib["id"]
    inside = [name for each in root.iter() if each is not root for name in each.attrib]
    assert not [name for name in inside if name == "role" or name.startswith("aria-")]


def test_hostile_text_stays_text():
    """Markup in names neither ends the drawing nor adds an element to it."""
    root = ElementTree.fromstring(simple('</svg><script>alert(1)</script>"').svg())
    assert [each.tag for each in root.iter() if "script" in each.tag] == []
    assert "<script>alert(1)" in "".join(root.itertext())
    assert ' role="x"' in "".join(ElementTree.fromstring(simple('a role="x"').svg()).itertext())


def test_png_is_a_bitmap_and_scales():
    """The bytes are a PNG whose width follows the scale."""
    small, large = simple().png(scale=1), simple().png(scale=2)
    assert small.startswith(b"\x89PNG")
    widths = [int.from_bytes(each[16:20], "big") for each in (small, large)]
    assert abs(widths[1] - 2 * widths[0]) <= 2


def test_two_drawings_on_one_page_share_no_name(case):
    """Clip paths of different charts have different names, and every reference finds its own."""
    first, second = charts.show(case.found).svg(), diagram.draw(case.after).svg()
    names = [set(re.findall(r'\bid="([^"]+)"', each)) for each in (first, second)]
    assert names[0]
    assert not names[0] & names[1]
    for drawn, known in zip((first, second), names, strict=True):
        assert set(re.findall(r"url\(#([^)]+)\)", drawn)) <= known


def test_nothing_is_loaded_from_elsewhere(case):
    """No address but names of the SVG language appears in the figure."""
    markup = charts.show(case.found).html()
    addresses = set(re.findall(r"https?://[^\s\"'<>]+", markup))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "<script" not in markup


def test_drawing_needs_no_network():
    """In a network namespace without any interface the same drawing comes out."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        assert os.environ.get("CI") != "true", "CI must allow a network namespace"
        pytest.skip("this machine allows no network namespace")
    code = (
        "from calibrant.charts import chart, theme; import pyarrow as pa;"
        "print(chart.Chart(theme.top({'data': {'values': [{}]}, 'mark': 'point'}, title='t'), 'a', pa.table({})).svg())"
    )
    command = ["unshare", "-rn", sys.executable, "-c", code]
    cut_off = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    spec = theme.top({"data": {"values": [{}]}, "mark": "point"}, title="t")
    assert cut_off.stdout.strip() == chart.Chart(spec, "a", pa.table({})).svg(), cut_off.stderr


def test_notebooks_get_the_spec_and_the_drawing():
    """The bundle holds the spec as data, the SVG, and the words."""
    bundle = simple()._repr_mimebundle_(include=None, exclude=None)
    assert bundle[chart.MIME]["$schema"] == theme.SCHEMA
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle["text/plain"] == "one point called a"
    json.dumps(bundle[chart.MIME], allow_nan=False)


def test_a_page_may_set_the_colours():
    """Inline drawings use variables for ink, line and paper; files keep plain colours."""
    assert f'fill="var(--ink, {theme.INK})"' in simple().inline()
    assert "var(--paper" in simple().inline()
    assert "var(" not in simple().svg()


@pytest.mark.parametrize("ending", [".svg", ".png", ".html", ".json"])
def test_save_by_ending(tmp_path, ending):
    """Each ending writes its own format."""
    written = simple().save(tmp_path / f"chart{ending}")
    starts = {".svg": b"<svg", ".png": b"\x89PNG", ".html": b"<!doctype html>", ".json": b"{"}
    assert written.read_bytes().startswith(starts[ending])


def test_save_refuses_other_endings(tmp_path):
    """An unknown ending is wrong use, and nothing is written."""
    with pytest.raises(errors.UsageError, match="CAL-491"):
        simple().save(tmp_path / "chart.bmp")
    assert list(tmp_path.iterdir()) == []


def test_the_download_is_the_table():
    """The data address holds the table as CSV, whatever is in it."""
    table = pa.table({"name": ["ä", 'say "hi", twice', "two\nlines"], "value": [1.5, None, -2.0]})
    head, body = chart.csv_uri(table).split(",", 1)
    assert head == "data:text/csv;charset=utf-8;base64"
    rows = list(csv.reader(io.StringIO(base64.b64decode(body).decode("utf-8-sig"), newline="")))
    assert rows == [["name", "value"], ["ä", "1.5"], ['say "hi", twice', ""], ["two\nlines", "-2.0"]]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1"])
def test_no_cell_is_a_formula(cell):
    """What a spreadsheet would run gets a quote before it; numbers keep their sign."""
    rows = list(csv.reader(io.StringIO(chart.csv_text(pa.table({"a": [cell], cell: [-1]})), newline="")))
    assert rows[1] == ["'" + cell, "-1"]
    assert rows[0][1] == "'" + cell
