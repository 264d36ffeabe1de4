"""All checks, and what they find in the facts of one stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from calibrant.diagnosis import facts as known
from calibrant.diagnosis.check import Check, Family, Finding, Severity
from calibrant.diagnosis.checks import changes, cohorts, labels, maps, operation, scores, trials, world

ALL: Final[tuple[Check, ...]] = (
    *labels.CHECKS,
    *scores.CHECKS,
    *cohorts.CHECKS,
    *world.CHECKS,
    *maps.CHECKS,
    *sorted((*changes.CHECKS, *trials.CHECKS), key=lambda one: one.code),
    *operation.CHECKS,
)
BY_CODE: Final[Mapping[str, Check]] = MappingProxyType({one.code: one for one in ALL})
#: What each family is about, in the order of the catalogue.
FAMILIES: Final[Mapping[Family, str]] = MappingProxyType(
    {
        "labels": "Labels: do they come, in time, from everybody, and do they agree?",
        "scores": "Scores: are they right, and is enough known to say so?",
        "cohorts": "Cohorts: what the whole hides.",
        "world": "The world: what has changed, and what only seems to.",
        "maps": "Maps and thresholds: old, unproved, unsigned, unpriced.",
        "changes": "Changes: too many, untried, taken back, unexplained.",
        "operation": "Operation: who watches, who is told, who knows what to do.",
    }
)
_ORDER: Final[Mapping[Severity, int]] = {"page": 0, "ticket": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class Looked:
    """``findings`` most urgent first; ``unknown`` the checks that lacked facts, with what they lacked."""

    findings: tuple[Finding, ...]
    unknown: tuple[tuple[Check, tuple[known.Section, ...]], ...]
    asked: tuple[Check, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "findings": [one.to_dict() for one in self.findings],
            "not_looked_at": [{"code": one.code, "lacks": list(lacks)} for one, lacks in self.unknown],
            "asked": [{"code": one.code, "question": one.asks} for one in self.asked],
        }


def look(facts: known.Facts) -> Looked:
    """Run every check whose facts are known."""
    decided = [one for one in ALL if one.decide is not None]
    found = [finding for one in decided if (finding := one.look(facts)) is not None]
    return Looked(
        tuple(sorted(found, key=lambda one: (_ORDER[one.check.severity], one.check.code))),
        tuple((one, lacks) for one in decided if (lacks := one.missing(facts))),
        tuple(one for one in ALL if one.decide is None),
    )
