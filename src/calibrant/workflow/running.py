"""The controller: looks at every stream when it is due, each under its lease, none waiting for another.

Several controllers share the streams: who holds a stream's lease looks, and the store refuses whoever lost it in the
meantime. A stream whose look fails or takes long holds up nobody; the failure is told and the next look tries again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from calibrant import errors
from calibrant.joining import contract
from calibrant.ports import clock
from calibrant.registry import bindings
from calibrant.slo import budgets, labels, readings
from calibrant.streams import burn_rules, declaration
from calibrant.workflow import advising, alarming, controlling, deliveries, leases, objectives

#: Streams that are looked at side by side.
WORKERS: Final = 4
#: How far a stream's looks are moved from the beginning of their period, at most, as a share of it.
JITTER: Final = 0.1


class Dice(Protocol):
    """Randomness: uniform numbers in [0, 1)."""

    def random(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of one stream in one round: looked at, held by another controller, or failed."""

    stream: str
    seen: controlling.Seen | None = None
    held: bool = False
    failure: errors.CalibrantError | None = None


@dataclass(slots=True)
class Controller:
    """Looks at streams in one environment. ``holder`` is its name in leases; without an ``office`` nobody is told."""

    post: controlling.Post
    environment: str
    holder: str
    clock: clock.Clock
    dice: Dice
    office: deliveries.Office | None = None
    workers: int = WORKERS
    _due: dict[str, int] = field(default_factory=dict)
    _running: dict[str, futures.Future[Turn]] = field(default_factory=dict)
    _pool: futures.ThreadPoolExecutor | None = None

    def round(self, streams: Iterable[declaration.Stream], *, wait: bool = False) -> tuple[Turn, ...]:
        """Begin a look at every stream that is due; the turns that ended. ``wait``: all of them have."""
        if self._pool is None:
            self._pool = futures.ThreadPoolExecutor(self.workers, thread_name_prefix="look")
        for stream in streams:
            if stream.name not in self._running and self.clock.now_us() >= self._due.get(stream.name, 0):
                self._due[stream.name] = self._next(stream)
                self._running[stream.name] = self._pool.submit(self.turn, stream)
        if wait:
            futures.wait(self._running.values())
        ended = {name: one for name, one in self._running.items() if one.done()}
        for name in ended:
            del self._running[name]
        return tuple(ended[name].result() for name in sorted(ended))

    def turn(self, stream: declaration.Stream) -> Turn:
        """One look under the lease of the stream."""
        target = bindings.name(stream.name, self.environment)
        post = self.post
        try:
            lease = leases.take(post.state, target, holder=self.holder, now_us=self.clock.now_us())
            if lease is None:
                return Turn(stream.name, held=True)
            fenced = replace(post, ledger=replace(post.ledger, fence=(lease.requirement(),)))
            seen = controlling.look(fenced, stream, self.environment, now_us=self.clock.now_us())
            if self.office is not None:
                alarmed(fenced, stream, self.environment, self.office, seen, now_us=self.clock.now_us())
            leases.release(post.state, lease)
        except errors.CalibrantError as error:
            return Turn(stream.name, failure=error)
        return Turn(stream.name, seen)

    def close(self) -> None:
        """Wait for the looks that are under way, and begin none."""
        if self._pool is not None:
            self._pool.shutdown()

    def _next(self, stream: declaration.Stream) -> int:
        """A period later, moved a little: looks of many streams do not fall together."""
        every = stream.policies.watch.every // contract.MICROSECOND
        return self.clock.now_us() + int(every * (1.0 + JITTER * (self.dice.random() - 0.5)))


def alarmed(
    post: controlling.Post,
    stream: declaration.Stream,
    environment: str,
    office: deliveries.Office,
    seen: controlling.Seen,
    *,
    now_us: int,
) -> alarming.Round:
    """Assess the objective of what was served, put it on record with what the look saw, and tell who is to be told."""
    reader = post.ledger.reader
    served = advising.rules_over_time(reader, post.contents, stream, environment)
    assessed = objectives.assess(post.events, stream, now_us=now_us, keep=post.events, served=served)
    champion = bindings.read(reader.get(bindings.KIND, bindings.name(stream.name, environment))).champion
    behind = alarming.Behind(None if champion is None else champion.digest)
    return alarming.take(
        post.ledger, post.state, stream, office, assessed, by=post.by, now_us=now_us, behind=behind,
        more=tuple(_watched(stream, seen)),
    )  # fmt: skip


def _watched(stream: declaration.Stream, seen: controlling.Seen) -> Iterator[labels.Reading]:
    """What a look saw beside the objective, each as an alert that could be: good, bad, or unknown without data."""

    def reading(name: str, condition: budgets.Condition, said: str, severity: burn_rules.Severity) -> labels.Reading:
        return readings.of_watch(
            name, condition, said, stream=stream.name, runbook=stream.runbook, severity=severity
        )  # fmt: skip

    yield reading(
        "TelemetryLost", "bad" if seen.no_data else "good", "no prediction has come for too long", "page"
    )  # fmt: skip
    off = ", ".join(one.name for one in seen.alarms[:5])
    condition: budgets.Condition = "unknown" if seen.no_data else "bad" if seen.alarms else "good"
    yield reading("Miscalibrated", condition, f"off beyond the tolerance: {off}" if off else "nothing is off", "ticket")
    failed = bool(seen.pages)
    yield reading(
        "RollbackFailed", "bad" if failed else "good", "; ".join(seen.pages) or "no rollback has failed", "page"
    )


def told(turn: Turn) -> Mapping[str, object]:
    """A turn as one line of a log."""
    if turn.failure is not None:
        return {"stream": turn.stream, "failed": turn.failure.code, "what": turn.failure.what}
    if turn.seen is None:
        return {"stream": turn.stream, "held_by_another": turn.held}
    seen = turn.seen
    return {
        "stream": seen.stream,
        "at_us": seen.at_us,
        "champion": seen.champion,
        "no_data": seen.no_data,
        "alarms": [{"group": one.name, "p_value": one.p_value, "changed": one.changed} for one in seen.alarms],
        "done": list(seen.done),
    }
