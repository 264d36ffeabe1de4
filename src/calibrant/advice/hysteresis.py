"""Acting and not acting: different levels to begin and to end, several readings in a row, and a rest in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from calibrant.streams import policies

_US: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a stream is acted upon. ``run`` readings in a row have asked for the other state since."""

    acting: bool = False
    run: int = 0
    turned_us: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"acting": self.acting, "run": self.run, "turned_us": self.turned_us}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Gate:
        return cls(found["acting"], found["run"], found["turned_us"])


#: The gate of a stream that nobody has looked at.
QUIET: Final = Gate()


def read(gate: Gate, departure: float | None, policy: policies.AdvicePolicy, *, now_us: int) -> Gate:
    """The gate after one reading of how far rates are from scores, in probability.

    It turns after ``policy.readings`` readings in a row beyond ``enter`` (below ``leave``), and never twice within
    ``policy.cooldown``: a metric that hugs its level all month turns it at most once a cooldown. Without a reading
    (None) the row is broken and the state stays: no data starts nothing and ends nothing.
    """
    if departure is None:
        return replace(gate, run=0)
    asks = departure < policy.leave if gate.acting else departure > policy.enter
    run = min(gate.run + 1, policy.readings) if asks else 0
    rested = gate.turned_us is None or now_us - gate.turned_us >= policy.cooldown // _US
    if run >= policy.readings and rested:
        return Gate(not gate.acting, 0, now_us)
    return replace(gate, run=run)
