"""``calibrant readiness`` on real stores: a stream that is ready, and each item when its cause is injected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from calibrant.registry import environments
from calibrant.testing import drift, made_up
from calibrant.workflow import leases
from calibrant.workflow.readiness import checklist

DAY_US = made_up.DAY_US
YAML = """\
apiVersion: calibrant/v1
kind: Stream
metadata: {name: fraud, owner: team, runbook: "https://example.org", description: Blocks payments.}
spec:
  labels: {horizon: 1d, terminal: [0, 1]}
  cohorts: [{field: carrier, cap: 50}]
  policies:
    watch: {window: 4d, tolerance: 0.1, silence: 3h}
    slo: {least: 100}
    alerts: {ticket: [team], page: [team]}
"""
ALERTS = """\
apiVersion: calibrant/v1
kind: Alerts
channels:
  - {name: team, type: slack, url: "env:READINESS_HOOK"}
"""


@pytest.fixture(scope="module")
def feed() -> drift.Feed:
    return drift.Feed.made(4_000, rng=np.random.default_rng(3), days=10, delay_days=0.5)


@pytest.fixture
def ready(office: Any, feed: drift.Feed, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Everything that data can decide is in order; the second place is said to be on another disk."""
    monkeypatch.setenv("READINESS_HOOK", "https://hooks.example.org/x")
    declare(office, YAML)
    (office.project.folder / "alerts.yaml").write_text(ALERTS)
    predictions, labels = (_moved(each, office.now - 10 * DAY_US) for each in (feed.predictions, feed.labels))
    with office.project.open_store() as store:
        store.append_predictions("fraud", predictions, received_us=office.now)
        known = labels.filter(labels["at_us"].to_numpy() <= office.now)
        store.append_labels("fraud", known, received_us=office.now)
    office.hire("olga", "operator")
    one = office.signed(1)
    office.promote(one, slot="challenger")
    office.promote(one)
    with office.project.open_control() as control:
        leases.take(control, "fraud/production", holder="controller-1", now_us=office.now)
    elsewhere(monkeypatch, same=False)
    return office


def _moved(table: pa.Table, begin_us: int) -> pa.Table:
    """The same events at another time."""
    place = table.schema.get_field_index("at_us")
    at = pa.array(table["at_us"].to_numpy() - made_up.START_US + begin_us)
    return table.set_column(place, table.schema.field(place), at)


def declare(office: Any, text: str) -> None:
    path = office.project.path_of("fraud")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def elsewhere(monkeypatch: pytest.MonkeyPatch, *, same: bool) -> None:
    """This machine has one disk; which disk a folder is on is asked of the system."""
    from calibrant.workflow.doctor import files, findings

    monkeypatch.setattr(files, "look_at_disk", lambda *_, **__: findings.Disk(10**12, 0, same))


def outcomes(office: Any, *options: str) -> dict[str, str]:
    told = office.run("readiness", "fraud", "--json", *options)
    assert told.code in (0, 1, 3), told.err
    return {one["name"]: one["outcome"] for one in told.json["items"]}


def test_a_stream_that_is_ready_waits_for_people_alone(ready: Any) -> None:
    """Nothing fails; what data cannot tell is asked; once all of it is said, the stream is ready."""
    found = outcomes(ready)
    assert [name for name, one in found.items() if one == "failed"] == []
    asked = [name for name, one in found.items() if one == "undecided"]
    assert {"backup", "routed", "chk-651", "chk-757"} <= set(asked)
    assert ready.run("readiness", "fraud").code == 3
    said = [word for name in asked for word in ("--confirm", name)]
    told = ready.run("readiness", "fraud", *said)
    assert told.code == 0
    assert "fraud in production: ready" in told.out


def _without_approval(office: Any) -> None:
    with office.open() as (book, alice):
        found = book.reader.get("environment", "production")
        book.execute(alice, environments.declare(found, "production", approvals=0))


