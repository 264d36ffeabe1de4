"""What a threshold is for, and whether it still does it: a share of precision or recall, or alerts a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from calibrant.stats import classification, results
from calibrant.stats import summary as summaries
from calibrant.streams import policies

Name = Literal["precision", "recall", "capacity"]


@dataclass(frozen=True, slots=True)
class Aim:
    """``before`` and ``after`` are what the present and the proposed rule reach of ``target``."""

    name: Name
    target: float
    before: results.Measured
    after: results.Measured

    @property
    def missed(self) -> bool:
        """Whether the present rule misses it beyond chance, and the proposed one does not."""
        return self._fails(self.before) and not self._fails(self.after) and isinstance(self.after, results.Estimate)

    def _fails(self, reached: results.Measured) -> bool:
        if not isinstance(reached, results.Estimate) or reached.low is None or reached.high is None:
            return False
        return reached.low > self.target if self.name == "capacity" else reached.high < self.target

    def to_dict(self) -> Mapping[str, Any]:
        return {
            "name": self.name,
            "target": self.target,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
        }


def aimed(
    before: tuple[summaries.Summary, float],
    after: tuple[summaries.Summary, float],
    policy: policies.AdvicePolicy,
    *,
    rows_per_day: float | None = None,
    level: float = 0.95,
) -> Aim | None:
    """The declared aim under two rules, each a summary of served scores and its threshold; None without such an aim.

    A capacity can be looked at only where the rows of a day are known.
    """
    for name in ("precision", "recall"):
        target = getattr(policy, name)
        if target is not None:
            return Aim(name, target, *(_share(name, *rule, level) for rule in (before, after)))
    if policy.capacity is not None and rows_per_day is not None:
        found = (_a_day(_share("alert_rate", *rule, level), rows_per_day) for rule in (before, after))
        return Aim("capacity", policy.capacity, *found)
    return None


def _share(name: str, served: summaries.Summary, threshold: float, level: float) -> results.Measured:
    found: results.Measured = getattr(classification.at_threshold(served, threshold, level=level), name)
    return found


def _a_day(rate: results.Measured, rows: float) -> results.Measured:
    if isinstance(rate, results.Insufficient):
        return rate
    low, high = (None if end is None else end * rows for end in (rate.low, rate.high))
    return results.Estimate(rate.value * rows, low, high, rate.level, rate.method)
