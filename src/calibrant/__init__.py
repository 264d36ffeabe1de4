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
    from calibrant.evidence.recommend import recommend
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
    "loads",
    "read",
    "recommend",
    "select",
    "summarise",
    "summarise_rows",
]

#: Where each name lives.
_HOMES = {
    "Estimate": "stats.results",
    "Insufficient": "stats.results",
    "Scale": "calibrators.scales",
    "Summary": "stats.summary",
    "assess": "evidence.assess",
    "loads": "calibrators.codec",
    "read": "frames.columns",
    "recommend": "evidence.recommend",
    "select": "fitting.selection",
    "summarise": "stats.summary",
    "summarise_rows": "frames.summaries",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'calibrant' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"calibrant.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
