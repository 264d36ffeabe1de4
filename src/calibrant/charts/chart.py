"""A chart: one Vega-Lite spec, the words that stand for it, and the numbers behind it; drawn without a browser."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from calibrant import errors
from calibrant.charts import theme

#: The version of the grammar that specs are drawn with; the newest of major version 5 that every release knows.
GRAMMAR = "5.20"
MIME = "application/vnd.vegalite.v5+json"
#: Where the first part of a description ends.
_BREAK = re.compile(r"[:;.](?:\s|$)")
#: What the drawing library says of every single mark.
ROLES = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')
#: What a spreadsheet takes for the beginning of a formula, in either width.
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, eq=False)
class Chart:
    """A picture as data.

    Parameters
    ----------
    spec
        A Vega-Lite version 5 specification with its data inside.
    alt
        What the picture shows, in one or two sentences, for people who do not see it.
    table
        The numbers behind the picture.
    """

    spec: dict[str, Any]
    alt: str
    table: pa.Table

    @property
    def name(self) -> str:
        """A name made from the content: equal charts have equal names, on any machine."""
        text = json.dumps([self.spec, self.alt], sort_keys=True)
        return "c" + hashlib.sha256(text.encode()).hexdigest()[:10]

    def svg(self) -> str:
        """A drawing that stands alone, with title and description in it."""
        import vl_convert  # loads a JavaScript engine, only when something is drawn

        drawn = vl_convert.vegalite_to_svg(self.spec, vl_version=GRAMMAR, allowed_base_urls=[])
        return self._described(_own_names(_silent(drawn), self.name))

    def png(self, *, scale: float = 2.0) -> bytes:
        """A bitmap; ``scale`` 2 is sharp on most screens."""
        import vl_convert

        drawn: bytes = vl_convert.vegalite_to_png(self.spec, vl_version=GRAMMAR, scale=scale, allowed_base_urls=[])
        return drawn

    def inline(self) -> str:
        """The drawing for a page: its colours are variables that the page may set."""
        return _themed(self.svg())

    def html(self, *, data: bool = True) -> str:
        """An HTML figure: the drawing inline and, unless told otherwise, its table as a download."""
        caption = f"<figcaption>{self.download()}</figcaption>" if data else ""
        return f'<figure class="chart">{self.inline()}{caption}</figure>'

    def download(self, *, text: str = "Data of this chart (CSV)") -> str:
        """A link that holds the table itself."""
        return f'<a class="download" download="{self.name}.csv" href="{csv_uri(self.table)}">{html.escape(text)}</a>'

    def to_dict(self) -> dict[str, Any]:
        """The spec, for any other Vega-Lite tool."""
        return self.spec

    def save(self, path: str | Path) -> Path:
        """Write ``.svg``, ``.png``, ``.html`` or ``.json``, by the ending of the name."""
        path = Path(path)
        match path.suffix:
            case ".svg":
                path.write_text(self.svg(), encoding="utf-8")
            case ".png":
                path.write_bytes(self.png())
            case ".html":
                head = f'<!doctype html><meta charset="utf-8"><title>{html.escape(self.title)}</title>'
                path.write_text(head + self.html(), encoding="utf-8")
            case ".json":
                path.write_text(json.dumps(self.spec), encoding="utf-8")
            case ending:
                raise errors.UsageError(
                    "CAL-491",
                    f"a chart cannot be written as {ending or 'a file without ending'}",
                    cause=f"the name is {path.name}",
                    fix="end the name with .svg, .png, .html or .json",
                )
        return path

    @property
    def title(self) -> str:
        """The headline of the drawing, or the beginning of its description where it has none."""
        title = self.spec.get("title")
        return str(title["text"]) if isinstance(title, dict) else _BREAK.split(self.alt)[0]

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """What a notebook shows: the spec to those that can draw it, the SVG to all others."""
        return {MIME: self.spec, "image/svg+xml": self.svg(), "text/plain": self.alt}

    def _described(self, drawn: str) -> str:
        label = html.escape(self.title, quote=True)
        words = (
            f'<title id="{self.name}-title">{label}</title>'
            f'<desc id="{self.name}-desc">{html.escape(self.alt, quote=True)}</desc>'
        )
        root = re.match(r"<svg [^>]*>", drawn)
        assert root is not None, "a drawing begins with its root"
        opened = root[0][:-1] + f' role="img" aria-label="{label}" aria-describedby="{self.name}-desc">'
        return opened + words + drawn[root.end() :]


def _silent(drawn: str) -> str:
    """Without roles of single marks, which have no words: the drawing as a whole has a title and a description."""
    return re.sub(r"<[a-z][^<>]*>", lambda tag: ROLES.sub("", tag[0]), drawn)


def _own_names(drawn: str, name: str) -> str:
    """Clip paths and gradients are called the same in every drawing; on one page they need names of their own."""
    drawn = re.sub(r'(<\w+ [^>]*\bid=")(\w+")', rf"\1{name}-\2", drawn)
    return re.sub(r'(="url\(#)(\w+\)")', rf"\1{name}-\2", drawn)


def _themed(drawn: str) -> str:
    """Colours that mean ink, paper or line become CSS variables with the colour as fallback."""
    for colour, variable in theme.VARIABLES.items():
        drawn = re.sub(
            rf'(fill|stroke)="(?:{colour}|{NAMED.get(colour, colour)})"', rf'\1="var({variable}, {colour})"', drawn
        )
    return drawn


NAMED = {theme.PAPER: "white"}


def csv_text(table: pa.Table) -> str:
    """CSV that spreadsheets read as data only: a cell that they would take for a formula gets a quote before it.

    >>> csv_text(pa.table({"cohort": ["=1+1", "a,b"], "n": [1, -2]})).splitlines()
    ['cohort,n', "'=1+1,1", '"a,b",-2']
    """
    out = io.StringIO()
    writer = csv.writer(out)  # CRLF: only then is a lone CR in a cell quoted
    writer.writerow([_inert(name) for name in table.column_names])
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        writer.writerow([_inert(cell) for cell in row])
    return out.getvalue()


def csv_uri(table: pa.Table) -> str:
    """The table as a ``data:`` address, which works in a file without a network; safe inside an attribute."""
    encoded = base64.b64encode(b"\xef\xbb\xbf" + csv_text(table).encode("utf-8", "replace")).decode()
    return f"data:text/csv;charset=utf-8;base64,{encoded}"


def _inert(cell: object) -> object:
    if isinstance(cell, str) and cell.lstrip(" ").startswith(FORMULAS):
        return "'" + cell
    return "" if cell is None else cell
