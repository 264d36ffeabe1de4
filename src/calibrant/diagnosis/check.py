"""A named check: a plain function of facts, and the words that explain it to people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from calibrant.diagnosis import facts as known

Severity = Literal["page", "ticket", "note"]
Family = Literal["labels", "scores", "cohorts", "world", "maps", "changes", "operation"]

#: The causes that a stream goes off for; their order is told by ``causes.rank``.
Cause = Literal[
    "prior shift", "covariate shift", "concept drift", "scale mismatch", "label lag", "label bias", "leakage",
    "sparsity", "staleness", "cohort misalignment", "telemetry loss", "overfitted map",
]  # fmt: skip

Number = float | int | str


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check saw: a sentence with its numbers, and the numbers by name."""

    text: str
    numbers: Mapping[str, Number]


@dataclass(frozen=True, slots=True)
class Check:
    """``needs`` are the sections of facts that ``decide`` is called with, in order.

    Without ``decide`` data cannot tell, and ``asks`` is the question for a person.
    """

    code: str
    name: str
    title: str
    family: Family
    severity: Severity
    why: str
    fix: str
    needs: tuple[known.Section, ...] = ()
    decide: Callable[..., Seen | None] | None = None
    asks: str | None = None
    cause: Cause | None = None

    @property
    def runbook(self) -> str:
        """The page of the documentation that explains it, with its anchor."""
        return f"runbooks/{self.family}.md#{self.code.lower()}"

    def missing(self, facts: known.Facts) -> tuple[known.Section, ...]:
        """Sections that it needs and that are not known."""
        return tuple(one for one in self.needs if getattr(facts, one) is None)

    def look(self, facts: known.Facts) -> Finding | None:
        """What it finds in facts that have every section it needs; None where all is well."""
        if self.decide is None or self.missing(facts):
            return None
        seen = self.decide(*(getattr(facts, one) for one in self.needs))
        return None if seen is None else Finding(self, seen.text, seen.numbers)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a check found."""

    check: Check
    text: str
    numbers: Mapping[str, Number]

    def to_dict(self) -> dict[str, Any]:
        return {
            "code": self.check.code,
            "name": self.check.name,
            "severity": self.check.severity,
            "cause": self.check.cause,
            "seen": self.text,
            "numbers": dict(self.numbers),
            "why": self.check.why,
            "fix": self.check.fix,
            "runbook": self.check.runbook,
        }


def saw(text: str, **numbers: Number) -> Seen:
    """What a check returns when something is not well."""
    return Seen(text, numbers)


def share(part: float, whole: float) -> float:
    """A share; of nothing it is 0.

    >>> share(1, 4), share(1, 0)
    (0.25, 0.0)
    """
    return part / whole if whole else 0.0
