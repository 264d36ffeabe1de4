"""A consumer commits what the store has acknowledged, nothing else, and is never blocked by a bad message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import pytest

from calibrant import errors
from calibrant.events import wire_jsonl
from calibrant.ports.message_source import Message
from calibrant.streams import declaration
from calibrant.testing import clocks, made_up
from calibrant.workflow import consume, partitions


def message(number: int, body: bytes | None = None) -> Message:
    """A prediction, or another body."""
    line = wire_jsonl.prediction(made_up.prediction(f"p{number}")) if body is None else body
    return Message(line, {}, f"t/0@{number}", number)


class MemorySource:
    """A broker in a list: what was not committed comes again to the next one that opens it."""

    def __init__(self, kept: list[Message], *, largest: int = 10) -> None:
        self.kept = kept
        self.polled = 0
        self.largest = largest
        self.joining = 0
        self.commits: list[int] = []

    def ready(self) -> bool:
        return self.joining <= 0

    def poll(self, most: int, *, seconds: float) -> Sequence[Message]:
        if self.joining > 0:
            self.joining -= 1
            return []
        some = self.kept[self.polled : self.polled + min(most, self.largest)]
        self.polled += len(some)
        return some

    def commit(self, messages: Sequence[Message]) -> None:
        self.commits.append(len(messages))
        del self.kept[: len(messages)]
        self.polled -= len(messages)

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None: ...


class Seconds:
    """Time that passes by one second whenever somebody looks."""

    def __init__(self, stop: Callable[[], bool] = lambda: False) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self.pace = consume.Pace(self._elapsed, self.pauses.append, stop)

    def _elapsed(self) -> float:
        self.now += 1.0
        return self.now


class Failing:
    """A store that fails so often at appending predictions; ``after`` it has kept them, or before."""

    def __init__(self, store: partitions.Store, times: int, *, after: bool = False) -> None:
        self._store = store
        self.times = times
        self.after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append_predictions(self, stream: str, batch: Any, *, received_us: int) -> Any:
        if self.times > 0:
            self.times -= 1
            if self.after:
                self._store.append_predictions(stream, batch, received_us=received_us)
            raise errors.StoreFaultError("CAL-853", "the disk failed", cause="the test", fix="send it again")
        return self._store.append_predictions(stream, batch, received_us=received_us)


@pytest.fixture
def run(stream: declaration.Stream, clock: clocks.FakeClock) -> Callable[..., consume.Consumed]:
    """Consume until ten seconds of silence."""

    def go(log: Any, source: Any, seconds: Seconds | None = None, **more: Any) -> consume.Consumed:
        more = {"kind": "predictions", "until": consume.Until(idle_seconds=10.0)} | more
        return consume.consume(log, stream, source, time=clock, pace=(seconds or Seconds()).pace, **more)

    return go


def test_all_is_taken_and_committed(store: partitions.Store, run: Any) -> None:
    """Exact counts, and nothing left with the broker."""
    source = MemorySource([message(number) for number in range(95)])
    found = run(store, source)
    assert (found.messages, found.items, found.accepted, found.clean) == (95, 95, 95, True)
    assert source.kept == []
    assert store.counts("s").predictions == 95


def test_a_crash_between_acknowledgement_and_commit_is_a_redelivery(store: partitions.Store, run: Any) -> None:
    """The store has the batch, the broker was not told: it comes again and counts as duplicate."""

    class Dying(MemorySource):
        def commit(self, messages: Sequence[Message]) -> None:
            if len(self.commits) == 2:
                raise ConnectionError("the process is gone")
            super().commit(messages)

    dying = Dying([message(number) for number in range(50)])
    with pytest.raises(ConnectionError):
        run(store, dying)
    found = run(store, MemorySource(dying.kept))
    assert (found.items, found.accepted, found.duplicate) == (30, 20, 10)
    assert store.counts("s").predictions == 50


def test_a_store_that_keeps_failing_commits_nothing(store: partitions.Store, run: Any) -> None:
    """Every pause was taken, the error is told, the batch is still with the broker."""
    source, seconds = MemorySource([message(number) for number in range(10)]), Seconds()
    with pytest.raises(errors.StoreFaultError):
        run(Failing(store, 99), source, seconds)
    assert seconds.pauses == list(consume.RETRIES)
    assert source.commits == []
    assert len(source.kept) == 10


@pytest.mark.parametrize(("after", "counted"), [(False, (10, 0)), (True, (0, 10))])
def test_a_store_that_fails_in_passing_is_asked_again(
    store: partitions.Store, run: Any, after: bool, counted: tuple[int, int]
) -> None:
    """Whether the failed try was kept or not, each event is there once."""
    source = MemorySource([message(number) for number in range(10)])
    found = run(Failing(store, 2, after=after), source)
    assert (found.accepted, found.duplicate) == counted
    assert source.commits == [10]
    assert store.counts("s").predictions == 10


def test_a_poison_message_blocks_nobody(store: partitions.Store, run: Any) -> None:
    """It is refused, counted, named by its place, committed; the others are taken."""
    bodies = {3: b"\x00\xff", 5: b"", 7: b'{"id":"x","at":"2026-03-01T00:00:00Z","score":NaN}', 8: b"[" * 100_000}
    source = MemorySource([message(number, bodies.get(number)) for number in range(20)])
    found = run(store, source)
    assert (found.items, found.accepted, found.rejected) == (20, 16, 4)
    assert sorted(one.place for one in found.named) == [
        "t/0@3, line 1",
        "t/0@5",
        "t/0@7, line 1",
        "t/0@8, line 1",
    ]
    assert source.kept == []
    assert store.counts("s").rejected == 4


def test_another_body_is_conflicting(store: partitions.Store, run: Any) -> None:
    """The first one stays; the second is in quarantine and committed."""
    other = wire_jsonl.prediction(made_up.prediction("p1", score=0.75))
    found = run(store, MemorySource([message(1), message(1), message(2, other)]))
    assert (found.accepted, found.duplicate, found.conflicting) == (1, 1, 1)
    assert [(one.place, one.code) for one in found.named] == [("t/0@2, line 1", "CAL-483")]


def test_labels_are_taken(store: partitions.Store, run: Any) -> None:
    """The other kind of lines."""
    bodies = [wire_jsonl.label(made_up.label(f"p{number}")) for number in range(5)]
    found = run(store, MemorySource([message(n, body) for n, body in enumerate(bodies)]), kind="labels")
    assert found.accepted == 5
    assert store.counts("s").labels == 5


def test_it_stops_after_so_many_events(store: partitions.Store, run: Any) -> None:
    """And leaves the others with the broker."""
    source = MemorySource([message(number) for number in range(50)])
    assert run(store, source, until=consume.Until(events=25)).items == 25
    assert len(source.kept) == 25


def test_a_request_to_stop_finishes_the_batch(store: partitions.Store, run: Any) -> None:
    """What was polled is kept and committed; nothing more is polled."""
    source = MemorySource([message(number) for number in range(50)])
    found = run(store, source, Seconds(stop=lambda: len(source.commits) == 2))
    assert (found.items, len(source.kept)) == (20, 30)


def test_a_request_to_stop_ends_the_retries(store: partitions.Store, run: Any) -> None:
    """A store that fails does not keep the process from ending."""
    seconds = Seconds()
    seconds.pace = consume.Pace(seconds.pace.elapsed, seconds.pauses.append, lambda: bool(seconds.pauses))
    with pytest.raises(errors.StoreFaultError):
        run(Failing(store, 99), MemorySource([message(1)]), seconds)
    assert len(seconds.pauses) == 1


def test_silence_counts_from_when_the_broker_is_ready(store: partitions.Store, run: Any) -> None:
    """Joining a group takes a while, during which nothing can come."""
    source = MemorySource([message(1)])
    source.joining = 40
    assert run(store, source).accepted == 1


def test_retention_is_kept_while_it_runs(store: partitions.Store, run: Any) -> None:
    """A consumer runs for weeks: old events are deleted every few minutes, not only at its end."""
    calls: list[int] = []

    class Watched(Failing):
        def maintain(self, *, now_us: int) -> None:
            calls.append(now_us)

    idle = consume.Until(idle_seconds=2.5 * consume.HOUSE)
    run(Watched(store, 0), MemorySource([]), until=idle)
    assert len(calls) == 3
