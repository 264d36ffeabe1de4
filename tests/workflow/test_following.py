"""A map that follows the labels: on real stores, step by step, with every child on record and verified."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from calibrant import errors
from calibrant.artifacts import document, envelope, keys, trust
from calibrant.calibrators import logistic
from calibrant.registry import artifacts, bindings, environments, principals
from calibrant.registry import trust as trusted
from calibrant.storage import embedded
from calibrant.storage.audit_copy import folder
from calibrant.storage.contents import disk
from calibrant.storage.control import sqlite, store
from calibrant.storage.embedded.store import EmbeddedStore
from calibrant.streams import declaration, policies
from calibrant.testing import clocks, drift, made_up
from calibrant.workflow import artifact_files, audit_log, following, promotions
from calibrant.workflow import ledger as ledgers

DAY = 86_400_000_000
START = made_up.START_US
ONLINE = policies.OnlinePolicy(enabled=True, half_life=timedelta(days=4), step=0.2, slope=0.5, intercept=1.0)
STREAM = declaration.Stream(
    "s", declaration.LabelContract(timedelta(days=1)), policies=policies.Policies(online=ONLINE)
)
BOT = principals.Principal("bot", "service", "otto", frozenset({"proposer", "operator", "admin"}))


@dataclass
class Plant:
    """Everything that a step needs."""

    control: store.SqlControlStore
    events: EmbeddedStore
    ledger: ledgers.Ledger
    clock: clocks.FakeClock
    contents: disk.DiskContents
    key: keys.PrivateKey

    def step(self, day: float) -> following.Moved:
        now = START + int(day * DAY)
        self.clock.us = now
        return following.step(
            self.ledger, self.control, self.contents, self.events, STREAM, "live", key=self.key, by=BOT, now_us=now
        )

    def champion(self) -> document.Artifact:
        ref = bindings.read(self.control.get("binding", "s/live")).champion
        assert ref is not None
        return document.loads(self.contents.get(ref.digest))


@pytest.fixture
def plant(tmp_path: Path, drawn_up: document.Artifact) -> Iterator[Plant]:
    """A stream whose promoted map is the identity as a line, with an envelope, in an environment without approvals."""
    clock = clocks.FakeClock(START)
    with sqlite.open_store(tmp_path / "control.sqlite") as control, embedded.open_store(tmp_path / "store") as events:
        ledger = ledgers.Ledger(control, folder.FolderCopy(tmp_path / "copy"), None, clock)
        made = Plant(control, events, ledger, clock, disk.DiskContents(tmp_path / "contents"), keys.generate())
        mine = trust.TrustedKey(made.key.public.pem.decode(), "otto", ("artifact",), 0)
        ledger.execute(BOT, trusted.replace(None, trust.to_dict(trust.TrustPolicy((mine,)))))
        ledger.execute(BOT, environments.declare(None, "live", approvals=0))
        status = artifact_files.draft(ledger, made.contents, drawn_up, evidence=b"{}\n", by=BOT)
        artifact_files.seal(ledger, made.contents, status.name, by=BOT, now_us=START)
        artifact_files.sign(ledger, made.contents, status.name, key=made.key, by=BOT, now_us=START)
        promotions.promote(ledger, made.contents, status.name, "live", by=BOT, now_us=START)
        yield made


@pytest.fixture
def drawn_up(office) -> document.Artifact:  # type: ignore[no-untyped-def]
    """The first version, with the stream's envelope."""
    made = office.drawn_up(1, stream="s", evidence=b"{}\n")
    return replace(
        made, calibrator=logistic.Platt(1.0, 0.0), envelope=following.envelope_of(ONLINE), sealed_at_us=START
    )


def fill(plant: Plant, feed: drift.Feed) -> None:
    plant.events.append_predictions("s", feed.predictions, received_us=START)
    plant.events.append_labels("s", feed.labels, received_us=START)


