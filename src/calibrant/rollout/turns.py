"""One turn of a rollout as one command: the rollout, the binding and the approval change together or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from calibrant import errors
from calibrant.registry import approvals, artifacts, principals, resources
from calibrant.rollout import exposure, machine, signals, states


@dataclass(frozen=True, slots=True)
class Turn:
    """What to commit, what the rollout is then, and what somebody must be woken up for."""

    state: states.Rollout
    command: resources.Command
    pages: tuple[str, ...] = ()


def turn(
    found: resources.Resource,
    signal: signals.Signal,
    *,
    place: exposure.Place,
    by: principals.Principal,
    now_us: int,
    approval: resources.Resource | None = None,
    reason: str | None = None,
) -> Turn | None:
    """What a signal makes of a rollout; None when it changes nothing. ``approval`` is the one of this stage.

    A binding that cannot be restored leaves the rollout rolling back, to be tried again.
    """
    before = states.read(found)
    done = machine.move(before, signal)
    if done.state == before and not done.commands:
        return None
    try:
        return _turned(found, signal, done, place, by, now_us, approval, reason)
    except errors.RefusedError as refused:
        if done.state.phase != "rolling_back":
            raise
        missed = machine.move(done.state, signals.NotRestored(done.state.stage, now_us, refused.code))
        unbound = states.Move(missed.state, tuple(one for one in missed.commands if isinstance(one, signals.Page)))
        return _turned(found, signal, unbound, place, by, now_us, approval, reason)


def approval_name(state: states.Rollout, revision: int) -> str:
    """The request for approval of a stage, with the binding at a revision.

    The same stage asks once for each.
    """
    return f"{state.name}/{state.stage}/{revision}"


def action(signal: signals.Signal, after: states.Rollout) -> str:
    """What the audit log calls a turn."""
    match signal:
        case signals.Look() | signals.NotRestored():
            back = after.phase in ("rolling_back", "rolled_back", "rollback_failed", "aborted", "superseded")
            return "rollout.rollback" if back else "rollout.advance"
        case signals.Advance(override=True):
            return "rollout.override"
        case signals.Advance():
            return "rollout.advance"
        case signals.Pause():
            return "rollout.pause"
        case signals.Resume():
            return "rollout.resume"
        case signals.Abort():
            return "rollout.abort"
        case signals.RollBack():
            return "rollout.rollback"
        case never:
            assert_never(never)


def _turned(
    found: resources.Resource,
    signal: signals.Signal,
    done: states.Move,
    place: exposure.Place,
    by: principals.Principal,
    now_us: int,
    approval: resources.Resource | None,
    reason: str | None,
) -> Turn:
    before, state = states.read(found), done.state
    changes: list[resources.Change] = []
    requires: list[resources.Requirement] = []
    pages = []
    for one in done.commands:
        match one:
            case signals.Bind(to):
                state, bound = exposure.bind(state, to, place, approval=approval, now_us=now_us, reason=reason)
                changes += bound.changes
                requires += bound.requires
            case signals.Ask(slot, voices):
                asked = _ask(before, place, slot, voices, by=by, now_us=now_us)
                changes += asked.changes
                requires += asked.requires
            case signals.Use(slot, voices):
                # a promotion that the environment asks approval for has used it up already
                if not any(change.kind == approvals.KIND for change in changes):
                    changes.append(_use(before, place, approval, slot, voices, now_us=now_us))
            case signals.Page(why):
                pages.append(why)
            case never:
                assert_never(never)
    status = artifacts.read(place.artifact)
    evidence = tuple(digest for digest in (status.digest, status.evidence) if digest)
    first = resources.Change(
        states.KIND, found.name, found.revision, state.to_body(), action(signal, state), reason, evidence
    )  # fmt: skip
    return Turn(state, resources.Command((first, *changes), _once(requires)), tuple(pages))


def _ask(
    state: states.Rollout,
    place: exposure.Place,
    slot: approvals.Slot,
    voices: int,
    *,
    by: principals.Principal,
    now_us: int,
) -> resources.Command:
    return approvals.request(
        approval_name(state, place.revision), artifact=place.artifact, target=state.target,
        target_revision=place.revision, slot=slot, needs=voices, by=by, now_us=now_us,
        expires_us=state.started_us + state.plan.deadline_us,
    )  # fmt: skip


def _use(
    state: states.Rollout,
    place: exposure.Place,
    approval: resources.Resource | None,
    slot: approvals.Slot,
    voices: int,
    *,
    now_us: int,
) -> resources.Change:
    assert approval is not None, "a look said that this stage was approved"
    return exposure.use(place, approval, target=state.target, slot=slot, needs=voices, now_us=now_us)


def _once(requires: list[resources.Requirement]) -> tuple[resources.Requirement, ...]:
    return tuple(dict.fromkeys(requires))
