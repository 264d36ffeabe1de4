"""Calibrant: trust the scores that your automation acts on. Measure, prove and repair calibration.

A lazy facade (PEP 562): ``import calibrant`` loads nothing else; a name loads its module when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calibrant.calibrators.codec import loads
    from calibrant.calibrators.scales import Scale
    from calibrant.evidence.assess import assess
    from calibrant.evidence.drift import compare as drift
    from calibrant.evidence.recommend import recommend
    from calibrant.evidence.reliability import reliability
    from calibrant.fitting.selection import select
    from calibrant.frames.columns import read
    from calibrant.frames.summaries import summarise_rows
    from calibrant.stats.results import Estimate, Insufficient
    from calibrant.stats.summary import Summary, summarise

__version__ = "0.1.0"

__all__ = [
    "Estimate",
    "Insufficient",
    "Scale",
    "Summary",
    "__version__",
    "assess",
    "drift",
    "loads",
    "read",
    "recommend",
    "reliability",
    "select",
    "summarise",
    "summarise_rows",
]

#: Where each name lives: a module of this package, and what it is called there.
_HOMES = {
    "Estimate": ("stats.results", "Estimate"),
    "Insufficient": ("stats.results", "Insufficient"),
    "Scale": ("calibrators.scales", "Scale"),
    "Summary": ("stats.summary", "Summary"),
    "assess": ("evidence.assess", "assess"),
    "drift": ("evidence.drift", "compare"),
    "loads": ("calibrators.codec", "loads"),
    "read": ("frames.columns", "read"),
    "recommend": ("evidence.recommend", "recommend"),
    "reliability": ("evidence.reliability", "reliability"),
    "select": ("fitting.selection", "select"),
    "summarise": ("stats.summary", "summarise"),
    "summarise_rows": ("frames.summaries", "summarise_rows"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'calibrant' has no attribute {name!r}")
    module, called = _HOMES[name]
    value = getattr(importlib.import_module(f"calibrant.{module}"), called)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
