"""The rollout as a pure function: a state and a signal make the next state and commands.

Going back comes first, in every phase: what a person says about it, then guards that failed, then the deadline; it asks
no metric and no approval. Going on comes last and needs everything: the time of the step, every guard, the approvals,
nobody who paused it, no freeze. Hearing a signal twice is hearing it once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never, get_args

from calibrant.registry import approvals
from calibrant.rollout import going_back, readings, signals, states, verdicts


def move(state: states.Rollout, signal: signals.Signal) -> states.Move:
    """The next state and the commands; the same state and none where the signal changes nothing."""
    match signal:
        case signals.RollBack():
            return going_back.asked_back(state, signal)
        case signals.Abort():
            return going_back.aborted(state, signal)
        case signals.NotRestored():
            return going_back.not_restored(state, signal)
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


# ---------------------------------------------------------------- people who stop it and let it go


def _paused(state: states.Rollout) -> states.Move:
    if not state.running or state.phase == "rolling_back" or state.paused:
        return states.Move(state)
    return states.Move(replace(state, paused=True, holds=_sorted({*state.holds, "manual"})))


def _resumed(state: states.Rollout) -> states.Move:
    if not state.paused:
        return states.Move(state)
    return states.Move(replace(state, paused=False, holds=_sorted(set(state.holds) - {"manual"})))


def _released(state: states.Rollout, signal: signals.Advance) -> states.Move:
    if not state.running or state.phase == "rolling_back" or signal.stage != state.stage:
        return states.Move(state)
    return states.Move(replace(state, released=True, overridden=state.overridden or signal.override))


# ---------------------------------------------------------------- a look


def _looked(state: states.Rollout, look: signals.Look) -> states.Move:
    if not state.running or look.stage != state.stage:
        return states.Move(state)
    if state.phase == "rolling_back":
        return going_back.restoring(state, look)
    if state.origin is not None and look.bound != "ours":
        return going_back.taken_over(state, look.at_us, look.bound)
    judgement = _judged(state, look)
    known = replace(state, readings=_heard(state, look))
    if judgement.failed is not None:
        return going_back.give_up(known, look.at_us, judgement.failed, setback=True)
    if look.unfit is not None and state.phase not in ("promoting", "baking"):
        return going_back.give_up(known, look.at_us, look.unfit, setback=False)
    if look.answer == "declined" and gate(state) is not None:
        return going_back.give_up(known, look.at_us, "approval was declined", setback=False)
    if _undecided(state, look.at_us):
        return going_back.give_up(known, look.at_us, "undecided at the deadline", setback=False)
    return _held(state, look, judgement) or _onwards(known, look)


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


def _held(state: states.Rollout, look: signals.Look, judgement: verdicts.Judgement) -> states.Move | None:
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
    heard = _heard(state, look)
    after = state if _verdicts(state.readings) == _verdicts(heard) else replace(state, readings=heard)
    commands: tuple[signals.Command, ...] = ()
    slot, needs = gate(state), voices(state, environment=look.voices)
    if slot is not None and needs and look.answer != "approved":
        # people are asked last, when the evidence is there
        if not holds - {"freeze"} and state.asked != look.revision:
            after = replace(after, asked=look.revision)
            commands = (signals.Ask(slot, needs),)
        holds.update(set() if holds - {"freeze"} else {"awaiting_approval"})
    return states.Move(replace(after, holds=_sorted(holds)), commands) if holds else None


def _onwards(state: states.Rollout, look: signals.Look) -> states.Move:
    """Everything agrees: the next phase or step."""
    at_us, slot, needs = look.at_us, gate(state), voices(state, environment=look.voices)
    why = "a person overrode the guards" if state.overridden else "passed"
    use: tuple[signals.Command, ...] = (signals.Use(slot, needs),) if slot is not None and needs else ()
    match state.phase:
        case "pending":
            return states.Move(state.turned(at_us, phase="awaiting_start", reason="accepted"))
        case "awaiting_start":
            return states.Move(state.turned(at_us, phase="shadowing", reason="started"), (signals.Bind("shadow"),))
        case "shadowing":
            return states.Move(
                state.turned(at_us, phase="progressing", step=0, reason=why), (signals.Bind("expose"), *use)
            )
        case "progressing" if _last(state):
            return states.Move(state.turned(at_us, phase="promoting", reason=why), (signals.Bind("promote"), *use))
        case "progressing":
            return states.Move(state.turned(at_us, step=state.step + 1, reason=why), use)
        case "promoting":
            return states.Move(state.turned(at_us, phase="baking", reason="promoted"))
        case "baking":
            return states.Move(state.turned(at_us, phase="completed", reason=why), (signals.Bind("settle"),))
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


def _heard(state: states.Rollout, look: signals.Look) -> tuple[readings.Reading, ...]:
    """What was read about this stage; what is on record about the one before, where guards are not asked."""
    if state.phase not in get_args(verdicts.Judged):
        return state.readings
    return tuple(one for one in look.readings if one.stage == state.stage)


def _verdicts(given: Iterable[readings.Reading]) -> set[tuple[str, str, int]]:
    """Numbers that move are not put on record; verdicts that change are."""
    return {(one.guard, one.verdict, one.stage) for one in given}


def _last(state: states.Rollout) -> bool:
    return state.phase == "progressing" and state.step == len(state.plan.weights) - 1


def _sorted(holds: set[states.Hold]) -> tuple[states.Hold, ...]:
    return tuple(sorted(holds))
