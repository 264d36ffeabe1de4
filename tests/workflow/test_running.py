"""The controller's rounds: due streams, leases, failures that hold up nobody."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest

from calibrant import errors
from calibrant.streams import declaration
from calibrant.testing import clocks
from calibrant.workflow import controlling, leases, running

STREAMS = [declaration.Stream(name, declaration.LabelContract(timedelta(days=1))) for name in ("a", "b", "c")]


@pytest.fixture
def controller(office) -> running.Controller:  # type: ignore[no-untyped-def]
    """One over the office's store; looks are replaced where a test says so."""
    with office.project.open_control() as control:
        from calibrant import wiring
        from calibrant.workflow import ledger

        book = ledger.Ledger(control, office.project.audit_copy(), None, clocks.FakeClock())
        post = controlling.Post(book, wiring.working(book), None, None, None, None)  # type: ignore[arg-type]
        made = running.Controller(post, "live", "me", clocks.FakeClock(), random.Random(1), workers=2)
        yield made
        made.close()


def looks(monkeypatch: pytest.MonkeyPatch, do) -> None:  # type: ignore[no-untyped-def]
    """Let a look do this."""

    def look(post, stream, environment, *, now_us):  # type: ignore[no-untyped-def]
        do(stream.name)
        return controlling.Seen(stream.name, now_us, None, (), False)

    monkeypatch.setattr(controlling, "look", look)


def test_every_due_stream_is_looked_at_once_a_period(
    controller: running.Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, then not before its period has passed, up to a tenth more."""
    seen: list[str] = []
    looks(monkeypatch, seen.append)
    clock = controller.clock
    assert isinstance(clock, clocks.FakeClock)
    controller.round(STREAMS, wait=True)
    assert sorted(seen) == ["a", "b", "c"]
    clock.advance(seconds=0.9 * 3_600)
    controller.round(STREAMS, wait=True)
    assert len(seen) == 3
    clock.advance(seconds=0.2 * 3_600)
    controller.round(STREAMS, wait=True)
    assert len(seen) == 6


def test_a_slow_stream_holds_up_nobody(controller: running.Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one look lasts, the others go on, and it is not begun a second time."""
    go = threading.Event()
    seen: list[str] = []

    def do(name: str) -> None:
        if name == "a":
            assert go.wait(30)
        seen.append(name)

    looks(monkeypatch, do)
    clock = controller.clock
    assert isinstance(clock, clocks.FakeClock)
    controller.round(STREAMS)
    ended: list[str] = []
    while len(ended) < 2:
        ended += [turn.stream for turn in controller.round([])]
    clock.advance(seconds=2 * 3_600)
    while len(ended) < 4:
        ended += [turn.stream for turn in controller.round(STREAMS)]
    assert seen.count("a") == 0
    go.set()
    ended += [turn.stream for turn in controller.round([], wait=True)]
    assert sorted(ended) == ["a", "b", "b", "c", "c"]


def test_a_failure_is_told_and_the_others_go_on(
    controller: running.Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its code is in the line of the log, and its lease runs out by itself."""

    def do(name: str) -> None:
        if name == "b":
            raise errors.StoreFaultError("CAL-853", "the disk", cause="broke", fix="mend it")

    looks(monkeypatch, do)
    turns = {turn.stream: turn for turn in controller.round(STREAMS, wait=True)}
    assert running.told(turns["b"]) == {"stream": "b", "failed": "CAL-853", "what": "the disk"}
    assert turns["a"].seen is not None
    assert turns["c"].seen is not None


def test_two_controllers_share_streams(controller: running.Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another one holds is left to it until its lease ends."""
    seen: list[str] = []
    looks(monkeypatch, seen.append)
    clock = controller.clock
    assert isinstance(clock, clocks.FakeClock)
    assert leases.take(controller.post.state, "a/live", holder="other", now_us=clock.now_us()) is not None
    turns = {turn.stream: turn for turn in controller.round(STREAMS, wait=True)}
    assert turns["a"].held
    assert sorted(seen) == ["b", "c"]
    assert running.told(turns["a"]) == {"stream": "a", "held_by_another": True}
    clock.advance(seconds=2 * 3_600)
    controller.round(STREAMS, wait=True)
    assert "a" in seen


def test_commands_of_a_look_are_fenced(controller: running.Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger that a look gets requires the lease of its stream."""
    fences = []

    def look(post, stream, environment, *, now_us):  # type: ignore[no-untyped-def]
        fences.append(post.ledger.fence)
        return controlling.Seen(stream.name, now_us, None, (), False)

    monkeypatch.setattr(controlling, "look", look)
    controller.round(STREAMS[:1], wait=True)
    assert [one.name for one in fences[0]] == ["a/live"]
    assert fences[0][0].working
    assert controller.post.ledger.fence == ()