def test_it_follows_a_shift_in_steps_that_are_signed_and_bound(plant: Plant) -> None:
    """Scores are half a unit too high: a few steps later the map has taken most of it away, each step an artifact."""
    feed = drift.Feed.made(14_000, rng=np.random.default_rng(3), days=7.0, delay_days=0.2)
    fill(plant, drift.logit_shifted(feed, 0.5))
    outcomes = [plant.step(day).outcome for day in range(1, 11)]
    assert outcomes.count("followed") >= 5
    slope, intercept = envelope.line(plant.champion().calibrator) or (0.0, 0.0)
    assert intercept < -0.25
    assert 0.7 < slope < 1.3
    history = plant.control.history("binding", "s/live")
    assert [one.body["former"] for one in history] == [0] * len(history)
    assert bindings.read(history[-1]).champion.artifact == f"s@{len(history)}"
    for one in plant.control.browse(artifacts.KIND):
        artifact_files.verified(plant.control, plant.contents, artifacts.read(one), now_us=plant.clock.now_us())
    assert audit_log.verify(plant.control, plant.ledger.copy, keys=()).sound


def test_a_step_is_taken_once_and_only_when_due(plant: Plant) -> None:
    """A second look in the same hour does nothing; without new labels there is no step."""
    assert plant.step(1).outcome == "nothing"
    fill(plant, drift.Feed.made(4_000, rng=np.random.default_rng(3), days=2.0, delay_days=0.2))
    assert plant.step(4).outcome == "followed"
    before = plant.control.size()
    assert plant.step(4.02).outcome == "nothing"
    assert plant.control.size() == before


def test_it_stays_in_its_envelope(plant: Plant) -> None:
    """A shift of three units: the map stops at the edge and says so."""
    feed = drift.Feed.made(20_000, rng=np.random.default_rng(3), days=10.0, delay_days=0.2)
    fill(plant, drift.logit_shifted(feed, 3.0))
    outcomes = [plant.step(day).outcome for day in range(1, 14)]
    assert "at_the_edge" in outcomes
    slope, intercept = envelope.line(plant.champion().calibrator) or (9.0, 9.0)
    assert abs(intercept) <= 1.0 + 1e-9
    assert abs(slope - 1.0) <= 0.5 + 1e-9


def test_a_map_without_an_envelope_stays(plant: Plant) -> None:
    """Nothing that was promoted as it is moves by itself."""
    fixed = replace(plant.champion(), version=2, envelope=None)
    status = artifact_files.draft(plant.ledger, plant.contents, fixed, evidence=b"{}\n", by=BOT)
    artifact_files.seal(plant.ledger, plant.contents, status.name, by=BOT, now_us=START)
    artifact_files.sign(plant.ledger, plant.contents, status.name, key=plant.key, by=BOT, now_us=START)
    promotions.promote(plant.ledger, plant.contents, status.name, "live", by=BOT, now_us=START)
    fill(plant, drift.Feed.made(4_000, rng=np.random.default_rng(3), days=2.0, delay_days=0.2))
    assert plant.step(5).outcome == "nothing"


def test_a_stranger_cannot_follow(plant: Plant) -> None:
    """An artifact that is no child of what serves is refused by the rule."""
    other = replace(plant.champion(), version=2, parent="sha256:" + "1" * 64)
    status = artifact_files.draft(plant.ledger, plant.contents, other, evidence=b"{}\n", by=BOT)
    artifact_files.seal(plant.ledger, plant.contents, status.name, by=BOT, now_us=START)
    artifact_files.sign(plant.ledger, plant.contents, status.name, key=plant.key, by=BOT, now_us=START)
    child = plant.control.get(artifacts.KIND, status.name)
    found = plant.control.get(bindings.KIND, "s/live")
    assert child is not None
    assert found is not None
    with pytest.raises(errors.RefusedError, match="CAL-956"):
        bindings.follow(found, child=child, now_us=START)
