"""Who is served by what: the changes of the binding that a rollout asks for, and whether it still is as it left it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from calibrant.registry import approvals, artifacts, bindings, resources
from calibrant.rollout import signals, states


@dataclass(frozen=True, slots=True)
class Arms:
    """Who gets which artifact (None: raw scores as they are) in which arm, ``width`` millionths of all units each."""

    salt: str
    width: int
    canary: bindings.Ref | None
    control: bindings.Ref | None
    rest: bindings.Ref | None


@dataclass(frozen=True, slots=True)
class Place:
    """What a change of the binding is decided on: the binding with all its revisions, and what may be bound there.

    ``unfit`` are the names of artifacts that must not serve any more.
    """

    found: resources.Resource | None
    history: Sequence[resources.Resource]
    artifact: resources.Resource
    environment: resources.Resource
    unfit: Collection[str] = ()

    @property
    def revision(self) -> int:
        return resources.ABSENT if self.found is None else self.found.revision


def arms(state: states.Rollout, binding: bindings.Binding) -> Arms | None:
    """The arms of a rollout; None where there are none, and the binding's champion is for everybody.

    What serves is what is bound: a control arm whose artifact was revoked meanwhile is no arm any more.
    """
    if state.phase == "progressing" and binding.challenger is not None:
        return Arms(state.name, state.weight, binding.challenger, binding.champion, binding.champion)
    if state.weight and binding.champion == state.candidate and binding.challenger == state.incumbent:
        return Arms(state.name, state.weight, binding.champion, binding.challenger, binding.champion)
    return None


def bound(state: states.Rollout, place: Place) -> signals.Bound:
    """Whether the slots that matter in this phase are as the rollout left them."""
    now = bindings.read(place.found)
    slots = (now.champion, now.challenger, now.shadow)
    match state.phase:
        case "shadowing":
            ours = slots == (state.incumbent, None, state.candidate)
        case "progressing":
            ours = (now.champion, now.challenger) == (state.incumbent, state.candidate)
        case "promoting" | "baking" | "completed":
            ours = now.champion == state.candidate
        case "rolling_back" | "rollback_failed":
            untouched = state.origin is None or state.candidate not in slots
            return "restored" if untouched or _as_before(state, place) else "ours"
        case _:
            return "ours"
    if ours:
        return "ours"
    return "restored" if _as_before(state, place) else "foreign"


def bind(
    state: states.Rollout,
    to: Literal["shadow", "expose", "promote", "settle", "restore", "withdraw"],
    place: Place,
    *,
    approval: resources.Resource | None,
    now_us: int,
    reason: str | None = None,
) -> tuple[states.Rollout, resources.Command]:
    """The change of the binding, and the rollout that knows where it came from."""
    now, origin = bindings.read(place.found), _origin(state, place)
    match to:
        case "shadow":
            stream, _, environment = state.target.partition("/")
            command = bindings.shadow(
                place.found, artifact=place.artifact, stream=stream, environment=environment, now_us=now_us,
                reason=reason,
            )  # fmt: skip
            return replace(state, origin=place.revision, incumbent=now.champion), command
        case "expose":
            command = _promoted(place, "challenger", approval, now_us=now_us, reason=reason)
            return state, _with(command, former=state.origin, shadow=_ref(origin.shadow))
        case "promote":
            command = _promoted(place, "champion", approval, now_us=now_us, reason=reason)
            # whatever serves the control arm is bound, so that revoking it takes it out of there too
            return state, _with(command, former=state.origin, challenger=_ref(state.incumbent))
        case "restore":
            assert place.found is not None
            assert place.found.body is not None
            here = replace(place.found, body={**place.found.body, "former": state.origin})
            return state, bindings.rollback(here, history=place.history, unfit=place.unfit, reason=reason)
        case "settle" | "withdraw":
            return state, _assigned(place, _without(state, now), reason)


def use(
    place: Place, approval: resources.Resource, *, target: str, slot: approvals.Slot, needs: int, now_us: int
) -> resources.Change:
    """The change that uses an approval up where no change of the binding does."""
    return approvals.use(
        approval, artifact=artifacts.read(place.artifact), target=target, target_revision=place.revision, slot=slot,
        now_us=now_us, needs=needs,
    )  # fmt: skip


def _promoted(
    place: Place, slot: approvals.Slot, approval: resources.Resource | None, *, now_us: int, reason: str | None
) -> resources.Command:
    return bindings.promote(
        place.found, artifact=place.artifact, environment=place.environment, approval=approval, now_us=now_us,
        slot=slot, reason=reason,
    )  # fmt: skip


def _with(command: resources.Command, **slots: Any) -> resources.Command:
    """The same command with other content in some slots of the binding, which is its first change."""
    first, *rest = command.changes
    assert first.body is not None
    return replace(command, changes=(replace(first, body={**first.body, **slots}), *rest))


def _assigned(place: Place, after: bindings.Binding, reason: str | None) -> resources.Command:
    if place.found is None or after == bindings.read(place.found):
        return resources.Command(())
    change = resources.Change(
        bindings.KIND, place.found.name, place.revision, after.to_body(), "binding.assign", reason
    )  # fmt: skip
    return resources.Command((change,))


def _without(state: states.Rollout, now: bindings.Binding) -> bindings.Binding:
    """The binding without what this rollout put beside the champion."""
    control = state.incumbent if now.champion == state.candidate else None
    return replace(
        now,
        challenger=None if now.challenger in (state.candidate, control) else now.challenger,
        shadow=None if now.shadow == state.candidate else now.shadow,
    )


def _as_before(state: states.Rollout, place: Place) -> bool:
    return bindings.read(place.found) == _origin(state, place)


def _origin(state: states.Rollout, place: Place) -> bindings.Binding:
    """The binding before the rollout; empty when there was none."""
    return next((bindings.read(one) for one in place.history if one.revision == state.origin), bindings.EMPTY)


def _ref(ref: bindings.Ref | None) -> Mapping[str, str] | None:
    return None if ref is None else {"artifact": ref.artifact, "digest": ref.digest}
