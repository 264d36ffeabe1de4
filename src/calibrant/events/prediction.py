"""A prediction: one score that something was decided with, never changed afterwards."""

from __future__ import annotations

import hashlib
import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from calibrant.calibrators import canonical
from calibrant.events import refusals, texts, times

Scalar = str | float | int | bool | None
NOTHING: Mapping[str, str] = types.MappingProxyType({})

#: Whole numbers beyond are not exact in every reader.
LARGEST = 2.0**53 - 1
#: Cohort fields on one event.
MOST_COHORTS = 32

#: Members that hold a short text or nothing.
TEXTS = ("artifact", "decision", "arm", "unit", "trace")


@dataclass(frozen=True, slots=True)
class Prediction:
    """One score at one time.

    ``score`` is raw, on the stream's scale; ``served`` is what was acted on, in [0, 1]; ``threshold`` is what it was
    compared with; ``artifact`` is the digest of the map that was applied; ``weight`` is the inverse of the
    probability that this prediction was recorded at all.

    >>> from datetime import UTC, datetime
    >>> Prediction("txn-1", datetime(2026, 1, 31, tzinfo=UTC), 0.25).digest().hex()
    '43bccec90afd8ced2fade9bf029e80c7'
    """

    id: str
    at: datetime
    score: float
    model: str = ""
    served: float | None = None
    artifact: str | None = None
    threshold: float | None = None
    decision: str | None = None
    arm: str | None = None
    unit: str | None = None
    cohorts: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1.0
    context: Mapping[str, Scalar] = field(default_factory=dict)
    trace: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", times.of_us(times.to_us(self.at)))
        number("score", self.score)
        for name in ("served", "threshold"):
            if getattr(self, name) is not None:
                number(name, getattr(self, name))
        number("weight", self.weight)
        if self.weight <= 0 or (self.served is not None and not 0 <= self.served <= 1):
            raise refusals.OUT_OF_RANGE.error("weight" if self.weight <= 0 else "served")
        text("id", self.id)
        text("model", self.model, empty=True)
        for name in TEXTS:
            if getattr(self, name) is not None:
                text(name, getattr(self, name))
        for member, value in self.cohorts.items():
            text("cohorts", member)
            text("cohorts", value, empty=True)
        if len(self.cohorts) > MOST_COHORTS:
            raise refusals.UNDECLARED_COHORT.error("cohorts")
        for member, held in self.context.items():
            scalar("context", held)
            text("context", member)
        object.__setattr__(self, "cohorts", types.MappingProxyType(dict(self.cohorts)))
        object.__setattr__(self, "context", types.MappingProxyType(dict(self.context)))

    def body(self) -> dict[str, object]:
        """What the digest is taken of: members that say something, the time in microseconds since 1970."""
        members: dict[str, object] = {"id": self.id, "at": times.to_us(self.at), "score": self.score}
        members |= {name: getattr(self, name) for name in (*TEXTS, "served", "threshold")}
        members |= {"model": self.model or None, "weight": None if self.weight == 1.0 else self.weight}
        members |= {"cohorts": dict(self.cohorts) or None, "context": dict(self.context) or None}
        return {name: value for name, value in members.items() if value is not None}

    def digest(self) -> bytes:
        """16 bytes: the same event written differently has the same digest, any other event another one."""
        return digest(self.body())


def digest(body: Mapping[str, object]) -> bytes:
    """The first 16 bytes of SHA-256 over the canonical JSON (RFC 8785) of an event's body."""
    return hashlib.sha256(canonical.dumps(dict(body))).digest()[:16]


def number(path: str, value: object) -> None:
    """Refuse what is not a finite number of at most 2^53."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refusals.WRONG_TYPE.error(path)
    if not (math.isfinite(value) and abs(value) <= LARGEST):
        raise refusals.NOT_A_NUMBER.error(path)


def text(path: str, value: object, *, empty: bool = False) -> None:
    if not isinstance(value, str):
        raise refusals.WRONG_TYPE.error(path)
    if not texts.allowed(value, empty=empty):
        raise refusals.BAD_TEXT.error(path)


def scalar(path: str, value: object) -> None:
    """Refuse what is not a JSON scalar that every reader reads alike."""
    if isinstance(value, str):
        if texts.SURROGATE.search(value):
            raise refusals.BAD_TEXT.error(path)
    elif not (value is None or isinstance(value, bool)):
        number(path, value)
