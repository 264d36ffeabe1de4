"""A rollout for people: a tree of its stages with weights, verdicts and reasons; and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from calibrant.cli import console, control

if TYPE_CHECKING:
    from calibrant.rollout.readings import Reading
    from calibrant.rollout.states import Rollout
    from calibrant.workflow.rollout_record import Recorded
    from calibrant.workflow.rollouts import Told

#: What each hold means.
_WAITS = {
    "awaiting_advance": "a person's word",
    "awaiting_approval": "approval",
    "budget": "an error budget",
    "freeze": "the end of a freeze",
    "immature": "more matured labels or rows",
    "inconclusive": "a clear answer",
    "manual": "whoever paused it",
    "sample_ratio": "arms that are alike",
    "source_error": "a source that fails",
    "step_hold": "the time of this step",
}


def label(state: Rollout) -> str:
    """The phase, with the canary's share."""
    if state.phase == "progressing":
        return f"canary {share(state.weight)}"
    if state.phase == "baking":
        return f"baking, control {share(state.weight)}"
    return state.phase.replace("_", " ")


def share(millionths: int) -> str:
    """A width in percent.

    >>> share(10_000), share(500)
    ('1 %', '0.05 %')
    """
    return f"{millionths / 10_000:g} %"


def waits(state: Rollout) -> str:
    """What it waits for, in words."""
    return ", ".join(_WAITS[one] for one in state.holds)


def tree(state: Rollout, turns: Sequence[Recorded], *, binding_revision: int) -> str:
    """The stages in their order, each with what its guards said last, and what comes next."""
    from calibrant.rollout import turns as rules

    before = "raw scores" if state.incumbent is None else state.incumbent.artifact
    lines = [f"{state.name}: {state.candidate.artifact} in place of {before}, mode {state.plan.mode}"]
    stages = _stages(turns)
    for index, (first, last) in enumerate(stages):
        latest = index == len(stages) - 1
        branch, below = ("└─ ", "   ") if latest else ("├─ ", "│  ")
        left = None if latest else stages[index + 1][0].state.reason
        lines.append(f"{branch}{_stage(first, last, left)}")
        lines += [f"{below}   {_reading(one)}" for one in _readings(turns, last.state.stage)]
    if "awaiting_approval" in state.holds:
        lines.append(f"calibrant approval show {rules.approval_name(state, binding_revision)}")
    for one in state.setbacks:
        if one.digest == state.candidate.digest:
            lines.append(f"taken back {one.times} times; rests until {control.moment(one.until_us)}")
    return "\n".join(lines)


def document(told: Told, turns: Sequence[Recorded]) -> dict[str, Any]:
    """A rollout with its stages as plain data."""
    stages = [
        {
            "stage": first.state.stage,
            "phase": first.state.phase,
            "weight": first.state.weight,
            "since": control.moment(first.at_us),
            "reason": first.state.reason,
            "holds": list(last.state.holds),
            "readings": [one.to_body() for one in _readings(turns, first.state.stage)],
        }
        for first, last in _stages(turns)
    ]
    return {"schema": "calibrant.rollout/1", **body(told.state), "revision": told.revision, "stages": stages}


def body(state: Rollout) -> dict[str, Any]:
    """A rollout as plain data."""
    return {"name": state.name, "running": state.running, "weight": state.weight, **state.to_body()}


def turns(recorded: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Every turn as plain data."""
    return [
        {
            "at": control.moment(one.at_us),
            "action": one.action,
            "actor": one.actor,
            "index": one.index,
            "said": one.said,
            **body(one.state),
        }
        for one in recorded
    ]


def _stages(turns: Sequence[Recorded]) -> list[tuple[Recorded, Recorded]]:
    """The first and the last turn of each stage."""
    firsts: dict[int, Recorded] = {}
    lasts: dict[int, Recorded] = {}
    for one in turns:
        firsts.setdefault(one.state.stage, one)
        lasts[one.state.stage] = one
    return [(firsts[stage], lasts[stage]) for stage in firsts]


def _stage(first: Recorded, last: Recorded, left: str | None) -> str:
    """One stage: since when, who brought it there and why, and how it was left or what it waits for."""
    said = f' "{first.said}"' if first.said else ""
    line = f"{label(last.state):<22} {control.moment(first.at_us)} by {first.actor}{said}: "
    if left is not None:
        return line + left
    return line + (f"waits for {waits(last.state)}" if last.state.holds else last.state.reason)


def _readings(turns: Sequence[Recorded], stage: int) -> list[Reading]:
    """What guards said last about a stage: the turn that leaves it has it too."""
    said = {one.guard: one for turn in turns for one in turn.state.readings if one.stage == stage}
    return [said[guard] for guard in sorted(said)]


def _reading(one: Reading) -> str:
    parts = [f"{one.guard:<16} {one.verdict:<12} n {one.n:,}"]
    if one.positives is not None:
        parts.append(f"positives {one.positives:,}")
    if one.estimate is not None:
        bounds = f"[{console.number(one.low)}, {console.number(one.high)}]"
        parts.append(f"{console.number(one.estimate)} {bounds}, margin {console.number(one.margin)}")
    return "  ".join([*parts, *([one.cause] if one.cause else [])])
