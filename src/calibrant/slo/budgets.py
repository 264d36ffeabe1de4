"""Error budgets of slices, how fast they burn, and the state of an objective.

Everything is counts, added up over windows. The budget of a period is a fixed number of bad slices, (1 - objective) x
slices, whatever is counted of them: a stream with few counted slices does not page for the first bad one. A window with
too few counted slices is no good news either: its burn rate is unknown, and what is unknown ends no alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from calibrant import errors
from calibrant.slo import members
from calibrant.slo.slices import Slices
from calibrant.streams import burn_rules

State = Literal["healthy", "burning", "exhausted", "insufficient_data"]
#: What a reading says: the condition holds, it does not, or nobody knows.
Condition = Literal["bad", "good", "unknown"]

#: Bad slices in the long window below which nothing rings, whatever the rate.
LEAST_BAD: Final = 2
#: The share of a window's slices that must be counted before it is good news.
_KNOWN: Final = 0.5
#: Rates are quotients of small whole numbers: equal is not above.
_HAIR: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Window:
    """Slices of one window: all, those that count, the bad ones. Windows add up."""

    slices: int
    counted: int
    bad: int

    def __add__(self, other: Window) -> Window:
        return Window(self.slices + other.slices, self.counted + other.counted, self.bad + other.bad)

    def rate(self, objective: float) -> float:
        """How many times faster than allowed bad slices come: 1 uses up the budget in exactly one period."""
        return self.bad / (self.slices * (1.0 - objective))


@dataclass(frozen=True, slots=True)
class Burn:
    """One rule and its two windows."""

    rule: burn_rules.BurnRule
    long: Window
    short: Window
    condition: Condition


@dataclass(frozen=True, slots=True)
class Status:
    """Where one member stands with its objective. ``spent`` is the share of the budget, from 1 on it is used up.

    ``coverage`` is the share of matured predictions that lie in counted slices; None when there are none.
    """

    member: members.Member
    objective: float
    period: Window
    spent: float
    coverage: float | None
    covered: Condition
    burns: tuple[Burn, ...]
    state: State

    @property
    def name(self) -> str:
        return members.write(self.member)

    def burning(self, severity: burn_rules.Severity) -> Condition:
        """All rules of one severity as one condition."""
        return worst(one.condition for one in self.burns if one.rule.severity == severity)

    def to_dict(self) -> dict[str, Any]:
        return {
            "cohort": self.name,
            "state": self.state,
            "objective": self.objective,
            "slices": self.period.slices,
            "counted": self.period.counted,
            "bad": self.period.bad,
            "budget": (1.0 - self.objective) * self.period.slices,
            "spent": self.spent,
            "coverage": self.coverage,
            "burns": [
                {
                    "severity": one.rule.severity,
                    "factor": one.rule.factor,
                    "condition": one.condition,
                    **{
                        name: {"slices": each.slices, "counted": each.counted, "bad": each.bad,
                               "rate": each.rate(self.objective)}
                        for name, each in (("long", one.long), ("short", one.short))
                    },
                }
                for one in self.burns
            ],
        }  # fmt: skip


def worst(conditions: Iterable[Condition]) -> Condition:
    """Bad if any is, else unknown if any is, else good."""
    found = set(conditions)
    return "bad" if "bad" in found else "unknown" if "unknown" in found or not found else "good"


def statuses(
    found: Slices, rules: Sequence[burn_rules.BurnRule], *, objective: float, coverage: float
) -> tuple[Status, ...]:  # fmt: skip
    """The status of every member; the rules are of ``burn_rules``."""
    return tuple(
        _status(found, index, rules, objective=objective, coverage=coverage) for index in range(len(found.members))
    )


def _status(
    found: Slices, index: int, rules: Sequence[burn_rules.BurnRule], *, objective: float, coverage: float
) -> Status:  # fmt: skip
    counted, bad, predictions = found.counted[index], found.bad[index], found.predictions[index]

    def window(slices: int) -> Window:
        return Window(slices, int(counted[-slices:].sum()), int(bad[-slices:].sum()))

    burns = tuple(_burn(rule, window(rule.long), window(rule.short), objective=objective) for rule in rules)
    period = window(len(found.starts_us))
    total, inside = int(predictions.sum()), int(predictions[counted].sum())
    share = inside / total if total else None
    covered: Condition = "unknown" if share is None else "good" if share >= coverage else "bad"
    spent = period.rate(objective)
    return Status(
        found.members[index],
        objective,
        period,
        spent,
        share,
        covered,
        burns,
        _state(spent, worst(one.condition for one in burns), covered),
    )


def _burn(rule: burn_rules.BurnRule, long: Window, short: Window, *, objective: float) -> Burn:
    above = all(one.rate(objective) > rule.factor + _HAIR for one in (long, short)) and long.bad >= LEAST_BAD
    known = all(one.counted >= _KNOWN * one.slices for one in (long, short))
    return Burn(rule, long, short, "bad" if above else "good" if known else "unknown")


def _state(spent: float, burning: Condition, covered: Condition) -> State:
    """What was found bad stays bad without new data; only then does it matter whether there are enough."""
    if spent > 1.0 - _HAIR:
        return "exhausted"
    if burning == "bad":
        return "burning"
    return "healthy" if covered == "good" else "insufficient_data"


def demand(spent: Sequence[str], action: str, *, repairs: bool = False) -> None:
    """RefusedError (CAL-990) for starting a rollout while the budget of somebody is used up. Nothing keeps a rollback.

    ``repairs`` is said of a candidate that was proposed because of this very burn: without it the budget would keep the
    stream as broken as it is.
    """
    if action != "rollout.start" or repairs or not spent:
        return
    raise errors.RefusedError(
        "CAL-990",
        "the error budget is used up",
        cause="that of " + ", ".join(spent[:5]) + (" and others" if len(spent) > 5 else ""),
        fix="look at it: calibrant slo; wait until it has recovered, or override with a reason if this repairs it",
    )
