"""Alerts on record and told: with a real ledger, with a second place that fails, with receivers that fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from calibrant import errors
from calibrant.artifacts import keys
from calibrant.audit import checkpoint, entries
from calibrant.ports import notifier
from calibrant.registry import principals, resources
from calibrant.slo import alerts, labels, lifecycle, readings, silences
from calibrant.slo.budgets import Condition
from calibrant.storage.audit_copy import folder
from calibrant.storage.control import sqlite
from calibrant.streams import channels, declaration, policies
from calibrant.testing import clocks
from calibrant.workflow import alerts as recorded
from calibrant.workflow import deliveries, leases, ledger

OTTO = principals.Principal("otto", "person", None, frozenset({"operator"}))
MINUTE = 60_000_000
POLICY = policies.Policies(alerts=policies.AlertPolicy(page=("oncall", "team"), ticket=("team",)))
FRAUD = declaration.Stream("fraud", declaration.LabelContract(timedelta(days=2)), policies=POLICY)
RUNBOOK = {"runbook_url": "https://example.org/fraud"}


class FailingCopy(folder.FolderCopy):
    """A second place that can be made to fail."""

    fails = False

    def intend(self, index: int, several: Sequence[bytes]) -> None:
        if self.fails:
            raise errors.AuditCopyError("CAL-855", "the second place is full", cause="ENOSPC", fix="make room")
        super().intend(index, several)


@dataclass
class Inbox:
    """A receiver that keeps what it is told, or answers what it is told to."""

    result: notifier.Outcome = field(default_factory=lambda: notifier.Outcome("delivered", "HTTP 200"))
    notices: list[notifier.Notice] = field(default_factory=list)

    def send(self, notice: notifier.Notice) -> notifier.Outcome:
        self.notices.append(notice)
        return self.result


@dataclass
class Desk:
    """A ledger, its clock, and two channels."""

    ledger: ledger.Ledger
    store: sqlite.SqlControlStore
    copy: FailingCopy
    clock: clocks.FakeClock
    oncall: Inbox = field(default_factory=Inbox)
    team: Inbox = field(default_factory=Inbox)
    declared: channels.Channels = field(default_factory=channels.Channels)

    def observe(self, condition: Condition, *, minutes: float = 0.0, **more: object) -> recorded.Observed:
        """A reading of the burning budget after so many minutes."""
        self.clock.advance(seconds=60 * minutes)
        reading = labels.Reading(labels.Labels(readings.BURN, "page", "fraud", "burn"), condition, RUNBOOK)
        return self.take(reading, **more)

    def take(self, *several: labels.Reading, requires: Sequence[resources.Requirement] = ()) -> recorded.Observed:
        return recorded.observe(
            self.ledger, self.store, several, by=OTTO, rules=lifecycle.Rules(), now_us=self.clock.now_us(),
            requires=requires,
        )  # fmt: skip

    def deliver(self, observed: recorded.Observed | None = None) -> list[tuple[str, str]]:
        """One round: who was told what."""
        office = deliveries.Office(self.declared, {"oncall": self.oncall, "team": self.team}, {}, {})
        sent = deliveries.deliver(
            self.store, self.store, FRAUD, office, now_us=self.clock.now_us(),
            unrecorded=() if observed is None else observed.unrecorded,
        )  # fmt: skip
        return [(one.channel, one.outcome.result) for one in sent]

    def actions(self) -> list[str]:
        return [entries.loads(one).action for one in self.store.entries()]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """On a real store."""
    clock = clocks.FakeClock()
    copy = FailingCopy(tmp_path / "copy")
    with sqlite.open_store(tmp_path / "control.sqlite") as store:
        signer = checkpoint.Signer("log.example/audit", keys.generate())
        yield Desk(ledger.Ledger(store, copy, signer, clock), store, copy, clock)


def test_an_alert_from_its_first_reading_to_its_end(desk: Desk) -> None:
    """Two audit entries, two messages to each channel, nothing for the readings in between."""
    assert desk.observe("bad") == recorded.Observed((), ())
    assert desk.deliver() == []
    fired = desk.observe("bad", minutes=6).changed
    assert [one.status for one in fired] == ["firing"]
    assert desk.deliver() == [("oncall", "delivered"), ("team", "delivered")]
    for condition in ("bad", "unknown", "bad") * 5:
        assert desk.observe(condition, minutes=5).changed == ()  # type: ignore[arg-type]
        assert desk.deliver() == []
    desk.observe("good", minutes=5)
    ended = desk.observe("good", minutes=15).changed
    assert [one.status for one in ended] == ["resolved"]
    assert desk.deliver() == [("oncall", "delivered"), ("team", "delivered")]
    assert desk.actions() == ["alert.record", "alert.record"]
    assert [one.status for one in desk.oncall.notices] == ["firing", "resolved"]


def test_a_good_reading_of_nothing_leaves_no_trace(desk: Desk) -> None:
    """Ten thousand streams that are well cost no row."""
    desk.observe("good")
    desk.observe("unknown")
    assert desk.store.recall_all(recorded.LIFE) == ()


def test_alerts_fail_open(desk: Desk) -> None:
    """The second place of the log is full: people are told all the same, and the record is made up for later."""
    desk.observe("bad")
    desk.copy.fails = True
    observed = desk.observe("bad", minutes=6)
    assert (observed.changed, [one.status for one in observed.unrecorded]) == ((), ["firing"])
    assert desk.deliver(observed) == [("oncall", "delivered"), ("team", "delivered")]
    assert desk.actions() == []
    again = desk.observe("bad", minutes=1)
    assert desk.deliver(again) == []
    desk.copy.fails = False
    assert [one.status for one in desk.observe("bad", minutes=1).changed] == ["firing"]
    assert desk.deliver() == []
    assert desk.actions() == ["alert.record"]


def test_alerts_fail_open_without_any_store(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be read or written: one bad reading is told, under an id that stays."""
    for name in ("get", "browse", "recall", "remember", "commit"):
        monkeypatch.setattr(type(desk.store), name, _fault)
    observed = desk.observe("bad")
    assert [one.status for one in observed.unrecorded] == ["firing"]
    assert desk.deliver(observed) == [("oncall", "delivered"), ("team", "delivered")]
    desk.deliver(desk.observe("bad"))
    assert len({one.id for one in desk.oncall.notices}) == 1


