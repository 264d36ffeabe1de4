"""The report page: complete, self-contained, safe with any name, and honest where data are missing."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import io
import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from calibrant.charts import page, rows, words
from calibrant.evidence import assess, reliability
from calibrant.stats import cohorts, results, summary

VOID = {"meta", "input", "br", "img", "link", "hr", "col"}


class Outline(HTMLParser):
    """What a browser would make of the page: elements with attributes, headings, texts of elements."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.strayed: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.strayed.append(tag)

    def handle_data(self, data):
        for tag in self.open:
            self.texts[tag][-1] += data


def outline(html: str) -> Outline:
    """Parse a page."""
    parser = Outline()
    parser.feed(html)
    parser.close()
    return parser


def full(case) -> page.Report:
    """A report with every section."""
    best, gain = results.Estimate(0.51, 0.50, 0.52, 0.95, "t"), results.Estimate(0.003, 0.001, 0.005, 0.95, "t")
    advice = page.Advice(
        sentence="Put the beta map in front of the threshold.",
        scheme="Five folds.",
        candidates=[
            page.Candidate("identity", best, results.Estimate(0.0), chosen=False, why="always a candidate"),
            page.Candidate(case.names[0], best, gain, chosen=True, why=case.names[1]),
        ],
        before=case.found,
        after=case.after,
        threshold="Act at 0.25 or more.",
        threshold_value=0.25,
        costs=case.curve,
    )
    comparison = page.Comparison(
        "The meaning of a score has changed.",
        [("PSI", results.Estimate(0.01), case.names[6]), ("KS", results.Insufficient(3, 50), "largest gap")],
        case.found,
        case.after,
    )
    return page.Report(
        title=case.names[7],
        evidence=case.evidence,
        overall=case.found,
        cohorts=case.cohorts,
        advice=advice,
        comparison=comparison,
        next_steps=["calibrant recommend rows.csv"],
        notes=["A note."],
        versions={"calibrant": "0.1.0"},
        made_at="2024-06-01",
    )


@pytest.fixture(scope="module")
def html(case) -> str:
    """The full page."""
    return page.render(full(case))


@pytest.fixture(scope="module")
def parsed(html) -> Outline:
    """The full page, parsed."""
    return outline(html)


def test_small_enough_to_send(html):
    """Below 2 MB."""
    assert len(html.encode()) < 2_000_000


def test_verdict_comes_first(parsed):
    """The first section heading is the verdict, the first sentence what was found."""
    assert "Miscalibrated" in parsed.texts["h2"][0]
    assert parsed.texts["section"][0].index("These scores are miscalibrated") < 60


@pytest.mark.parametrize(
    "heading",
    ["What a score means here", "Recommendation", "Cohorts", "Drift", "All rows in numbers", "Method"],
)
def test_sections(parsed, heading):
    """Every section is there."""
    assert heading in parsed.texts["h2"]


