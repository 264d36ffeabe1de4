"""Seconds, and what a measured line of the table says."""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Goal:
    """``at_most`` seconds; ``within`` a factor of the peer; ``faster`` than the peer by a factor."""

    kind: Literal["at_most", "within", "faster"]
    number: float

    def __str__(self) -> str:
        match self.kind:
            case "at_most":
                return f"≤ {seconds(self.number)}"
            case "within":
                return f"≤ {self.number:g} × peer"
            case "faster":
                return f"≥ {self.number:g} × faster"

    def met(self, ours: float, peer: float | None) -> bool:
        match self.kind:
            case "at_most":
                return ours <= self.number
            case "within":
                return peer is not None and ours <= self.number * peer
            case "faster":
                return peer is not None and peer >= self.number * ours


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison. ``peer`` is what it is measured against, ``agreement`` how far the two answers differ."""

    what: str
    ours: float
    peer: str = ""
    theirs: float | None = None
    goal: Goal | None = None
    agreement: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.goal.met(self.ours, self.theirs)


def median(run: Callable[[], object], *, times: int = 5, warm: bool = True) -> float:
    """The median of ``times`` runs, in seconds; a first run warms caches and is thrown away."""
    if warm:
        run()
    return statistics.median(once(run) for _ in range(times))


def once(run: Callable[[], object]) -> float:
    """One run, for peers that take long."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """One run and its result, so that a slow peer need not run twice to be compared."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def installed(*names: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in names)


def seconds(value: float) -> str:
    """2.50 s, 31 ms, 12 µs."""
    if value >= 1.0:
        return f"{value:.2f} s"
    if value >= 1e-3:
        return f"{value * 1e3:.3g} ms"
    return f"{value * 1e6:.3g} µs"
