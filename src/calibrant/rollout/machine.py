"""The rollout as a pure function: a state and a signal make the next state and commands.

Going back comes first, in every phase: what a person says about it, then guards that failed, then the deadline; it asks
no metric and no approval. Going on comes last and needs everything: the time of the step, every guard, the approvals,
nobody who paused it, no freeze. Hearing a signal twice is hearing it once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, assert_never

from calibrant.registry import approvals
from calibrant.rollout import setbacks, signals, states, verdicts

#: Attempts to restore the binding before somebody is woken up.
TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Step:
    """What the rollout is now, and what is to be done in the same transaction."""

    state: states.Rollout
    commands: tuple[signals.Command, ...] = ()


def step(state: states.Rollout, signal: signals.Signal) -> Step:
    """The next state and the commands; the same state and none where the signal changes nothing."""
    match signal:
        case signals.RollBack():
            return _asked_back(state, signal)
        case signals.Abort():
            return _aborted(state, signal)
        case signals.NotRestored():
            return _not_restored(state, signal)
        case signals.Pause():
            return _paused(state)
        case signals.Resume():
            return _resumed(state)
        case signals.Advance():
            return _released(state, signal)
        case signals.Look():
            return _looked(state, signal)
        case never:
            assert_never(never)


def gate(state: states.Rollout) -> approvals.Slot | None:
    """The slot that approval is asked for before this stage is left; None where no one is exposed any further."""
    match state.phase:
        case "shadowing":
            return "challenger"
        case "progressing":
            return "champion" if _last(state) else "challenger"
        case _:
            return None


def voices(state: states.Rollout, *, environment: int) -> int:
    """How many people must approve before this stage is left.

    The environment asks for its approvals where the binding changes; the mode ``approve`` asks for one at each step.
    """
    if gate(state) is None:
        return 0
    rebinds = state.phase == "shadowing" or _last(state)
    return max(environment if rebinds else 0, 1 if state.plan.mode == "approve" else 0)


# ---------------------------------------------------------------- going back


def _asked_back(state: states.Rollout, signal: signals.RollBack) -> Step:
    if state.phase == "completed":
        # undone, unless something else is bound by now
        return _back(state, signal.at_us, signal.reason) if signal.bound == "ours" else Step(state)
    if state.phase == "rollback_failed":
        return _back(state, signal.at_us, signal.reason)
    if not state.running or state.phase == "rolling_back":
        return Step(state)
    if state.origin is not None and signal.bound != "ours":
        return _taken_over(state, signal.at_us, signal.bound)
    return _back(state, signal.at_us, signal.reason)


def _aborted(state: states.Rollout, signal: signals.Abort) -> Step:
    if not state.running or state.phase == "rolling_back":
        return Step(state)
    if state.origin is not None and signal.bound != "ours":
        return _taken_over(state, signal.at_us, signal.bound)
    return _give_up(state, signal.at_us, "a person aborted it", setback=False)


def _back(state: states.Rollout, at_us: int, reason: str) -> Step:
    """Start to roll back. One setback for each time that somebody was exposed."""
    hurt = state.phase in states.EXPOSED or state.phase == "completed"
    after = _turn(
        state, at_us, phase="rolling_back", reason=reason, tries=1, paused=False,
        setbacks=_one_more(state, at_us) if hurt else state.setbacks,
    )  # fmt: skip
    return Step(after, (signals.Bind("restore"),) if state.origin is not None else ())


def _give_up(state: states.Rollout, at_us: int, reason: str, *, setback: bool) -> Step:
    """Before anybody was exposed it is aborted, afterwards rolled back."""
    if state.phase in states.EXPOSED:
        return _back(state, at_us, reason)
    remembered = _one_more(state, at_us) if setback else state.setbacks
    after = _turn(state, at_us, phase="aborted", reason=reason, paused=False, setbacks=remembered)
    return Step(after, (signals.Bind("restore"),) if state.origin is not None else ())


def _not_restored(state: states.Rollout, signal: signals.NotRestored) -> Step:
    if state.phase != "rolling_back" or signal.stage != state.stage:
        return Step(state)
    if state.tries >= TRIES:
        failed = _turn(state, signal.at_us, phase="rollback_failed", reason=f"not restored: {signal.cause}")
        return Step(failed, (signals.Page(f"{state.target} could not be rolled back: {signal.cause}"),))
    return Step(_turn(state, signal.at_us, tries=state.tries + 1, reason=state.reason))


def _restoring(state: states.Rollout, look: signals.Look) -> Step:
    if look.bound == "restored":
        return Step(_turn(state, look.at_us, phase="rolled_back", reason=state.reason))
    if look.bound == "foreign":
        return _superseded(state, look.at_us)
    if state.tries >= TRIES:
        failed = _turn(state, look.at_us, phase="rollback_failed", reason="the binding did not change")
        return Step(failed, (signals.Page(f"{state.target} could not be rolled back"),))
    again = _turn(state, look.at_us, tries=state.tries + 1, reason=state.reason)
    return Step(again, (signals.Bind("restore"),))


def _superseded(state: states.Rollout, at_us: int) -> Step:
    after = _turn(state, at_us, phase="superseded", reason="somebody else changed the binding", paused=False)
    return Step(after, (signals.Bind("withdraw"),))


# ---------------------------------------------------------------- people who stop it and let it go


def _paused(state: states.Rollout) -> Step:
    if not state.running or state.phase == "rolling_back" or state.paused:
        return Step(state)
    return Step(replace(state, paused=True, holds=_sorted({*state.holds, "manual"})))


def _resumed(state: states.Rollout) -> Step:
    if not state.paused:
        return Step(state)
    return Step(replace(state, paused=False, holds=_sorted(set(state.holds) - {"manual"})))


def _released(state: states.Rollout, signal: signals.Advance) -> Step:
    if not state.running or state.phase == "rolling_back" or signal.stage != state.stage:
        return Step(state)
    return Step(replace(state, released=True, overridden=state.overridden or signal.override))


# ---------------------------------------------------------------- a look


def _looked(state: states.Rollout, look: signals.Look) -> Step:
    if not state.running or look.stage != state.stage:
        return Step(state)
    if state.phase == "rolling_back":
        return _restoring(state, look)
    if state.origin is not None and look.bound != "ours":
        return _taken_over(state, look.at_us, look.bound)
    judgement = _judged(state, look)
    known = replace(state, readings=look.readings)
    if judgement.failed is not None:
        return _give_up(known, look.at_us, judgement.failed, setback=True)
    if look.unfit is not None and state.phase not in ("promoting", "baking"):
        return _give_up(known, look.at_us, look.unfit, setback=False)
    if look.answer == "declined" and gate(state) is not None:
        return _give_up(known, look.at_us, "approval was declined", setback=False)
    if _undecided(state, look.at_us):
        return _give_up(known, look.at_us, "undecided at the deadline", setback=False)
    return _held(state, look, judgement) or _onwards(known, look)


def _taken_over(state: states.Rollout, at_us: int, bound: signals.Bound) -> Step:
    """Somebody else restored or changed the binding: never fight over it."""
    if bound == "foreign":
        return _superseded(state, at_us)
    if state.phase not in states.EXPOSED:
        return Step(_turn(state, at_us, phase="aborted", reason="the shadow was taken away", paused=False))
    after = _turn(
        state, at_us, phase="rolled_back", reason="the binding was rolled back by another hand",
        setbacks=_one_more(state, at_us), paused=False,
    )  # fmt: skip
    return Step(after)


def _judged(state: states.Rollout, look: signals.Look) -> verdicts.Judgement:
    match state.phase:
        case "shadowing" | "progressing" | "baking" as phase:
            due = look.at_us >= state.entered_us + _least_us(state)
            return verdicts.judge(state.plan, phase, look.readings, stage=state.stage, due=due)
        case _:
            return verdicts.Judgement()


def _undecided(state: states.Rollout, at_us: int) -> bool:
    """Baking has the same time again, from its own beginning: what was promoted was decided."""
    began = state.entered_us + state.plan.bake_us if state.phase == "baking" else state.started_us
    return state.phase != "promoting" and at_us >= began + state.plan.deadline_us


def _held(state: states.Rollout, look: signals.Look, judgement: verdicts.Judgement) -> Step | None:
    """The same stage with what it waits for, or None when it waits for nothing."""
    holds: set[states.Hold] = set()
    if not state.overridden:
        holds.update(judgement.holds)
        if look.at_us < state.entered_us + _least_us(state):
            holds.add("step_hold")
        if look.exhausted and state.phase in ("pending", "awaiting_start"):
            holds.add("budget")
    if state.phase not in ("pending", "promoting"):
        # these two change nothing for anybody
        holds.update({"manual"} if state.paused else ())
        holds.update({"freeze"} if look.freeze is not None else ())
    if not holds and state.plan.mode == "manual" and not state.released and gate(state) is not None:
        holds.add("awaiting_advance")
    after = replace(state, readings=state.readings if _same_verdicts(state, look) else look.readings)
    commands: tuple[signals.Command, ...] = ()
    slot, needs = gate(state), voices(state, environment=look.voices)
    if slot is not None and needs and look.answer != "approved":
        # people are asked last, when the evidence is there
        if not holds - {"freeze"} and state.asked != look.revision:
            after = replace(after, asked=look.revision)
            commands = (signals.Ask(slot, needs),)
        holds.update(set() if holds - {"freeze"} else {"awaiting_approval"})
    return Step(replace(after, holds=_sorted(holds)), commands) if holds else None


def _onwards(state: states.Rollout, look: signals.Look) -> Step:
    """Everything agrees: the next phase or step."""
    at_us, slot, needs = look.at_us, gate(state), voices(state, environment=look.voices)
    why = "a person overrode the guards" if state.overridden else "passed"
    use: tuple[signals.Command, ...] = (signals.Use(slot, needs),) if slot is not None and needs else ()
    match state.phase:
        case "pending":
            return Step(_turn(state, at_us, phase="awaiting_start", reason="accepted"))
        case "awaiting_start":
            return Step(_turn(state, at_us, phase="shadowing", reason="started"), (signals.Bind("shadow"),))
        case "shadowing":
            return Step(_turn(state, at_us, phase="progressing", step=0, reason=why), (signals.Bind("expose"), *use))
        case "progressing" if _last(state):
            return Step(_turn(state, at_us, phase="promoting", reason=why), (signals.Bind("promote"), *use))
        case "progressing":
            return Step(_turn(state, at_us, step=state.step + 1, reason=why), use)
        case "promoting":
            return Step(_turn(state, at_us, phase="baking", reason="promoted"))
        case "baking":
            return Step(_turn(state, at_us, phase="completed", reason=why), (signals.Bind("settle"),))
        case _:
            raise AssertionError(f"nothing goes on from {state.phase}")


def _least_us(state: states.Rollout) -> int:
    """The least time of this stage."""
    match state.phase:
        case "shadowing":
            return state.plan.shadow_us
        case "progressing":
            return state.plan.hold_us
        case "baking":
            return state.plan.bake_us
        case _:
            return 0


def _turn(state: states.Rollout, at_us: int, **changes: Any) -> states.Rollout:
    """The next stage: what was said about the one before is of the past; what was read stays as its evidence."""
    fresh = {"stage": state.stage + 1, "entered_us": at_us, "released": False, "overridden": False, "asked": None}
    after = replace(state, **{**fresh, **changes})
    return replace(after, holds=("manual",) if after.paused else ())


def _same_verdicts(state: states.Rollout, look: signals.Look) -> bool:
    """Numbers that move are not put on record; verdicts that change are."""
    return {(one.guard, one.verdict, one.stage) for one in state.readings} == {
        (one.guard, one.verdict, one.stage) for one in look.readings
    }


def _last(state: states.Rollout) -> bool:
    return state.phase == "progressing" and state.step == len(state.plan.weights) - 1


def _one_more(state: states.Rollout, at_us: int) -> tuple[setbacks.Setback, ...]:
    return setbacks.add(
        state.setbacks, state.candidate.digest, at_us=at_us, cooldown_us=state.plan.cooldown_us
    )  # fmt: skip


def _sorted(holds: set[states.Hold]) -> tuple[states.Hold, ...]:
    return tuple(sorted(holds))
