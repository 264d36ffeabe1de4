"""How a rollout goes back: before anybody was exposed it is aborted, afterwards the binding from before is restored."""

from __future__ import annotations

from typing import Final

from calibrant.rollout import setbacks, signals, states

#: Attempts to restore the binding before somebody is woken up.
TRIES: Final = 3


def asked_back(state: states.Rollout, signal: signals.RollBack) -> states.Move:
    """A person wants the binding from before."""
    if state.phase == "completed":
        # undone, unless something else is bound by now
        return _back(state, signal.at_us, signal.reason) if signal.bound == "ours" else states.Move(state)
    if state.phase == "rollback_failed":
        return _back(state, signal.at_us, signal.reason)
    if not state.running or state.phase == "rolling_back":
        return states.Move(state)
    if state.origin is not None and signal.bound != "ours":
        return taken_over(state, signal.at_us, signal.bound)
    return _back(state, signal.at_us, signal.reason)


def aborted(state: states.Rollout, signal: signals.Abort) -> states.Move:
    """A person gives it up."""
    if not state.running or state.phase == "rolling_back":
        return states.Move(state)
    if state.origin is not None and signal.bound != "ours":
        return taken_over(state, signal.at_us, signal.bound)
    return give_up(state, signal.at_us, "a person aborted it", setback=False)


def _back(state: states.Rollout, at_us: int, reason: str) -> states.Move:
    """Start to roll back. One setback for each time that somebody was exposed."""
    hurt = state.phase in states.EXPOSED or state.phase == "completed"
    after = state.turned(
        at_us, phase="rolling_back", reason=reason, tries=1, paused=False,
        setbacks=_one_more(state, at_us) if hurt else state.setbacks,
    )  # fmt: skip
    return states.Move(after, (signals.Bind("restore"),) if state.origin is not None else ())


def give_up(state: states.Rollout, at_us: int, reason: str, *, setback: bool) -> states.Move:
    """Before anybody was exposed it is aborted, afterwards rolled back."""
    if state.phase in states.EXPOSED:
        return _back(state, at_us, reason)
    remembered = _one_more(state, at_us) if setback else state.setbacks
    after = state.turned(at_us, phase="aborted", reason=reason, paused=False, setbacks=remembered)
    return states.Move(after, (signals.Bind("restore"),) if state.origin is not None else ())


def not_restored(state: states.Rollout, signal: signals.NotRestored) -> states.Move:
    """An attempt to restore failed: once more, or somebody is woken up."""
    if state.phase != "rolling_back" or signal.stage != state.stage:
        return states.Move(state)
    if state.tries >= TRIES:
        failed = state.turned(signal.at_us, phase="rollback_failed", reason=f"not restored: {signal.cause}")
        return states.Move(failed, (signals.Page(f"{state.target} could not be rolled back: {signal.cause}"),))
    return states.Move(state.turned(signal.at_us))


def restoring(state: states.Rollout, look: signals.Look) -> states.Move:
    """Whether the binding is restored by now."""
    if look.bound == "restored":
        return states.Move(state.turned(look.at_us, phase="rolled_back"))
    if state.tries >= TRIES:
        failed = state.turned(look.at_us, phase="rollback_failed", reason="the binding did not change")
        return states.Move(failed, (signals.Page(f"{state.target} could not be rolled back"),))
    again = state.turned(look.at_us, tries=state.tries + 1)
    return states.Move(again, (signals.Bind("restore"),))


def taken_over(state: states.Rollout, at_us: int, bound: signals.Bound) -> states.Move:
    """Somebody else restored or changed the binding: never fight over it."""
    if bound == "foreign":
        after = state.turned(at_us, phase="superseded", reason="somebody else changed the binding", paused=False)
        return states.Move(after, (signals.Bind("withdraw"),))
    if state.phase not in states.EXPOSED:
        return states.Move(state.turned(at_us, phase="aborted", reason="the shadow was taken away", paused=False))
    after = state.turned(
        at_us, phase="rolled_back", reason="the binding was rolled back by another hand",
        setbacks=_one_more(state, at_us), paused=False,
    )  # fmt: skip
    return states.Move(after)


def _one_more(state: states.Rollout, at_us: int) -> tuple[setbacks.Setback, ...]:
    return setbacks.add(
        state.setbacks, state.candidate.digest, at_us=at_us, cooldown_us=state.plan.cooldown_us
    )  # fmt: skip
