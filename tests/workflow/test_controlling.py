"""The whole loop on made-up events and real stores: it repairs, it holds, it waits, and it changes nothing unasked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from calibrant.advice import candidates, effects
from calibrant.artifacts import keys, trust
from calibrant.calibrators import identity
from calibrant.registry import bindings, environments, principals
from calibrant.registry import trust as trusted
from calibrant.rollout import states
from calibrant.stats.sequential import monitor
from calibrant.storage import embedded
from calibrant.storage.audit_copy import folder
from calibrant.storage.contents import disk
from calibrant.storage.control import sqlite
from calibrant.streams import declaration, policies
from calibrant.testing import clocks, drift
from calibrant.workflow import advising, audit_log, controlling, following, replaying, rollouts, watching
from calibrant.workflow import ledger as ledgers

BOT = principals.Principal("bot", "service", "otto", frozenset({"proposer", "operator", "admin"}))
DAYS, A_DAY = 22, 900
POLICIES = policies.Policies(
    watch=policies.WatchPolicy(window=timedelta(days=10), silence=timedelta(days=2)),
    advice=policies.AdvicePolicy(
        mode="auto", refit=timedelta(days=14), readings=1, cooldown=timedelta(days=4), least_gain=0.002
    ),
    rollout=policies.RolloutPolicy(
        shadow=timedelta(days=1), weights=(0.5,), hold=timedelta(days=1), bake=timedelta(days=1), matured=500,
        margin=0.01,
    ),
)  # fmt: skip
STREAM = declaration.Stream("s", declaration.LabelContract(timedelta(days=1)), policies=POLICIES)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[tuple[controlling.Post, clocks.FakeClock]]:
    """A controller's place in an environment that asks for no approval."""
    clock, key = clocks.FakeClock(0), keys.generate()
    with sqlite.open_store(tmp_path / "control.sqlite") as control, embedded.open_store(tmp_path / "store") as events:
        book = ledgers.Ledger(control, folder.FolderCopy(tmp_path / "copy"), None, clock)
        mine = trust.TrustedKey(key.public.pem.decode(), "otto", ("artifact",), 0)
        book.execute(BOT, trusted.replace(None, trust.to_dict(trust.TrustPolicy((mine,)))))
        book.execute(BOT, environments.declare(None, "live", approvals=0))
        yield controlling.Post(book, control, disk.DiskContents(tmp_path / "contents"), events, key, BOT), clock


@pytest.fixture
def replayed(
    post: tuple[controlling.Post, clocks.FakeClock],
) -> Callable[[declaration.Stream, drift.Feed], replaying.Replayed]:
    """A feed replayed day by day."""

    def run(stream: declaration.Stream, feed: drift.Feed) -> replaying.Replayed:
        return replaying.replay(
            post[0], stream, "live", predictions=feed.predictions, labels=feed.labels, clock=post[1], resamples=20
        )

    return run


def feed(shift: float, days: int = DAYS) -> drift.Feed:
    made = drift.Feed.made(days * A_DAY, rng=np.random.default_rng(11), days=float(days), delay_days=0.3)
    return drift.logit_shifted(made, shift) if shift else made


def loss(found: replaying.Replayed, scores: np.ndarray, *, since: float) -> float:
    """Log loss of the last part of the time."""
    late = found.at_us >= found.at_us[0] + since * (found.at_us[-1] - found.at_us[0])
    p, y = np.clip(scores[late], 1e-9, 1 - 1e-9), found.outcome[late]
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())


def test_a_stream_that_is_off_is_repaired(post, replayed) -> None:
    """Scores a unit too high: a map is proved in shadow and canary, promoted, and serves; all of it is on record."""
    found = replayed(STREAM, feed(1.0))
    champion = bindings.read(post[0].ledger.reader.get(bindings.KIND, "s/live")).champion
    done = " | ".join(text for seen in found.seen for text in seen.done)
    for part in ("began to roll out s@1", "shadowing", "progressing", "baking, promoted"):
        assert part in done
    assert champion is not None
    assert any(seen.alarms for seen in found.seen)
    assert not found.seen[-1].alarms
    assert loss(found, found.served, since=0.8) < loss(found, found.raw, since=0.8) - 0.05
    state = states.read(post[0].ledger.reader.get(states.KIND, "s/live"))
    assert state.phase in ("baking", "completed")
    assert audit_log.verify(post[0].ledger.store, post[0].ledger.copy, keys=()).sound