def test_a_crash_between_the_record_and_the_state(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same step is made again and found done: one entry."""
    desk.observe("bad")
    with monkeypatch.context() as patched:
        patched.setattr(type(desk.store), "remember", _die)
        with pytest.raises(KeyboardInterrupt):
            desk.observe("bad", minutes=6)
    assert desk.actions() == ["alert.record"]
    desk.observe("bad", minutes=1)
    assert desk.actions() == ["alert.record"]
    assert [one.status for one in recorded.firing(desk.store, "fraud")] == ["firing"]


@pytest.mark.parametrize("then", ["good", "bad"])
def test_whatever_is_read_after_such_a_crash(desk: Desk, monkeypatch: pytest.MonkeyPatch, then: Condition) -> None:
    """The record leads: what fired ends there too, and what ended fires again."""
    desk.observe("bad")
    with monkeypatch.context() as patched:
        patched.setattr(type(desk.store), "remember", _die)
        with pytest.raises(KeyboardInterrupt):
            desk.observe("bad", minutes=6)
    desk.observe("good", minutes=1)
    with monkeypatch.context() as patched:
        patched.setattr(type(desk.store), "remember", _die)
        with pytest.raises(KeyboardInterrupt):
            desk.observe("good", minutes=16)
    assert recorded.firing(desk.store, "fraud") == ()
    desk.observe(then, minutes=1)
    desk.observe(then, minutes=6)
    assert [one.episode for one in recorded.firing(desk.store, "fraud")] == ([2] if then == "bad" else [])


def _fault(*_: object, **__: object) -> None:
    raise errors.StoreFaultError("CAL-853", "the disk failed", cause="EIO", fix="look at it")


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_the_working_state_is_lost(desk: Desk) -> None:
    """A restore from a backup: the record says where the alert is, and the next episode has the next number."""
    desk.observe("bad")
    desk.observe("bad", minutes=6)
    for one in desk.store.recall_all(recorded.LIFE):
        desk.store.forget(recorded.LIFE, one.name, expected=one.revision)
    desk.observe("bad", minutes=1)
    desk.observe("good", minutes=1)
    assert [one.status for one in desk.observe("good", minutes=16).changed] == ["resolved"]
    desk.observe("bad", minutes=60)
    assert [one.episode for one in desk.observe("bad", minutes=6).changed] == [2]


def test_who_lost_the_lease_changes_nothing(desk: Desk) -> None:
    """Two controllers cannot both look after a stream (invariant 15)."""
    lease = leases.take(desk.store, "fraud", holder="a", now_us=desk.clock.now_us())
    assert lease is not None
    desk.observe("bad")
    desk.clock.advance(seconds=3600)
    assert leases.take(desk.store, "fraud", holder="b", now_us=desk.clock.now_us()) is not None
    with pytest.raises(errors.ConflictError):
        desk.observe("bad", requires=[lease.requirement()])
    assert desk.actions() == []


def test_receivers_that_fail_are_told_later_and_keep_nobody_else(desk: Desk) -> None:
    """One is down for an hour; the other one knows at once."""
    desk.oncall.result = notifier.Outcome("failed", "HTTP 503")
    desk.observe("bad")
    desk.observe("bad", minutes=6)
    assert desk.deliver() == [("oncall", "failed"), ("team", "delivered")]
    for _ in range(60):
        desk.clock.advance(seconds=60)
        desk.deliver()
    tries = len(desk.oncall.notices)
    assert 5 <= tries <= 15
    desk.oncall.result = notifier.Outcome("delivered", "HTTP 200")
    desk.clock.advance(seconds=900)
    assert desk.deliver() == [("oncall", "delivered")]
    assert len({one.id for one in desk.oncall.notices}) == 1
    log = deliveries.log(desk.store, "fraud")["fraud/burn/page|oncall"].log
    assert [one.result for one in log[-2:]] == ["failed", "delivered"]


def test_a_channel_that_is_not_declared_is_in_the_log(desk: Desk) -> None:
    """And the others are told."""
    desk.observe("bad")
    desk.observe("bad", minutes=6)
    office = deliveries.Office(desk.declared, {"team": desk.team}, {}, {"oncall": "CAL-849: env:KEY holds nothing"})
    sent = deliveries.deliver(desk.store, desk.store, FRAUD, office, now_us=desk.clock.now_us())
    assert [(one.channel, one.outcome.detail) for one in sent] == [
        ("oncall", "CAL-849: env:KEY holds nothing"), ("team", "HTTP 200")
    ]  # fmt: skip


def test_what_is_silenced_explained_or_in_a_quiet_window_is_not_told(desk: Desk) -> None:
    """It is on record all the same; when the reason is over it is told."""
    begun = silences.begin(
        "s1", {"stream": "fraud"}, starts_us=desk.clock.now_us(), ends_us=desk.clock.now_us() + 60 * MINUTE, by="otto"
    )
    assert recorded.silence(desk.ledger, begun, by=OTTO).name == "s1"
    desk.observe("bad")
    assert desk.observe("bad", minutes=6).changed
    assert desk.deliver() == []
    desk.clock.advance(seconds=3600)
    assert desk.deliver() == [("oncall", "delivered"), ("team", "delivered")]


def test_labels_that_do_not_arrive_explain_the_burn(desk: Desk) -> None:
    """One page and not two; the burn is told when the reason has gone and it is still there."""
    pipeline = readings.of_watch("LabelsNotArriving", "bad", "none", stream="fraud", runbook="x", severity="page")
    burn = labels.Reading(labels.Labels(readings.BURN, "page", "fraud", "burn"), "bad", RUNBOOK)
    desk.take(pipeline, burn)
    desk.clock.advance(seconds=360)
    assert len(desk.take(pipeline, burn).changed) == 2
    assert len(desk.deliver()) == 2
    assert {one.group for one in desk.oncall.notices} == {"fraud/pipeline/page"}
    desk.take(readings.of_watch("LabelsNotArriving", "good", "ok", stream="fraud", runbook="x", severity="page"), burn)
    desk.clock.advance(seconds=1000)
    desk.take(readings.of_watch("LabelsNotArriving", "good", "ok", stream="fraud", runbook="x", severity="page"), burn)
    desk.deliver()
    assert [(one.group, one.status) for one in desk.oncall.notices[1:]] == [
        ("fraud/burn/page", "firing"), ("fraud/pipeline/page", "resolved")
    ]  # fmt: skip


def test_what_is_looked_after_or_silenced_is_not_repeated_except_where_silence_is_an_end(desk: Desk) -> None:
    """An Alertmanager would call it resolved; people would be told again and again."""
    hour = 60 * MINUTE
    office = deliveries.Office(
        desk.declared,
        {"oncall": desk.oncall, "team": desk.team},
        {"oncall": hour, "team": hour},
        {},
        frozenset({"team"}),
    )
    desk.observe("bad")
    (alert,) = desk.observe("bad", minutes=6).changed

    def after_an_hour() -> list[str]:
        desk.clock.advance(seconds=3_600)
        now_us = desk.clock.now_us()
        return [one.channel for one in deliveries.deliver(desk.store, desk.store, FRAUD, office, now_us=now_us)]

    assert after_an_hour() == after_an_hour() == ["oncall", "team"]
    recorded.acknowledge(desk.ledger, alerts.name(alert.labels), by=OTTO)
    assert after_an_hour() == ["team"]
    desk.observe("good", minutes=1)
    desk.observe("good", minutes=16)
    assert after_an_hour() == ["oncall", "team"]
    assert after_an_hour() == []


def test_acknowledging(desk: Desk) -> None:
    """On record, by name."""
    desk.observe("bad")
    (alert,) = desk.observe("bad", minutes=6).changed
    after = recorded.acknowledge(desk.ledger, alerts.name(alert.labels), by=OTTO, reason="on it")
    assert after.acknowledged_by == "otto"
    assert desk.actions() == ["alert.record", "alert.acknowledge"]


def test_seventy_two_hours_without_labels_resolve_nothing_and_end_as_if_they_had_not_been(desk: Desk) -> None:
    """A label outage, then the backfill: 0 resolves during it, the same state after it."""
    desk.observe("bad")
    desk.observe("bad", minutes=6)
    for _ in range(72 * 4):
        assert desk.observe("unknown", minutes=15) == recorded.Observed((), ())
    assert [one.status for one in recorded.firing(desk.store, "fraud")] == ["firing"]
    desk.observe("good", minutes=15)
    assert [one.status for one in desk.observe("good", minutes=15).changed] == ["resolved"]
