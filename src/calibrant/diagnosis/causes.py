"""Causes in order: first what makes the numbers themselves doubtful, then what moved them, by how much it explains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from calibrant.diagnosis import facts as known
from calibrant.diagnosis.check import Cause, Finding
from calibrant.stats import decompose, results

#: While one of these holds, evidence says little about the scores: it is repaired first. Most damaging first.
DOUBTS: Final[tuple[Cause, ...]] = (
    "telemetry loss", "scale mismatch", "leakage", "label bias", "label lag", "cohort misalignment", "overfitted map",
)  # fmt: skip
#: These move the scores; what they explain is told by the split of the change.
SHIFTS: Final[Mapping[Cause, str]] = {
    "concept drift": "concept",
    "prior shift": "prior",
    "covariate shift": "covariate",
}
#: What remains to be said when nothing else is found.
LAST: Final[tuple[Cause, ...]] = ("staleness", "sparsity")

#: What to do about each, in one sentence; the checks say more.
REMEDIES: Final[Mapping[Cause, str]] = {
    "telemetry loss": "Bring the events back first; nothing is decided without them.",
    "scale mismatch": "Correct the scale at the sender or in the declaration; then judge the same events again.",
    "leakage": "Find what knows the outcome, and retrain without it; no map repairs that.",
    "label bias": "Label a random sample, send propensities, and weight by them.",
    "label lag": "Wait for matured labels or bring them sooner; judge matured windows alone.",
    "cohort misalignment": "Fit maps by cohort, after mending cohort values that are misspelt or missing.",
    "overfitted map": "Go back to what served before; fit with more rows or a simpler map.",
    "concept drift": "Refit on rows after the change; retrain if the ranking fell as well.",
    "prior shift": "Move the intercept; the slope and the ranking are still right.",
    "covariate shift": "Leave the map; look at alert volume and capacity.",
    "staleness": "Refit on a recent window.",
    "sparsity": "Wait for more outcomes, or watch longer windows and coarser cohorts.",
}


@dataclass(frozen=True, slots=True)
class Ranked:
    """One cause with what speaks for it. ``explains`` is its share of the change of the calibration error, if known."""

    cause: Cause
    findings: tuple[Finding, ...]
    explains: float | None
    remedy: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "cause": self.cause,
            "explains": self.explains,
            "checks": [one.check.code for one in self.findings],
            "evidence": [one.text for one in self.findings],
            "remedy": self.remedy,
            "runbooks": [one.check.runbook for one in self.findings],
        }


def rank(facts: known.Facts, findings: Sequence[Finding]) -> tuple[Ranked, ...]:
    """The causes that findings point to, the one to look at first in front."""
    speak: dict[Cause, list[Finding]] = defaultdict(list)
    for one in findings:
        if one.check.cause is not None:
            speak[one.check.cause].append(one)
    explained = _explained(facts)

    def order(cause: Cause) -> tuple[int, float]:
        if cause in DOUBTS:
            return 0, float(DOUBTS.index(cause))
        if cause in SHIFTS:
            return 1, -(explained.get(cause) or 0.0)
        return 2, float(LAST.index(cause))

    return tuple(
        Ranked(cause, tuple(speak[cause]), explained.get(cause), REMEDIES[cause]) for cause in sorted(speak, key=order)
    )


def _explained(facts: known.Facts) -> Mapping[Cause, float]:
    """The share of each shift in the changes of the calibration error, all parts counted by size."""
    if facts.drift is None:
        return {}
    parts = (facts.drift.season or facts.drift.before).parts
    if isinstance(parts, results.Insufficient):
        return {}
    found: decompose.Parts = parts.calibration
    sizes = {cause: abs(getattr(found, part).value) for cause, part in SHIFTS.items()}
    total = sum(sizes.values())
    return {cause: size / total for cause, size in sizes.items()} if total > 0.0 else {}
