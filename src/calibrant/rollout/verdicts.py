"""What several guards say together: failed as soon as one has, passed only when each that is asked has.

No data is never good news: a guard that is asked and has no reading holds or fails, unless the plan skips it; a pass
that rests on too few rows, or on labels of one class, is no pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, assert_never

from calibrant.rollout import plans, readings

#: A pass without labels must rest on so many rows.
LEAST: Final = 100

#: Why a rollout waits, as far as guards say so.
Hold = Literal["immature", "inconclusive", "source_error", "sample_ratio"]
#: Phases in which guards are asked.
Judged = Literal["shadowing", "progressing", "baking"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """``failed`` says why, when something has; without it and without holds, everything passed."""

    failed: str | None = None
    holds: tuple[Hold, ...] = ()


def judge(
    plan: plans.Plan, phase: Judged, given: Iterable[readings.Reading], *, stage: int, due: bool
) -> Judgement:  # fmt: skip
    """The verdict of all readings of this stage.

    ``due``: the stage has lasted as long as it must. Only then does a missing reading fail where the plan says so.
    """
    wanted = {one.name: one for one in asked(plan, phase)}
    kinds = {one.name: one.kind for one in plan.guards}
    known = {one.guard: one for one in given if one.stage == stage}
    holds: set[Hold] = set()
    for name in {**known, **wanted}:
        reading, guard = known.get(name), wanted.get(name)
        if reading is None or _empty(reading):
            if guard is not None and guard.no_data == "fail" and due:
                return Judgement(f"{name} has no data")
            if guard is not None and guard.no_data != "skip":
                holds.add("immature")
            continue
        match weighed(plan, reading, kind=kinds.get(name, reading.kind)):
            case "failed" if name == plans.SAMPLE_RATIO:
                holds.add("sample_ratio")
            case "failed":
                return Judgement(f"{name} failed" + (f": {reading.cause}" if reading.cause else ""))
            case "error":
                holds.add("source_error")
            case "immature" | "inconclusive" as waiting:
                # a guard that nobody asks for need not pass
                holds.update(() if guard is None else (waiting,))
            case "passed":
                pass  # it holds nothing
            case never:
                assert_never(never)
    return Judgement(None, tuple(sorted(holds)))


def asked(plan: plans.Plan, phase: Judged) -> tuple[plans.Guard, ...]:
    """The guards that must have passed in a phase: those of labels before anybody is exposed and while the canary
    grows, the others as long as there are two arms."""
    match phase:
        case "shadowing":
            return tuple(one for one in plan.guards if one.kind == "matured")
        case "progressing":
            return plan.guards
        case "baking":
            return tuple(one for one in plan.guards if one.kind != "matured")
        case never:
            assert_never(never)


def weighed(plan: plans.Plan, reading: readings.Reading, *, kind: readings.Kind) -> readings.Verdict:
    """The reading's verdict; a pass is immature while it rests on too few rows, or on labels of one class."""
    if reading.verdict != "passed":
        return reading.verdict
    if kind == "matured":
        both = reading.positives is not None and 0 < reading.positives < reading.n
        return "passed" if both and reading.n >= plan.matured else "immature"
    return "passed" if reading.n >= LEAST else "immature"


def _empty(reading: readings.Reading) -> bool:
    return reading.n == 0 and reading.verdict in ("passed", "immature", "inconclusive")
