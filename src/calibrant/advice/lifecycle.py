"""The states of a recommendation: a pure function from a state and a signal to a state and what is to be done.

    proposed -> validating -> validated -> approved -> rolled_out      (awaiting_approval before approved, by mode)
    any that has not ended -> superseded | suppressed | stale          (suppressed and stale are validated again)

A signal that a state has no use for changes nothing, so that delivering one twice does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias, assert_never, get_args

from calibrant import errors
from calibrant.streams import policies

KIND: Final = "recommendation"

Phase = Literal[
    "proposed", "validating", "validated", "rejected", "awaiting_approval", "approved", "declined", "expired",
    "rolled_out", "superseded", "suppressed", "stale",
]  # fmt: skip
#: Nothing comes after these.
ENDED: Final[frozenset[Phase]] = frozenset({"rejected", "declined", "expired", "rolled_out", "superseded"})
_WAITING: Final[frozenset[Phase]] = frozenset({"proposed", "stale", "suppressed"})

Command = Literal["validate", "ask_approval", "start_rollout", "withdraw_approval", "tell"]


@dataclass(frozen=True, slots=True)
class Begin:
    """Nothing holds it: validate it."""


@dataclass(frozen=True, slots=True)
class Validated:
    """What validation said. Only ``passed`` leads on; ``inconclusive`` and ``error`` are no good news."""

    verdict: Literal["passed", "failed", "inconclusive", "error"]


@dataclass(frozen=True, slots=True)
class Decided:
    """A person approved or declined."""

    verdict: Literal["approve", "decline"]
    by: str


@dataclass(frozen=True, slots=True)
class Expired:
    """Nobody decided in time."""


@dataclass(frozen=True, slots=True)
class RolledOut:
    """The rollout was completed."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A newer recommendation takes its place."""

    by: str


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Something holds it back."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """The champion or the data are not those that it was made from."""

    why: str


Signal: TypeAlias = Begin | Validated | Decided | Expired | RolledOut | Superseded | Suppressed | Moved


@dataclass(frozen=True, slots=True)
class State:
    """One recommendation. ``why`` tells the last step to people; ``decided_by`` is who approved or declined."""

    phase: Phase
    mode: policies.Mode
    why: str = ""
    decided_by: str | None = None

    def to_body(self) -> dict[str, Any]:
        return {"phase": self.phase, "mode": self.mode, "why": self.why, "decided_by": self.decided_by}

    @classmethod
    def from_body(cls, found: Mapping[str, Any]) -> State:
        """UsageError (CAL-467) for anything but what ``to_body`` writes."""
        good = set(found) == {"phase", "mode", "why", "decided_by"} and found["phase"] in get_args(Phase)
        if not good or found["mode"] not in get_args(policies.Mode):
            raise errors.UsageError(
                "CAL-467",
                "this is no recommendation",
                cause="its members or its phase are not those of a recommendation",
                fix="keep what calibrant wrote",
            )
        return cls(found["phase"], found["mode"], found["why"], found["decided_by"])


Step: TypeAlias = tuple[State, tuple[Command, ...]]


def step(state: State, signal: Signal) -> Step:
    """What becomes of a recommendation, and what is to be done about it."""
    if state.phase in ENDED:
        return state, ()
    match signal:
        case Superseded(by):
            return _to(state, "superseded", f"superseded by {by}"), _withdrawn(state)
        case Suppressed(reasons):
            return _suppressed(state, "; ".join(reasons))
        case Moved(why):
            return _stale(state, why)
        case Begin():
            return (_to(state, "validating", ""), ("validate",)) if state.phase in _WAITING else (state, ())
        case Validated(verdict):
            return _validated(state, verdict) if state.phase == "validating" else (state, ())
        case Decided(verdict, by):
            return _decided(state, verdict, by)
        case Expired():
            return (_to(state, "expired", "nobody decided in time"), ("tell",)) if _asks(state) else (state, ())
        case RolledOut():
            return (_to(state, "rolled_out", ""), ()) if state.phase == "approved" else (state, ())
        case _:
            assert_never(signal)


def _validated(state: State, verdict: Literal["passed", "failed", "inconclusive", "error"]) -> Step:
    if verdict != "passed":
        return _to(state, "rejected", f"validation {verdict}"), ("tell",)
    match state.mode:
        case "manual":
            return _to(state, "validated", "advice only: a person starts the rollout"), ("tell",)
        case "approve":
            return _to(state, "awaiting_approval", ""), ("ask_approval",)
        case "auto":
            return _to(state, "approved", "inside the limits of the stream's policy"), ("start_rollout",)
        case _:
            assert_never(state.mode)


def _decided(state: State, verdict: Literal["approve", "decline"], by: str) -> Step:
    if not _asks(state):
        return state, ()
    if verdict == "decline":
        return replace(_to(state, "declined", f"declined by {by}"), decided_by=by), ()
    return replace(_to(state, "approved", f"approved by {by}"), decided_by=by), ("start_rollout",)


def _suppressed(state: State, why: str) -> Step:
    """What already rolls out is the rollout's to hold."""
    if state.phase in ("suppressed", "approved"):
        return state, ()
    return _to(state, "suppressed", why), _withdrawn(state)


def _stale(state: State, why: str) -> Step:
    """Proofs and approvals were of something else: it starts over."""
    if state.phase in _WAITING:
        return state, ()
    return replace(_to(state, "stale", why), decided_by=None), _withdrawn(state)


def _asks(state: State) -> bool:
    """Whether a person's word counts now."""
    return state.phase == "awaiting_approval" or (state.phase == "validated" and state.mode == "manual")


def _withdrawn(state: State) -> tuple[Command, ...]:
    return ("withdraw_approval",) if state.phase == "awaiting_approval" else ()


def _to(state: State, phase: Phase, why: str) -> State:
    return replace(state, phase=phase, why=why)
