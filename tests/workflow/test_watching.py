"""Watching on a real store: healthy streams stay quiet, faults are found, and a replay gives the same to the bit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from calibrant.calibrators import identity, logistic
from calibrant.ports import event_log
from calibrant.registry import bindings
from calibrant.storage import embedded
from calibrant.storage.control import sqlite
from calibrant.storage.embedded.store import EmbeddedStore
from calibrant.streams import declaration, policies
from calibrant.testing import drift, made_up
from calibrant.workflow import watching

DAY = 86_400_000_000
STREAM = declaration.Stream(
    "s", declaration.LabelContract(timedelta(days=2)), cohorts=(declaration.CohortField("country", 20),)
)
START = made_up.START_US


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """An event store in a new folder."""
    with embedded.open_store(tmp_path / "store") as opened:
        yield opened


def fill(store: EmbeddedStore, feed: drift.Feed, *, at: int = START) -> None:
    """All of a feed, received at once."""
    store.append_predictions("s", feed.predictions, received_us=at)
    store.append_labels("s", feed.labels, received_us=at)


def looked(store: EmbeddedStore, *, days: int, by: int = 1, rule=None) -> watching.Watch:  # type: ignore[no-untyped-def]
    """A look every so many days."""
    watch = watching.begin(STREAM, champion=None)
    for day in range(by, days + 1, by):
        watch = watching.take(store, STREAM, watch, rule=rule or identity.Identity(), now_us=START + day * DAY)
    return watch


def test_a_healthy_stream_raises_no_alarm_and_a_shifted_one_does(store: EmbeddedStore) -> None:
    """A shift of the log-odds by one is found; before it there is no alarm."""
    feed = drift.Feed.made(12_000, rng=np.random.default_rng(5), days=12.0, delay_days=0.5)
    off = drift.logit_shifted(feed, 1.0, where=drift.Where(START + 8 * DAY))
    fill(store, off)
    assert watching.alarms(looked(store, days=10), STREAM) == ()
    found = watching.alarms(looked(store, days=15), STREAM)
    assert found
    assert found[0].name == watching.ALL
    assert found[0].p_value < 1e-6


def test_how_often_it_is_looked_at_changes_nothing(store: EmbeddedStore) -> None:
    """Daily, all five days or once: the same state to the last bit."""
    fill(store, drift.Feed.made(4_000, rng=np.random.default_rng(7), days=10.0, delay_days=0.5))
    once, often = looked(store, days=15, by=15), looked(store, days=15, by=1)
    assert once.to_body() == often.to_body()
    assert once.monitors.rows[0] == 4_000


def test_nothing_young_is_taken(store: EmbeddedStore) -> None:
    """A partition counts when its last prediction is as old as the horizon, and only then."""
    fill(store, drift.Feed.made(1_000, rng=np.random.default_rng(8), days=1.0, delay_days=0.1))
    first = START - START % DAY
    watch = watching.begin(STREAM, champion=None)
    early = watching.take(store, STREAM, watch, rule=identity.Identity(), now_us=first + 3 * DAY - 1)
    due = watching.take(store, STREAM, watch, rule=identity.Identity(), now_us=first + 3 * DAY)
    assert early.monitors.rows[0] == 0
    assert due.monitors.rows[0] > 0


def test_a_state_survives_being_kept(store: EmbeddedStore, tmp_path: Path) -> None:
    """Kept and recalled between all looks it ends where it ends without."""
    fill(store, drift.Feed.made(3_000, rng=np.random.default_rng(9), days=6.0, delay_days=0.5))
    with sqlite.open_store(tmp_path / "control.sqlite") as control:
        for day in range(1, 11):
            watch, revision = watching.recall(control, STREAM, champion=None)
            watch = watching.take(store, STREAM, watch, rule=identity.Identity(), now_us=START + day * DAY)
            watching.keep(control, STREAM, watch, expected=revision)
        kept, _ = watching.recall(control, STREAM, champion=None)
    assert kept.to_body() == looked(store, days=10).to_body()
    assert watching.Watch.from_body(json.loads(json.dumps(kept.to_body()))).to_body() == kept.to_body()


def test_what_is_watched_is_what_serves(store: EmbeddedStore) -> None:
    """With the map that repairs the stream there is no alarm; when another rule serves, monitors begin anew."""
    feed = drift.Feed.made(6_000, rng=np.random.default_rng(5), days=6.0, delay_days=0.5)
    fill(store, drift.logit_shifted(feed, 1.0))
    raw = looked(store, days=9)
    assert watching.alarms(raw, STREAM)
    assert watching.alarms(looked(store, days=9, rule=logistic.Platt(slope=1.0, intercept=-1.0)), STREAM) == ()
    fresh = watching.serving(raw, bindings.Ref("s@1", "sha256:" + "0" * 64))
    assert (fresh.monitors.rows[0], fresh.through_us) == (0, raw.through_us)
    assert watching.serving(raw, None) is raw


def test_cohorts_past_the_cap_are_one_group(store: EmbeddedStore) -> None:
    """As everywhere: further values count together."""
    few = declaration.Stream("s", STREAM.labels, cohorts=(declaration.CohortField("country", 1),))
    fill(store, drift.Feed.made(2_000, rng=np.random.default_rng(4), days=2.0, delay_days=0.5))
    watch = watching.begin(few, champion=None)
    watch = watching.take(store, few, watch, rule=identity.Identity(), now_us=START + 9 * DAY)
    assert len(watch.names) <= 3
    assert watch.monitors.rows[1:].sum() == watch.monitors.rows[0]


def test_silence_is_told(store: EmbeddedStore) -> None:
    """Half an hour without a prediction is NO_DATA; a stream that never began has lost nothing."""
    at = 10 * DAY
    quick = declaration.Stream("s", STREAM.labels, policies=policies.Policies(policies.WatchPolicy()))
    limit = 30 * 60 * 1_000_000
    counts = event_log.Counts(predictions=1, last_at_us=at)
    assert not watching.signs(counts, quick, now_us=at + limit).no_data
    assert watching.signs(counts, quick, now_us=at + limit + 1).no_data
    assert not watching.signs(event_log.Counts(), quick, now_us=at).no_data