def test_nothing_comes_from_elsewhere(parsed):
    """No element loads or links anything but places on the page and data inside it."""
    for tag, attributes in parsed.elements:
        for name in ("src", "href", "xlink:href", "action", "poster", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:text/csv")), (tag, name, value)
        assert tag not in {"link", "iframe", "object", "embed", "img", "form", "base"}


def test_the_policy_names_every_script_and_style(html, parsed):
    """The hashes of the policy are those of the inline script and style, and nothing else may run."""
    policy = next(a["content"] for tag, a in parsed.elements if a.get("http-equiv") == "Content-Security-Policy")
    for kind in ("script", "style"):
        (text,) = re.findall(rf"<{kind}>(.*?)</{kind}>", html, flags=re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_no_inline_handler_or_style(parsed):
    """No attribute runs code, and none needs a style that the policy forbids."""
    for tag, attributes in parsed.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert "style" not in attributes, tag


def test_hostile_names_are_text(case, parsed):
    """Each name appears as text; none of them became an element, and no template ran in one."""
    assert parsed.strayed == []
    assert parsed.open == []
    assert sum(tag == "script" for tag, _ in parsed.elements) == 1
    assert sum(tag == "style" for tag, _ in parsed.elements) == 1
    listed = parsed.texts["bdi"]
    for name in case.names:
        assert name in listed
    assert "49" not in [text.strip() for text in listed]


def test_identifiers_are_unique(parsed):
    """No two elements share an id, and every reference finds one."""
    names = [a["id"] for _, a in parsed.elements if "id" in a]
    assert len(names) == len(set(names))
    for _, attributes in parsed.elements:
        for reference in ("aria-labelledby", "aria-describedby", "for"):
            assert attributes.get(reference) is None or attributes[reference] in names
        href = attributes.get("href") or ""
        assert not href.startswith("#") or href[1:] in names


def test_headings_step_by_one(parsed):
    """One first-level heading; no level is skipped."""
    levels = [int(tag[1]) for tag, _ in parsed.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_tables_can_be_read_aloud(parsed):
    """Every table has a caption, every heading cell a scope, every drawing a role and a label."""
    tags = [tag for tag, _ in parsed.elements]
    assert tags.count("table") == tags.count("caption") > 0
    assert all("scope" in a for tag, a in parsed.elements if tag == "th")
    assert all(a.get("role") == "img" and a.get("aria-label") for tag, a in parsed.elements if tag == "svg")
    landmarks = [a["aria-label"] for _, a in parsed.elements if a.get("role") == "region"]
    assert not set(landmarks) & set(parsed.texts["h2"])
    regions = [a for tag, a in parsed.elements if a.get("class") == "scroll"]
    assert all(a.get("tabindex") == "0" and a.get("aria-label") for a in regions)


def test_the_page_says_its_language_and_fits_a_phone(parsed):
    """Language, viewport and encoding are declared."""
    assert ("html", {"lang": "en"}) in parsed.elements
    assert any(a.get("name") == "viewport" for _, a in parsed.elements)


def test_cohort_download(case):
    """The download holds every cohort, as text that no spreadsheet runs."""
    table = rows.cohort_table(case.evidence)
    assert table.num_rows == len(case.names)
    assert sorted(table["carrier"].to_pylist()) == sorted(case.names)
    report = page.render(page.Report("t", case.evidence, case.found))
    body = re.search(r'download="cohorts.csv" href="data:[^,]*,([^"]*)"', report).group(1)
    lines = list(csv.reader(io.StringIO(base64.b64decode(body).decode("utf-8-sig"), newline="")))
    assert not [cell for line in lines for cell in line if cell.startswith(("=", "@"))]


def test_too_few_rows_are_said(case):
    """Without a diagram the page says why, and still stands."""
    few = summary.summarise([0.2, 0.7, 0.4], [0, 1, 0])
    found = reliability.reliability(few, rng=np.random.default_rng(0))
    html = page.render(page.Report("Three rows", assess.assess(few), found))
    parsed = outline(html)
    assert parsed.strayed == []
    assert "Not enough data" in parsed.texts["h2"][0]
    assert "insufficient: 3 rows, needs 50" in parsed.texts["p"][-2] + "".join(parsed.texts["p"])


def test_headlines(case):
    """One sentence for each verdict, with and without cohorts that differ from the whole."""
    evidence = case.evidence

    def of(whole: str, *members: str) -> str:
        def like(outcome: str):
            verdict = dataclasses.replace(evidence.overall.verdict, outcome=outcome)
            return dataclasses.replace(evidence.overall, verdict=verdict)

        found = tuple(assess.CohortEvidence({"c": str(i)}, like(each)) for i, each in enumerate(members))
        return rows.headline(dataclasses.replace(evidence, overall=like(whole), cohorts=found))

    assert of("calibrated") == "These scores are calibrated within the tolerance of 0.02."
    assert of("calibrated", "calibrated").endswith("No cohort was found to be off.")
    assert of("calibrated", "miscalibrated").endswith("but 1 of 1 cohorts is not.")
    assert of("miscalibrated", "miscalibrated", "calibrated").endswith("and so is 1 of 2 cohorts.")
    assert of("insufficient").startswith("There is not enough data")


def test_every_measure_has_its_meaning(case):
    """What is measured can be looked up: name and sentence, no key left over."""
    known = {meaning.key for meaning in words.MEASURES}
    assert set(case.evidence.overall.measures) <= known
    assert len(known) == len(words.MEASURES)
    listed = rows.number_rows(case.evidence.overall)
    assert all(row.meaning and row.name for row in listed)
    assert len(listed) >= 1 + len(case.evidence.overall.measures)


def test_many_cohorts_stay_small(case):
    """A thousand cohorts: the page stays below 2 MB, lists the strongest and counts the others."""
    rng = np.random.default_rng(3)
    group = np.arange(12_000) % 1_000
    scores = rng.beta(2, 5, 12_000)
    stacked = summary.summarise(scores, rng.random(12_000) < scores, groups=group)
    keys = tuple((f"cohort-{i:05d}",) for i in range(1_000))
    evidence = assess.assess(case.whole, cohorts.Cohorts(("name",), keys, stacked))
    html = page.render(page.Report("Many", evidence, case.found))
    assert len(html.encode()) < 2_000_000
    assert html.count('<tr><th scope="row"><bdi>') == rows.LISTED
    assert "600 cohorts with the weakest evidence" in html
