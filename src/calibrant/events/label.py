"""A label: what somebody says came of a prediction. Revised by further labels, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from calibrant.events import prediction, refusals, times

#: The largest revision.
LAST_REVISION = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Label:
    """One outcome of one prediction.

    ``at`` is when the outcome became true, ``observed`` when the source learned of it. ``propensity`` is the
    probability with which this prediction was chosen to be labelled. The identity is prediction, source and revision.
    """

    prediction: str
    value: float
    at: datetime
    observed: datetime | None = None
    source: str = ""
    revision: int = 0
    weight: float = 1.0
    propensity: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", times.of_us(times.to_us(self.at)))
        if self.observed is not None:
            object.__setattr__(self, "observed", times.of_us(times.to_us(self.observed, "observed")))
        prediction.text("prediction", self.prediction)
        prediction.text("source", self.source, empty=True)
        prediction.number("value", self.value)
        prediction.number("weight", self.weight)
        if self.weight <= 0:
            raise refusals.OUT_OF_RANGE.error("weight")
        if not 0 <= self.value <= 1:
            raise refusals.OUT_OF_RANGE.error("value")
        if self.propensity is not None:
            prediction.number("propensity", self.propensity)
            if not 0 < self.propensity <= 1:
                raise refusals.OUT_OF_RANGE.error("propensity")
        if isinstance(self.revision, bool) or not isinstance(self.revision, int):
            raise refusals.WRONG_TYPE.error("revision")
        if not 0 <= self.revision <= LAST_REVISION:
            raise refusals.OUT_OF_RANGE.error("revision")

    def body(self) -> dict[str, object]:
        """What the digest is taken of: members that say something, times in microseconds since 1970."""
        members = {
            "prediction": self.prediction,
            "value": self.value,
            "at": times.to_us(self.at),
            "observed": None if self.observed is None else times.to_us(self.observed, "observed"),
            "source": self.source or None,
            "revision": self.revision or None,
            "weight": None if self.weight == 1.0 else self.weight,
            "propensity": self.propensity,
        }
        return {name: value for name, value in members.items() if value is not None}

    def digest(self) -> bytes:
        """16 bytes: the same label written differently has the same digest, any other label another one."""
        return prediction.digest(self.body())
