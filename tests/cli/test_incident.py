"""``calibrant incident``: timeline, numbers as served then and now, and a draft that escapes what people said."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from calibrant.slo import alerts as recorded
from calibrant.slo import labels
from calibrant.testing import drift, made_up
from calibrant.workflow import alerts, promotions

DAY_US = made_up.DAY_US
YAML = """\
apiVersion: calibrant/v1
kind: Stream
metadata: {name: fraud, owner: team, runbook: "https://example.org", description: Blocks payments.}
spec:
  labels: {horizon: 1d, terminal: [0, 1]}
  cohorts: [{field: carrier, cap: 50}]
  policies:
    watch: {tolerance: 0.1, silence: 3h}
"""
SAID = "<script>alert(1)</script> | *it* hurts"


@pytest.fixture(scope="module")
def feed() -> drift.Feed:
    return drift.Feed.made(4_000, rng=np.random.default_rng(3), days=10, delay_days=0.5)


def _moved(table: pa.Table, begin_us: int) -> pa.Table:
    """The same events at another time, without those of half a day."""
    at = table["at_us"].to_numpy() - made_up.START_US + begin_us
    place = table.schema.get_field_index("at_us")
    return table.set_column(place, table.schema.field(place), pa.array(at))


@pytest.fixture
def office_then(office: Any, feed: drift.Feed) -> Any:
    """Ten days of events with a gap of half a day; on the sixth a map that hurts was promoted, and taken back on the
    eighth, two hours after an alert."""
    path = office.project.path_of("fraud")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(YAML)
    begin = office.now
    office.begun = begin
    office.clock.advance(days=5)
    office.promote(office.signed(1), reason=SAID)
    office.clock.advance(days=2)
    alert(office)
    office.clock.advance(days=2 / 24)
    with office.open("otto") as (book, otto):
        promotions.rollback(book, "fraud/production", by=otto, reason="alarms doubled")
    predictions, known = _moved(feed.predictions, begin), _moved(feed.labels, begin)
    at = predictions["at_us"].to_numpy()
    predictions = predictions.filter((at < begin + 6 * DAY_US) | (at >= begin + 6.5 * DAY_US))
    with office.project.open_store() as store:
        for day in range(1, 12):
            now = begin + day * DAY_US
            for table, append in ((predictions, store.append_predictions), (known, store.append_labels)):
                when = table["at_us"].to_numpy()
                part = table.filter((when >= now - DAY_US) & (when < now))
                append("fraud", part, received_us=now)
    office.clock.us = begin + 11 * DAY_US
    return office


def alert(office: Any) -> None:
    """An alert that fires at once."""
    from calibrant import wiring
    from calibrant.slo import lifecycle

    named = labels.Labels("CalibrationBurn", "page", "fraud", "burn")
    reading = labels.Reading(
        named, "bad", {"runbook_url": "https://example.org", "summary": "budget burns"},
        labels.Snapshot(office.now, None, None, 2_000, 1_900),
    )  # fmt: skip
    with office.open("otto") as (book, otto):
        alerts.observe(
            book, wiring.working(book), [reading], by=otto, rules=lifecycle.Rules(after_us=0), now_us=office.now
        )
        assert [one.labels for one in alerts.firing(book.reader, "fraud")] == [named]
    assert recorded.KIND == "alert"


def incident(office: Any, *options: str, begin: float = 5, end: float = 8) -> Any:
    from calibrant.cli import control

    window = [control.moment(office.begun + round(day * DAY_US)) for day in (begin, end)]
    return office.run("incident", "fraud", "--from", window[0], "--to", window[1], *options, by="vera")


def test_the_numbers_are_those_of_the_scores_that_acted(office_then: Any) -> None:
    """Before, raw scores; during, the map that was live for its time; fewer labels then than now."""
    told = incident(office_then, "--json").json
    assert told["schema"] == "calibrant.incident/1"
    before, _, then, now = told["numbers"]
    assert before["served"] == ["raw scores"]
    assert now["served"] == ["fraud@1", "raw scores"]
    assert then["with_outcome"] < now["with_outcome"]
    assert then["predictions"] <= now["predictions"]
    assert now["measures"]["log_loss"]["value"] > before["measures"]["log_loss"]["value"]
    days = [one["served"] for one in told["parts"]]
    assert days == [["fraud@1"], ["fraud@1"], ["fraud@1", "raw scores"]]


def test_the_timeline_has_what_was_decided_and_what_rang(office_then: Any) -> None:
    """In order, with who did it, what they said, and where it is in the log."""
    told = incident(office_then, "--json").json
    texts = [one["text"] for one in told["timeline"]]
    assert texts[0] == "fraud@1 was drafted"
    order = [
        next(at for at, text in enumerate(texts) if pattern in text)
        for pattern in ("promote: champion fraud@1", "CalibrationBurn (page, all) is firing", "rollback: raw scores")
    ]
    assert order == sorted(order)
    assert {one["said"] for one in told["timeline"]} >= {SAID, "alarms doubled"}
    indices = [one["audit_index"] for one in told["timeline"]]
    assert indices == sorted(indices)
    assert [one["labels"]["alertname"] for one in told["alerts"]] == ["CalibrationBurn"]
    (gap,) = told["telemetry_gaps_us"]
    assert abs(gap[1] - gap[0] - DAY_US / 2) < DAY_US / 24
    assert [one["approvers"] for one in told["live"]] == [["bob"], []]


def test_html_is_self_contained_and_escaped(office_then: Any, tmp_path: Any) -> None:
    """No script, nothing from elsewhere, a policy that says so; what people said is text."""
    assert incident(office_then, "-o", str(tmp_path / "it.html")).code == 0
    page = (tmp_path / "it.html").read_text()
    assert "default-src &#39;none&#39;" in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.findall(r"(?:src|href)=\"(?!#)", page)
    assert "fraud@1" in page


def test_markdown_shows_words_as_they_were_said(office_then: Any, tmp_path: Any) -> None:
    """A bar or a star in words breaks no table, and the file is what is printed without one."""
    printed = incident(office_then)
    assert incident(office_then, "-o", str(tmp_path / "it.md")).code == 0
    text = (tmp_path / "it.md").read_text()
    assert text == printed.out
    assert r"\<script\>alert(1)\</script\> \| \*it\* hurts" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows if "CalibrationBurn" in line}) >= 1
    assert "- [ ] *Who was affected" in text
    assert "CalibrationBurn fired first, 48.0 h after the window begins" in text


def test_erased_words_stay_erased(office_then: Any) -> None:
    """The entry stays, its words do not come back."""
    from calibrant.audit import entries

    with office_then.open() as (book, _):
        log = [entries.loads(one) for one in book.reader.entries()]
        book.erase([one.reason for one in log if one.reason is not None])
    told = incident(office_then, "--json")
    assert SAID not in told.out
    assert {one["said"] for one in told.json["timeline"]} == {None, "(erased)"}


def test_bytes_that_are_gone_are_said_to_be_gone(office_then: Any) -> None:
    """The review goes on with raw scores in their place."""
    for path in (office_then.project.folder / "contents").rglob("*"):
        if path.is_file():
            path.unlink()
    assert incident(office_then, "--json").json["bytes_gone"] == ["fraud@1"]
    assert "Bytes are gone of: fraud@1" in incident(office_then).out


def test_other_streams_are_not_in_it(office_then: Any) -> None:
    """An artifact, a binding and an approval of another stream."""
    office_then.clock.us = office_then.begun + 11 * DAY_US
    office_then.promote(office_then.signed(1, stream="other", evidence=b'{"n":9}\n'))
    told = incident(office_then, "--json", begin=10, end=12).json
    assert told["timeline"] == []
    assert told["numbers"][-1]["served"] == ["raw scores"]


def test_wrong_windows_and_files(office_then: Any) -> None:
    """Nothing is written for what cannot be meant."""
    assert incident(office_then, begin=8, end=5).refusal == "CAL-490"
    assert incident(office_then, begin=20, end=30).refusal == "CAL-490"
    assert incident(office_then, "-o", "it.pdf").refusal == "CAL-420"
