"""The report page in a real browser, opened from a file: no network, no errors, sorting by keyboard, two widths."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from calibrant.charts import page
from calibrant.evidence import assess, reliability
from calibrant.stats import cohorts, summary

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

try:
    from playwright import sync_api
except ImportError:  # the test extra brings it; a bare installation has none
    sync_api = None

HOSTILE = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "=1+1",
    "\u202egnp.exe",
    "مرحبا",
    "a name that is longer than any column of any table would like it to be",
)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report on disk whose cohorts have hostile names."""
    rng = np.random.default_rng(4)
    x = rng.normal(-1, 1.3, 2400)
    group = np.arange(2400) % len(HOSTILE)
    scores, labels = 1 / (1 + np.exp(-x)), rng.random(2400) < 1 / (1 + np.exp(-0.5 * x))
    keys = sorted(HOSTILE)
    place = np.array([keys.index(name) for name in HOSTILE])
    stacked = summary.summarise(scores, labels, groups=place[group])
    whole = summary.summarise(scores, labels)
    evidence = assess.assess(whole, cohorts.Cohorts(("name",), tuple((key,) for key in keys), stacked))
    found = {
        key: reliability.reliability(one, rng=rng, resamples=30, detail="panel")
        for key, one in zip(keys, stacked.groups(), strict=True)
    }
    overall = reliability.reliability(whole, rng=rng, resamples=30)
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page.render(page.Report(HOSTILE[0], evidence, overall, found)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window; a machine of continuous integration must have it."""
    if CHROMIUM is None or sync_api is None:
        missing = "chromium and the Python package playwright are needed here"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, report):
    """The page, open, with what it said and what it asked for."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    tab = context.new_page()
    tab.said, tab.asked = [], []
    tab.on("console", lambda message: tab.said.append(message.text))
    tab.on("pageerror", lambda error: tab.said.append(str(error)))
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.goto(report.as_uri())
    yield tab
    context.close()


def names(tab) -> list[str]:
    """The cohort column as it stands."""
    return tab.locator("#cohorts tbody th").all_inner_texts()


def test_no_errors_and_no_requests(opened, report):
    """The console is silent and the file itself is all that was read."""
    assert opened.said == []
    assert opened.asked == [report.as_uri()]


def test_hostile_names_do_nothing(opened):
    """No name ran, and all are there to read."""
    assert opened.evaluate("window.hacked === undefined")
    assert opened.locator("h1").inner_text() == HOSTILE[0]
    assert sorted(
        opened.evaluate("[...document.querySelectorAll('#cohorts tbody bdi')].map(e => e.textContent)")
    ) == sorted(HOSTILE)


def test_policy_stops_what_it_should(opened):
    """Even a script that got into the page would not run."""
    opened.evaluate(
        "const late = document.createElement('script');late.textContent = 'window.ran = 1';document.body.append(late);"
    )
    assert opened.evaluate("window.ran === undefined")


def test_sort_by_keyboard(opened):
    """Tab reaches the headings, Enter and Space sort up and down, the state is announced."""
    button = opened.get_by_role("button", name="Rows")
    button.focus()
    assert opened.evaluate("document.activeElement.matches('#cohorts th button')")
    counts = "[...document.querySelectorAll('#cohorts tbody tr')].map(r => +r.cells[2].dataset.order)"
    opened.keyboard.press("Enter")
    assert opened.evaluate(counts) == sorted(opened.evaluate(counts))
    head = opened.locator("#cohorts thead th").nth(2)
    assert head.get_attribute("aria-sort") == "ascending"
    opened.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert "descending" in opened.get_by_role("status").inner_text()
    opened.get_by_role("button", name="Cohort").press("Enter")
    listed = names(opened)
    assert listed == opened.evaluate("names => [...names].sort((a, b) => a.localeCompare(b))", listed)


def test_numbers_sort_as_numbers(opened):
    """Mean scores go up by value, not by their first digit."""
    opened.get_by_role("button", name="Mean score").press("Enter")
    values = opened.evaluate("[...document.querySelectorAll('#cohorts tbody tr')].map(r => +r.cells[4].dataset.order)")
    assert values == sorted(values)
    assert len(set(values)) == len(HOSTILE)


def test_bins_can_be_switched_off(opened):
    """The checkbox hides points and whiskers and brings them back."""
    points = opened.locator(".wide .points_marks").first
    assert points.is_visible()
    opened.get_by_label("Show the bins").press("Space")
    assert not points.is_visible()
    opened.get_by_label("Show the bins").press("Space")
    assert points.is_visible()


def test_downloads_work_without_a_network(opened):
    """The table comes out of the page itself."""
    with opened.expect_download() as download:
        opened.get_by_text("Cohort table (CSV)").click()
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    assert text.startswith("name,n,base_rate")
    assert "'=1+1" in text


@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_its_width(opened, width):
    """No sideways scrolling of the page, and letters of the drawings stay at 11 pixels or more."""
    opened.set_viewport_size({"width": width, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    smallest = opened.evaluate(
        """() => Math.min(...[...document.querySelectorAll('figure.chart svg')]
             .filter(svg => svg.getClientRects().length)
             .flatMap(svg => {
                 const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
                 const texts = [...svg.querySelectorAll('text')];
                 const sizes = texts.map(text => parseFloat(text.getAttribute('font-size')));
                 return sizes.map(size => scale * size);
             }))"""
    )
    assert smallest >= 11
