"""The page of an incident and the draft of its postmortem, as HTML and as Markdown from the same plain values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from calibrant.charts import templating


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a heading; the first column names the row. ``empty`` is said where there are no rows."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    empty: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the draft: what is known already, and what people are to write."""

    title: str
    known: Sequence[str]
    asks: Sequence[str]


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that is shown; all of it is text."""

    title: str
    subtitle: str
    headline: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    draft: Sequence[Section]


def html(page: Page) -> str:
    """One file without scripts or anything from elsewhere."""
    css = templating.part("report.css")
    return templating.template("incident.html").render(page=page, css=css, policy=templating.policy(css))


def markdown(page: Page) -> str:
    """The draft first, as people go on writing it, then what it rests on."""
    return "\n".join(_lines(page)).rstrip() + "\n"


def _lines(page: Page) -> Iterator[str]:
    yield f"# {plain(page.title)}"
    yield from ("", plain(page.subtitle), "", f"**{plain(page.headline)}**", "")
    for name, value in page.facts:
        yield f"- {plain(name)}: {plain(value)}"
    for section in page.draft:
        yield from ("", f"## {plain(section.title)}", "")
        yield from (f"- {plain(one)}" for one in section.known)
        yield from (f"- [ ] *{plain(one)}*" for one in section.asks)
    for table in page.tables:
        yield from ("", f"## {plain(table.title)}", "")
        if table.note:
            yield from (plain(table.note), "")
        if not table.rows:
            yield plain(table.empty)
            continue
        yield _row(table.head)
        yield _row(["---"] * len(table.head), escaped=True)
        yield from (_row(row) for row in table.rows)


def _row(cells: Iterable[str], *, escaped: bool = False) -> str:
    return "| " + " | ".join(one if escaped else plain(one) for one in cells) + " |"


def plain(text: str) -> str:
    """Text that Markdown shows as it is: on one line, with nothing that it would read as markup or as HTML.

    >>> plain("a|b <i> *c*")
    'a\\\\|b \\\\<i\\\\> \\\\*c\\\\*'
    """
    return re.sub(r"([\\`*_{}\[\]<>#|!~&])", r"\\\1", " ".join(text.split()))
