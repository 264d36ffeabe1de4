"""What one channel has been told about one group of alerts, and what it is to be told next.

Nothing is queued: what is to be told is the difference between how alerts are and what the channel was told last. So a
crash between the two loses nothing, and after an outage a channel hears how things are and not all that happened. A
message is written down before it is sent, for it may arrive without anybody here living to see it, and keeps its id
until it was delivered or overtaken: a receiver that gets it twice can tell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from calibrant.calibrators import canonical
from calibrant.slo.alerts import Alert, Status

SECOND_US: Final = 1_000_000
#: News of a group that was told before wait so long, so that many become one; the first and the end are told at once.
_GATHER_US: Final = 300 * SECOND_US
_FIRST_WAIT_US: Final = 5 * SECOND_US
_LONGEST_WAIT_US: Final = 900 * SECOND_US
#: A receiver that refuses (a wrong key) is asked again so often, and for so long.
_REFUSED_US: Final = 3_600 * SECOND_US
_GIVE_UP_US: Final = 72 * 3_600 * SECOND_US
#: Attempts that are kept to look at.
_LOG: Final = 20

Result = Literal["delivered", "failed", "refused"]


@dataclass(frozen=True, slots=True)
class Told:
    """One alert as a channel heard of it."""

    fingerprint: str
    episode: int
    status: Status


Content: TypeAlias = frozenset[Told]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: when, of which message, what came of it. ``detail`` is a status or a reason, never a body."""

    at_us: int
    message: str
    result: Result
    detail: str


@dataclass(frozen=True, slots=True)
class Message:
    """Something to be told. ``id`` stays the same over all attempts."""

    id: str
    content: Content
    since_us: int
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """Working state of one group and channel. ``next_us`` is when the waiting message is tried again."""

    told: Content = frozenset()
    told_us: int | None = None
    waiting: Message | None = None
    next_us: int = 0
    count: int = 0
    log: tuple[Attempt, ...] = ()

    def to_body(self) -> dict[str, Any]:
        waiting = self.waiting
        return {
            "told": _written(self.told),
            "told_us": self.told_us,
            "waiting": None
            if waiting is None
            else {
                "id": waiting.id,
                "content": _written(waiting.content),
                "since_us": waiting.since_us,
                "attempts": waiting.attempts,
            },
            "next_us": self.next_us,
            "count": self.count,
            "log": [
                {"at_us": one.at_us, "message": one.message, "result": one.result, "detail": one.detail}
                for one in self.log
            ],
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Delivery:
        waiting = body["waiting"]
        return cls(
            told=_read(body["told"]),
            told_us=body["told_us"],
            waiting=None if waiting is None else Message(**{**waiting, "content": _read(waiting["content"])}),
            next_us=body["next_us"],
            count=body["count"],
            log=tuple(Attempt(**one) for one in body["log"]),
        )


def _written(content: Content) -> list[list[Any]]:
    return [[one.fingerprint, one.episode, one.status] for one in sorted(content, key=lambda one: one.fingerprint)]


def _read(written: Iterable[Iterable[Any]]) -> Content:
    return frozenset(Told(*one) for one in written)


def wanted(delivery: Delivery, alerts: Iterable[Alert], *, hidden: Collection[str]) -> Content:
    """How the channel should see a group. ``hidden`` are fingerprints of alerts that are silenced or inhibited.

    A hidden alert brings no news, but its end is told to whoever heard of its beginning. An end is told where the
    beginning was, or was about to be.
    """
    heard = delivery.told | (delivery.waiting.content if delivery.waiting is not None else frozenset())
    found = set()
    for alert in alerts:
        now = Told(alert.fingerprint, alert.episode, alert.status)
        begun = Told(alert.fingerprint, alert.episode, "firing") in heard
        if (alert.status == "firing" and (begun or alert.fingerprint not in hidden)) or (
            alert.status == "resolved" and (begun or now in heard)
        ):
            found.add(now)
    return frozenset(found)


def plan(delivery: Delivery, content: Content, *, name: str, now_us: int, repeat_us: int | None) -> Delivery:
    """Put what is to be told into ``waiting``, if anything is. ``name`` is unique to the group and the channel."""
    if delivery.waiting is not None and delivery.waiting.content == content:
        return _surrender(delivery, now_us)
    if content == delivery.told or not content:
        settled = replace(delivery, waiting=None)
        firing = any(one.status == "firing" for one in content)
        told_us = delivery.told_us
        due = repeat_us is not None and firing and told_us is not None and now_us - told_us >= repeat_us
        return _message(settled, content, name, now_us, at_us=now_us) if due else settled
    begins = not any(one.status == "firing" for one in delivery.told)
    ends = not any(one.status == "firing" for one in content)
    at_us = now_us
    if not begins and not ends and delivery.told_us is not None:
        at_us = max(now_us, delivery.told_us + _GATHER_US)
    return _message(delivery, content, name, now_us, at_us=at_us)


def _message(delivery: Delivery, content: Content, name: str, now_us: int, *, at_us: int) -> Delivery:
    count = delivery.count + 1
    said = canonical.dumps([name, count, _written(content)])
    made = "msg_" + hashlib.sha256(said).hexdigest()[:24]
    return replace(delivery, waiting=Message(made, content, now_us), next_us=at_us, count=count)


def _surrender(delivery: Delivery, now_us: int) -> Delivery:
    """After three days nobody waits for a message any more: it counts as told, and the log says that it was not."""
    waiting = delivery.waiting
    if waiting is None or now_us - waiting.since_us < _GIVE_UP_US:
        return delivery
    lost = Attempt(now_us, waiting.id, "refused", f"given up after {waiting.attempts} attempts")
    return replace(delivery, told=_firing(waiting), told_us=now_us, waiting=None, log=_kept(delivery, lost))


def due(delivery: Delivery, now_us: int) -> Message | None:
    """The message to be tried now."""
    return delivery.waiting if delivery.waiting is not None and now_us >= delivery.next_us else None


def tried(
    delivery: Delivery, result: Result, *, detail: str, now_us: int, retry_after_us: int | None = None
) -> Delivery:  # fmt: skip
    """What an attempt at the waiting message changes."""
    message = delivery.waiting
    assert message is not None
    log = _kept(delivery, Attempt(now_us, message.id, result, detail[:200]))
    if result == "delivered":
        return replace(delivery, told=_firing(message), told_us=now_us, waiting=None, log=log)
    attempts = message.attempts + 1
    wait_us = _REFUSED_US if result == "refused" else max(_backoff_us(message.id, attempts), retry_after_us or 0)
    after = replace(message, attempts=attempts)
    return replace(delivery, waiting=after, next_us=now_us + min(wait_us, _REFUSED_US), log=log)


def _firing(message: Message) -> Content:
    """What is remembered of a message: ends need not be, an alert that fires again does so in another episode."""
    return frozenset(one for one in message.content if one.status == "firing")


def _backoff_us(message: str, attempts: int) -> int:
    """5 s, 10 s, 20 s … 15 min, each shortened by up to a quarter, differently for each message: no two herds."""
    wait_us = min(_FIRST_WAIT_US << min(attempts - 1, 20), _LONGEST_WAIT_US)
    draw = hashlib.sha256(f"{message}\x1f{attempts}".encode()).digest()
    return wait_us - wait_us // 4 * draw[0] // 255


def _kept(delivery: Delivery, attempt: Attempt) -> tuple[Attempt, ...]:
    return (*delivery.log, attempt)[-_LOG:]
