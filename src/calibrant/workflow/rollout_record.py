"""What became of rollouts: every turn as the audit log has it, and who is served by what now."""

from __future__ import annotations

from dataclasses import dataclass

from calibrant.audit import entries
from calibrant.ports import control_store
from calibrant.registry import bindings, resources
from calibrant.rollout import exposure, states


@dataclass(frozen=True, slots=True)
class Recorded:
    """One turn as the audit log has it; ``said`` is None when nobody said anything, or it was erased."""

    state: states.Rollout
    at_us: int
    action: str
    actor: str
    index: int
    said: str | None


def arms(reader: control_store.ControlReader, target: str) -> exposure.Arms | None:
    """Who is served by what now; None while the champion is for everybody."""
    with reader.snapshot() as view:
        found = view.get(states.KIND, target)
        if found is None or found.body is None:
            return None
        return exposure.arms(states.read(found), bindings.read(view.get(bindings.KIND, target)))


def record(reader: control_store.ControlReader, target: str, *, number: int | None = None) -> tuple[Recorded, ...]:
    """All turns of a rollout, oldest first: of the newest one unless a number is given."""
    with reader.snapshot() as view:
        found = [(one, states.read(one)) for one in view.history(states.KIND, target)]
        wanted = found[-1][1].number if number is None and found else number
        return tuple(_recorded(view, one, state) for one, state in found if state.number == wanted)


def _recorded(view: control_store.ControlReader, one: resources.Resource, state: states.Rollout) -> Recorded:
    entry = entries.loads(next(iter(view.entries(one.index, one.index + 1))))
    said = None if entry.reason is None else view.said(entry.reason)
    return Recorded(state, one.at_us, entry.action, entry.actor, one.index, None if said is None else said.text)
