"""The page of an incident: whatever it is given is text, in HTML and in Markdown."""

from __future__ import annotations

import html.parser
import re

from calibrant.charts import incident_page as pages

EVIL = '"><img src=x onerror=alert(1)> | `code` **bold** [link](https://example.org) \n# heading'


def page(text: str) -> pages.Page:
    table = pages.Table(text, (text, "n"), [(text, "1")], text, text)
    return pages.Page(text, text, text, [(text, text)], (table,), (pages.Section(text, (text,), (text,)),))


class Tags(html.parser.HTMLParser):
    """Every element of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_html_shows_text_and_nothing_else() -> None:
    """No image, no handler: the elements are those of the page of harmless text."""
    evil, harmless = Tags(), Tags()
    evil.feed(pages.html(page(EVIL)))
    harmless.feed(pages.html(page("harmless")))
    assert evil.found == harmless.found
    assert evil.attributes == harmless.attributes
    assert not {"img", "script", "iframe", "link"} & evil.found


def test_markdown_keeps_its_form() -> None:
    """The same lines of the same kind, and each row has its two cells."""
    evil, harmless = pages.markdown(page(EVIL)).splitlines(), pages.markdown(page("harmless")).splitlines()
    assert len(evil) == len(harmless)
    for one, other in zip(evil, harmless, strict=True):
        assert len(re.findall(r"(?<!\\)\|", one)) == len(re.findall(r"(?<!\\)\|", other))
        assert not re.search(r"(?<!\\)[<`\[]", one.removeprefix("- [ ] "))


def test_an_empty_table_says_so() -> None:
    """Nothing happened is said, and no empty table is drawn."""
    made = pages.Page("t", "s", "h", [], (pages.Table("What", ("a",), [], "Nothing happened."),), ())
    assert "Nothing happened." in pages.html(made)
    assert "<table" not in pages.html(made)
    assert "Nothing happened." in pages.markdown(made)