def test_a_healthy_stream_is_left_alone(post, replayed) -> None:
    """No alarm, no artifact, no binding."""
    found = replayed(STREAM, feed(0.0, days=14))
    assert [seen.done for seen in found.seen if seen.done] == []
    assert not any(seen.alarms for seen in found.seen)
    assert post[0].ledger.reader.get(bindings.KIND, "s/live") is None


def test_advice_alone_changes_nothing(post, replayed) -> None:
    """In the mode manual it is watched and advised, and nobody's scores change."""
    manual = replace(STREAM, policies=replace(POLICIES, advice=replace(POLICIES.advice, mode="manual")))
    size = post[0].ledger.reader.size()
    found = replayed(manual, feed(1.0, days=8))
    assert found.seen[-1].alarms
    assert post[0].ledger.reader.size() == size
    assert found.served.tolist() == found.raw.tolist()


def test_without_labels_nothing_moves_and_without_predictions_it_is_told(post, replayed) -> None:
    """A stream whose labels never come is never changed; days after the last prediction are days of no data."""
    silent = feed(1.0, days=12)
    few = replace(silent, labels=silent.labels.slice(0, 50))
    found = replayed(STREAM, few)
    assert [seen.done for seen in found.seen if seen.done] == []
    assert found.seen[-1].no_data
    assert not found.seen[6].no_data


def test_an_unreadable_map_is_an_error_of_the_guard(post, replayed, tmp_path: Path) -> None:
    """The rollout holds, and its deadline goes on; nothing raises."""
    replayed(STREAM, feed(1.0, days=10))
    found = post[0].ledger.reader.get(states.KIND, "s/live")
    assert found is not None
    state = states.read(found)
    contents = tmp_path / "contents"
    for path in contents.rglob("*"):
        if path.is_file():
            path.unlink()
    readings = controlling._read(post[0], STREAM, replace(state, phase="shadowing"), post[1].now_us())
    assert [one.verdict for one in readings] == ["error"]


def test_what_was_taken_back_is_remembered_as_what_would_be_proposed(post, replayed) -> None:
    """By the name that advice gives to a rule, whatever the version: it is barred, and two in a row latch."""
    replayed(STREAM, feed(1.0, days=12))
    found = post[0].ledger.reader.get(states.KIND, "s/live")
    assert found is not None
    state = states.read(found)
    ref = state.candidate
    rule = advising.rule_of(post[0].ledger.reader, post[0].contents, ref)
    began = rollouts.Told(replace(state, phase="progressing"), 1)
    ended = rollouts.Told(replace(state, phase="rolled_back"), 2)
    watch = controlling._remember(post[0], watching.begin(STREAM, champion=None), began, ended, 5)
    assert watch.remembered.barred(candidates.digest(rule), 100) == 105
    again = controlling._remember(post[0], watch, began, ended, 9)
    assert again.remembered.latched
    assert again.remembered.spent(candidates.digest(rule))


def test_a_rollback_that_failed_pages_for_as_long_as_it_is_so(post, replayed) -> None:
    """One look is not enough for an alert that must hold for minutes."""
    replayed(STREAM, feed(1.0, days=12))
    found = post[0].ledger.reader.get(states.KIND, "s/live")
    assert found is not None
    state = states.read(found)
    assert controlling._pages(rollouts.Told(state, 1)) == ()
    (page,) = controlling._pages(rollouts.Told(replace(state, phase="rollback_failed"), 1))
    assert "s/live" in page


def test_monitors_go_on_while_the_map_follows_and_begin_anew_at_its_anchor() -> None:
    """A daily step must not blind the watch; coming back to the anchor is another rule."""
    watch = watching.begin(STREAM, champion="sha256:1")
    seen = monitor.update(watch.monitors, np.full(500, 0.2), np.ones(500))
    watch = replace(watch, monitors=seen)
    ref = bindings.Ref("s@2", "sha256:2")
    serving = advising.Serving(effects.Rule(identity.Identity()), ref, 0, None)
    for outcome in ("followed", "at_the_edge"):
        after = controlling._after_step(watch, following.Moved(outcome, ref, 500), serving)
        assert (after.champion, int(after.monitors.rows[0])) == ("sha256:2", 500)
        assert watching.serving(after, ref) is after
    back = controlling._after_step(watch, following.Moved("back_to_the_anchor", ref, 500), serving)
    assert (back.champion, int(back.monitors.rows[0])) == ("sha256:2", 0)
