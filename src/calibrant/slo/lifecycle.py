"""The life of an alert: inactive -> pending -> firing -> resolved, one reading at a time.

Missing data never resolve an alert, and never make one fire. An alert that keeps coming and going is flapping: from
then on it stays, and ends only when a whole window was quiet. A clock that jumps back is held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from calibrant.slo.budgets import Condition

State = Literal["inactive", "pending", "firing", "resolved"]
Event = Literal["fired", "resolved", "flapping"]

DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Rules:
    """How long a condition must hold before it fires, and how long it must have ended before that counts.

    ``flaps`` firings within ``window_us`` are flapping, and ``window_us`` is what must then be quiet.
    """

    after_us: int = 300_000_000
    keep_us: int = 900_000_000
    flaps: int = 3
    window_us: int = DAY_US


@dataclass(frozen=True, slots=True)
class Life:
    """Where an alert is. ``episode`` counts its firings; ``fired_us`` are those of the flap window.

    ``started_us`` is the first bad reading of this episode, ``quiet_us`` the first good one after which none was bad or
    missing, ``seen_us`` the time of the newest reading.
    """

    state: State = "inactive"
    episode: int = 0
    since_us: int = 0
    started_us: int | None = None
    quiet_us: int | None = None
    seen_us: int = 0
    fired_us: tuple[int, ...] = ()
    flapping: bool = False

    def to_body(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "episode": self.episode,
            "since_us": self.since_us,
            "started_us": self.started_us,
            "quiet_us": self.quiet_us,
            "seen_us": self.seen_us,
            "fired_us": list(self.fired_us),
            "flapping": self.flapping,
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Life:
        return cls(**{**body, "fired_us": tuple(body["fired_us"])})


@dataclass(frozen=True, slots=True)
class Stepped:
    """The next state, and what happened on the way to it."""

    life: Life
    events: tuple[Event, ...] = ()


def step(life: Life, condition: Condition, *, now_us: int, rules: Rules) -> Stepped:
    """One reading."""
    now_us = max(now_us, life.seen_us)
    life = replace(life, seen_us=now_us)
    if life.state == "firing":
        return _firing(life, condition, now_us, rules)
    if condition == "unknown":
        return Stepped(life)
    if condition == "good":
        return Stepped(_to(life, "inactive", now_us) if life.state == "pending" else life)
    if life.state != "pending":
        life = replace(_to(life, "pending", now_us), started_us=now_us, quiet_us=None)
        if rules.after_us > 0:
            return Stepped(life)
    return _fire(life, now_us, rules) if now_us - life.since_us >= rules.after_us else Stepped(life)


def differs(before: Life, after: Life) -> bool:
    """Whether a step is worth writing down: another reading of the same kind alone is not."""
    return replace(after, seen_us=before.seen_us) != before


def _fire(life: Life, now_us: int, rules: Rules) -> Stepped:
    fired = (*(at for at in life.fired_us if now_us - at < rules.window_us), now_us)
    flapping = len(fired) >= rules.flaps
    after = replace(
        _to(life, "firing", now_us), episode=life.episode + 1, fired_us=fired[-rules.flaps :], flapping=flapping
    )
    return Stepped(after, ("fired", "flapping") if flapping else ("fired",))


def _firing(life: Life, condition: Condition, now_us: int, rules: Rules) -> Stepped:
    if condition != "good":
        return Stepped(replace(life, quiet_us=None))
    quiet_us = now_us if life.quiet_us is None else life.quiet_us
    if now_us - quiet_us < (rules.window_us if life.flapping else rules.keep_us):
        return Stepped(replace(life, quiet_us=quiet_us))
    ended = replace(_to(life, "resolved", now_us), quiet_us=quiet_us, flapping=False)
    return Stepped(ended, ("resolved",))


def _to(life: Life, state: State, now_us: int) -> Life:
    return replace(life, state=state, since_us=now_us)
