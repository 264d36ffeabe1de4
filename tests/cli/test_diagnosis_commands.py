"""explain and diagnose, as a person would type them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from calibrant import cli, wiring
from calibrant.testing import drift as injecting
from calibrant.testing import made_up
from calibrant.workflow import leases

DECLARATION = """\
apiVersion: calibrant/v1
kind: Stream
metadata: {name: fraud, owner: team, runbook: "https://example.org", description: Blocks payments.}
spec:
  labels: {horizon: 1d, terminal: [0, 1]}
  cohorts: [{field: carrier, cap: 5}]
  policies:
    watch: {window: 4d, tolerance: 0.08, silence: 1h}
    alerts: {ticket: [team]}
"""


DAY_US = made_up.DAY_US


def moved(feed: injecting.Feed, begin_us: int) -> injecting.Feed:
    """The same events at another time."""
    tables = []
    for table in (feed.predictions, feed.labels):
        place = table.schema.get_field_index("at_us")
        at = pa.array(table["at_us"].to_numpy() - made_up.START_US + begin_us)
        tables.append(table.set_column(place, table.schema.field(place), at))
    return injecting.Feed(*tables)


def diagnose(office: Any, feed: injecting.Feed | None, *options: str) -> Any:
    """Ten days of events in a store, and what the command says of them."""
    folder = office.project.folder / "streams"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fraud.yaml").write_text(DECLARATION)
    if feed is not None:
        feed = moved(feed, office.now - 10 * DAY_US)
        with office.project.open_store() as store:
            store.append_predictions("fraud", feed.predictions, received_us=office.now)
            known = feed.labels.filter(feed.labels["at_us"].to_numpy() <= office.now)
            store.append_labels("fraud", known, received_us=office.now)
    return office.run("diagnose", "fraud", *options)


@pytest.fixture
def feed() -> injecting.Feed:
    return injecting.Feed.made(4_000, rng=np.random.default_rng(3), days=10, delay_days=0.5)


def test_a_map_that_hurts_is_named_with_its_fix(office: Any, feed: injecting.Feed) -> None:
    """Scores were right, and the map that was bound makes them wrong: the raw scores would lose less."""
    office.promote(office.signed(1))
    office.clock.advance(days=5)
    found = diagnose(office, feed, "--json")
    assert found.code == 1
    codes = {one["code"]: one for one in found.json["findings"]}
    assert {"CHK-503", "CHK-604", "CHK-207"} <= set(codes)
    assert "CHK-202" not in codes
    assert codes["CHK-503"]["runbook"] == "runbooks/maps.md#chk-503"
    assert "overfitted map" in [one["cause"] for one in found.json["causes"]]
    assert found.json["findings"][0]["severity"] == "page"
    assert found.json["schema"] == "calibrant.diagnosis/1"
    assert found.json["not_looked_at"] == []
    assert "the stream was never looked at by itself" in codes["CHK-701"]["seen"]


def test_a_look_of_a_controller_is_seen(office: Any, feed: injecting.Feed) -> None:
    """Given back, a lease says when the last look began; one that is held says nothing of its end."""
    name = "fraud/production"
    with office.project.ledger() as book:
        state = wiring.working(book)
        lease = leases.take(state, name, holder="a", now_us=office.now)
        assert lease is not None
        assert leases.last_done(state, name) is None
        assert leases.release(state, lease)
        assert leases.last_done(state, name) == office.now
        leases.take(state, name, holder="b", now_us=office.now + 1)
        assert leases.last_done(state, name) == office.now
    codes = {one["code"] for one in diagnose(office, feed, "--json").json["findings"]}
    assert "CHK-701" not in codes
    office.clock.advance(days=1)
    assert "CHK-701" in {one["code"] for one in diagnose(office, None, "--json").json["findings"]}


def test_a_stream_without_decisions_is_diagnosed_from_its_events(
    office: Any, feed: injecting.Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry of this folder is taken away: the raw scores act, and what is wrong with them is found."""
    (office.project.folder / "control.sqlite").unlink()
    shifted = injecting.logit_shifted(feed, 1.5, where=injecting.Where(made_up.START_US + 5 * DAY_US))
    found = diagnose(office, shifted)
    assert found.code == 1
    assert "concept drift" in found.out
    assert "CHK-201 Scores do not mean what they say" in found.out
    assert "not looked at, for want of watching" in found.out
    assert not (office.project.folder / "control.sqlite").exists()


def test_nothing_ingested_is_told(office: Any) -> None:
    """No store, no diagnosis."""
    found = diagnose(office, None)
    assert (found.code, found.refusal) == (2, "CAL-111")


@pytest.mark.parametrize("asked", ["CHK-104", "chk-104", "labels-one-sided"])
def test_a_check_is_explained_by_code_and_by_name(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Why, fix, what it reads, and the page."""
    assert cli.invoke(["explain", asked]) == 0
    told = capsys.readouterr().out
    for part in ("CHK-104 labels-one-sided", "why:", "fix:", "reads: events", "docs/runbooks/labels.md#chk-104"):
        assert part in told


def test_an_error_is_explained_from_the_source(capsys: pytest.CaptureFixture[str]) -> None:
    """Every place that raises it, with what it says there."""
    assert cli.invoke(["explain", "cal-814"]) == 0
    assert "is no freeze" in capsys.readouterr().out
    assert cli.invoke(["explain", "CAL-814", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["code"] == "CAL-814"
    assert document["cases"][0]["fix"].startswith("write 2026-12-24/2026-12-27")


def test_without_a_code_all_checks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """With the question where data cannot tell."""
    assert cli.invoke(["explain"]) == 0
    assert "CHK-756" in capsys.readouterr().out
    assert cli.invoke(["explain", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert len(checks) > 60
    assert next(one for one in checks if one["code"] == "CHK-756")["asks"].endswith("?")


def test_an_unknown_code_gets_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong use, with a hint."""
    assert cli.invoke(["explain", "labels-onesided"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("CAL-468")
    assert "LABELS-ONE-SIDED" in told