def _damaged(office: Any, name: str) -> None:
    digest = office.status(name).digest.removeprefix("sha256:")
    for path in (office.project.folder / "contents").rglob("*"):
        if path.is_file() and digest in str(path).replace("/", ""):
            path.chmod(0o644)
            path.write_bytes(b"other")


#: What is wrong in a declaration, and the items that notice.
DECLARED = {
    ", description: Blocks payments.": ("", "target"),
    "owner: team, ": ("", "owner"),
    ', runbook: "https://example.org"': ("", "runbook"),
    "least: 100": ("least: 100000", "objective"),
    "cap: 50": ("cap: 1", "cohorts"),
    "  labels:": ("  retention: 5d\n  labels:", "retention"),
    "page: [team]": ("page: [other]", "channels"),
}


def test_what_is_declared_wrongly_is_noticed(ready: Any) -> None:
    """Each line that is taken away fails its item."""
    text = YAML
    for line, (other, _) in DECLARED.items():
        assert line in text
        text = text.replace(line, other)
    declare(ready, text)
    found = outcomes(ready)
    assert {name: found[name] for _, name in DECLARED.values()} == {name: "failed" for _, name in DECLARED.values()}
    assert ready.run("readiness", "fraud").code == 1


def test_labels_that_come_late_or_decide_nothing_are_noticed(ready: Any) -> None:
    """Half a day is too late for a horizon of an hour; and nobody can tell a millionth apart."""
    text = YAML.replace("horizon: 1d, terminal: [0, 1]", "horizon: 1h").replace("tolerance: 0.1", "tolerance: 0.000001")
    declare(ready, text)
    found = outcomes(ready)
    assert (found["horizon"], found["coverage"], found["evidence"]) == ("failed", "failed", "failed")


def test_what_is_on_record_wrongly_is_noticed(ready: Any) -> None:
    """Promoted untried, over bytes that were changed, in an environment that asks nobody, by nobody who is left."""
    ready.promote(ready.signed(2, evidence=b'{"n":2}\n'))
    _damaged(ready, "fraud@1")
    _without_approval(ready)
    found = outcomes(ready)
    assert [found[name] for name in ("tried", "rollback", "approval")] == ["failed"] * 3
    assert found["signed"] == "passed"
    _damaged(ready, "fraud@2")
    for name in ("otto", "olga"):
        ready.run("people", "suspend", name)
    found = outcomes(ready)
    assert [found[name] for name in ("signed", "hands")] == ["failed"] * 2


def test_what_time_takes_away_is_noticed(ready: Any) -> None:
    """Predictions stop, the lease runs out; and nothing is old enough to compare with."""
    declare(ready, YAML.replace("window: 4d", "window: 300d"))
    ready.clock.advance(days=1)
    found = outcomes(ready)
    assert [found[name] for name in ("telemetry", "controller", "baseline")] == ["failed"] * 3


def test_what_needs_the_machine_fails_too(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is not there, and a second place on the same disk."""
    monkeypatch.delenv("READINESS_HOOK")
    elsewhere(monkeypatch, same=True)
    found = outcomes(ready)
    assert (found["channels"], found["audit-elsewhere"]) == ("failed", "failed")


def test_nothing_at_all_is_not_ready(office: Any) -> None:
    """A declaration without events: no item passes for want of data, and none crashes."""
    declare(office, YAML)
    found = outcomes(office)
    assert found["joined"] == found["telemetry"] == found["signed"] == found["controller"] == "failed"
    assert found["horizon"] == found["coverage"] == "undecided"


def test_what_data_decides_cannot_be_talked_away(ready: Any) -> None:
    """Neither an item that data decided, nor one that there is not."""
    _without_approval(ready)
    assert ready.run("readiness", "fraud", "--confirm", "approval").refusal == "CAL-959"
    assert ready.run("readiness", "fraud", "--confirm", "nonsense").refusal == "CAL-959"


def test_items_have_names_of_their_own() -> None:
    """Each is confirmed by its name."""
    names = [one.name for one in checklist.ITEMS]
    assert len(names) == len(set(names))
    assert {one.list for one in checklist.ITEMS} == set(checklist.LISTS)
