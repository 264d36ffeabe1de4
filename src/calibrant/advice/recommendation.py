"""What is recommended, with its reasons and with what holds it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from calibrant.advice import effects

SCHEMA = "calibrant.advice/1"

Action = Literal["none", "collect_labels", "new_artifact", "new_threshold", "roll_back", "retrain"]
Obstacle = Literal["cooldown", "freeze", "damping", "no_material_effect", "latched", "barred", "blast_radius"]


@dataclass(frozen=True, slots=True)
class Hold:
    """Why something recommended is not done now; ``until_us`` is None where only a person or other data end it."""

    obstacle: Obstacle
    reason: str
    until_us: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"obstacle": self.obstacle, "reason": self.reason, "until_us": self.until_us}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """``effect`` is what the change does on pairs it was not fitted to; ``shift`` how far a score moves at most.

    ``digest`` is that of the candidate or, for ``roll_back``, of what is taken back; ``share`` how much of the proposed
    change is left. ``also`` names what a person should look at besides. With a hold it is said and not done.
    """

    action: Action
    reasons: tuple[str, ...]
    effect: effects.Effect | None = None
    digest: str | None = None
    shift: float | None = None
    share: float | None = None
    holds: tuple[Hold, ...] = ()
    also: tuple[Action, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether it asks for a change and nothing holds it."""
        return self.action in CHANGES and not self.holds

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form."""
        return {
            "schema": SCHEMA,
            "action": self.action,
            "reasons": list(self.reasons),
            "effect": effects.plain(self.effect),
            "digest": self.digest,
            "largest_shift": self.shift,
            "damped_to": self.share,
            "holds": [one.to_dict() for one in self.holds],
            "also": list(self.also),
        }


#: Actions that change what serves.
CHANGES: frozenset[Action] = frozenset({"new_artifact", "new_threshold", "roll_back"})
