"""The state of a rollout: its phase, its step, why it waits, and what was rolled back before it.

    pending -> awaiting_start -> shadowing -> progressing (step by step) -> promoting -> baking -> completed
    before exposure:       -> aborted
    from every one of them -> rolling_back -> rolled_back | rollback_failed
    another hand took over -> superseded

Whoever waits is paused: ``holds`` says for what. There is one rollout at a time for a stream in an environment; it is
the resource of that name, and the next one takes its place and its memory of setbacks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from calibrant.registry import bindings, resources
from calibrant.rollout import plans, readings, setbacks, signals, verdicts

KIND: Final = "rollout"

Phase = Literal[
    "pending", "awaiting_start", "shadowing", "progressing", "promoting", "baking", "completed",
    "rolling_back", "rolled_back", "rollback_failed", "aborted", "superseded",
]  # fmt: skip
Hold = Literal[verdicts.Hold, "step_hold", "awaiting_approval", "awaiting_advance", "freeze", "budget", "manual"]

PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
#: Nothing comes after these by itself.
TERMINAL: Final[frozenset[Phase]] = frozenset(
    {"completed", "rolled_back", "rollback_failed", "aborted", "superseded"}
)  # fmt: skip
#: The candidate serves somebody, or did until a moment ago.
EXPOSED: Final[frozenset[Phase]] = frozenset({"progressing", "promoting", "baking"})


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout. It is a value: ``machine.move`` makes the next one.

    ``number`` counts the rollouts of the target. ``origin`` is the revision of the binding that rolling back restores;
    None until the rollout touches it. ``stage`` grows with each turn: readings, and words of people that are meant for
    one moment, carry the stage that they are about. ``step`` is the index of the weight. ``released`` and
    ``overridden`` are a person's word to go on, for this stage; ``asked`` is the revision of the binding that people
    were asked to approve in this stage. ``tries`` counts attempts to roll back. ``reason`` says why it is where it is.
    """

    target: str
    number: int
    candidate: bindings.Ref
    incumbent: bindings.Ref | None
    plan: plans.Plan
    started_us: int
    entered_us: int
    phase: Phase = "pending"
    step: int = 0
    stage: int = 0
    holds: tuple[Hold, ...] = ()
    origin: int | None = None
    paused: bool = False
    released: bool = False
    overridden: bool = False
    asked: int | None = None
    tries: int = 0
    reason: str = "started"
    readings: tuple[readings.Reading, ...] = ()
    setbacks: tuple[setbacks.Setback, ...] = ()

    @property
    def name(self) -> str:
        """What this rollout is called, and the salt of its arms.

        Of all rollouts of all targets, only this one has it.
        """
        return f"{self.target}/{self.number}"

    @property
    def running(self) -> bool:
        return self.phase not in TERMINAL

    @property
    def weight(self) -> int:
        """The width of the canary and control arms, in millionths of all units; 0 where there are no arms."""
        match self.phase:
            case "progressing":
                return self.plan.weights[self.step]
            case "promoting" | "baking":
                return self.plan.control
            case _:
                return 0

    def turned(self, at_us: int, **changes: Any) -> Rollout:
        """The next stage: what was said about the one before is of the past; what was read stays as its evidence."""
        fresh = {"stage": self.stage + 1, "entered_us": at_us, "released": False, "overridden": False, "asked": None}
        after = dataclasses.replace(self, **{**fresh, **changes})
        return dataclasses.replace(after, holds=("manual",) if after.paused else ())

    def to_body(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self),
            "plan": self.plan.to_body(),
            "holds": list(self.holds),
            "readings": [one.to_body() for one in self.readings],
            "setbacks": [dataclasses.asdict(one) for one in self.setbacks],
        }


@dataclass(frozen=True, slots=True)
class Move:
    """What a rollout is after a signal, and what is to be done in the same transaction."""

    state: Rollout
    commands: tuple[signals.Command, ...] = ()


def read(found: resources.Resource) -> Rollout:
    """The rollout that a resource describes."""
    assert found.body is not None
    return of_body(found.body)


def of_body(body: Mapping[str, Any]) -> Rollout:
    """The rollout that a body describes."""
    incumbent = body["incumbent"]
    return Rollout(**{
        **body,
        "candidate": bindings.Ref(**body["candidate"]),
        "incumbent": None if incumbent is None else bindings.Ref(**incumbent),
        "plan": plans.read(body["plan"]),
        "holds": tuple(body["holds"]),
        "readings": tuple(readings.read(one) for one in body["readings"]),
        "setbacks": tuple(setbacks.Setback(**one) for one in body["setbacks"]),
    })  # fmt: skip
