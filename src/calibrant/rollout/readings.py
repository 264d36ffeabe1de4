"""What a guard says about a candidate: a verdict, the rows it rests on, and up to when they are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: immature is no outcome: there are not enough rows yet, and it holds.
Verdict = Literal["passed", "failed", "inconclusive", "error", "immature"]
#: label_free: known within hours; matured: of pairs whose label's horizon has passed; business: a metric from outside.
Kind = Literal["label_free", "matured", "business"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One guard at one moment.

    ``n`` are the rows that it rests on since the stage began: pairs that have matured, for a guard of that kind, of
    which ``positives`` have the label 1 (None where there are no labels). ``stage`` is that of the rollout which it
    was computed for; readings of another stage say nothing. ``estimate`` with its anytime-valid bounds ``low`` and
    ``high`` and the ``margin`` that they are held against are for people.
    """

    guard: str
    kind: Kind
    verdict: Verdict
    n: int
    as_of_us: int
    stage: int
    positives: int | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    cause: str = ""

    def to_body(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def read(body: Mapping[str, Any]) -> Reading:
    """The reading that a body describes."""
    numbers = {name: _number(body[name]) for name in ("estimate", "low", "high", "margin")}
    return Reading(**{**body, **numbers})


def _number(value: float | None) -> float | None:
    """Canonical JSON writes 1.0 as 1."""
    return None if value is None else float(value)
