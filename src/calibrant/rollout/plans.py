"""What a rollout was started with: it stays as it is while the rollout runs, whatever is declared meanwhile."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from calibrant import errors
from calibrant.rollout import readings
from calibrant.streams import policies

#: Weights are in millionths of all units, as buckets are.
WHOLE: Final = 1_000_000
#: The control arm that is kept after promotion is no wider than this.
CONTROL: Final = 100_000
#: The guard that looks at the sizes of the arms; when it fails, the comparison is broken, not the candidate.
SAMPLE_RATIO: Final = "sample_ratio"


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard that must have passed before a rollout goes on, and what it means when it has no data.

    Guards of matured labels are asked from the shadow on, the others once there are arms. A reading of a guard that
    is not asked for still counts when it is bad.
    """

    name: str
    kind: readings.Kind
    no_data: policies.NoData = "hold"


#: What every rollout asks unless it says otherwise.
GUARDS: Final = (
    Guard("paired_loss", "matured"),
    Guard(SAMPLE_RATIO, "label_free"),
    Guard("mean_score", "label_free"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Durations in microseconds, weights in millionths; ``matured`` pairs before a matured guard may pass."""

    mode: policies.Mode
    weights: tuple[int, ...]
    shadow_us: int
    hold_us: int
    bake_us: int
    deadline_us: int
    cooldown_us: int
    matured: int
    guards: tuple[Guard, ...] = GUARDS

    def __post_init__(self) -> None:
        if list(self.weights) != sorted(set(self.weights)) or not all(0 < one <= WHOLE // 2 for one in self.weights):
            raise _not_a_plan("its weights do not grow from step to step up to one half")
        if not self.weights:
            raise _not_a_plan("it has no step")
        if not any(one.kind == "matured" for one in self.guards):
            raise _not_a_plan("no guard looks at matured labels")
        if any(one.kind == "matured" and one.no_data == "skip" for one in self.guards):
            raise _not_a_plan("a guard of matured labels cannot be skipped: nothing passes without labels")

    @property
    def control(self) -> int:
        """The width of the control arm that is kept while baking."""
        return min(self.weights[-1], CONTROL)

    def to_body(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self),
            "weights": list(self.weights),
            "guards": [dataclasses.asdict(one) for one in self.guards],
        }


def read(body: Mapping[str, Any]) -> Plan:
    """The plan that a body describes."""
    guards = tuple(Guard(**one) for one in body["guards"])
    return Plan(**{**body, "weights": tuple(body["weights"]), "guards": guards})


def of(declared: policies.Policies, *, guards: tuple[Guard, ...] = GUARDS) -> Plan:
    """The plan that a stream's policies ask for.

    What is declared for guards without data holds for all but those of matured labels, which are never skipped.
    """
    rollout, no_data = declared.rollout, declared.rollout.no_data
    asked = tuple(
        dataclasses.replace(one, no_data="hold" if (one.kind, no_data) == ("matured", "skip") else no_data)
        for one in guards
    )
    return Plan(
        mode=declared.advice.mode,
        weights=tuple(max(1, round(one * WHOLE)) for one in rollout.weights),
        shadow_us=_us(rollout.shadow),
        hold_us=_us(rollout.hold),
        bake_us=_us(rollout.bake),
        deadline_us=_us(rollout.deadline),
        cooldown_us=_us(declared.advice.cooldown),
        matured=rollout.matured,
        guards=asked,
    )


def _us(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def _not_a_plan(cause: str) -> errors.UsageError:
    return errors.UsageError(
        "CAL-954", "this is no plan of a rollout", cause=cause, fix="correct policies.rollout in the stream's YAML"
    )  # fmt: skip
