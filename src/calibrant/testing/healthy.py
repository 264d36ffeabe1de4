"""A healthy stream as diagnosis sees it, so that one thing after another can be made wrong in it."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any, Final

from calibrant.diagnosis import facts
from calibrant.registry import bindings
from calibrant.streams import declaration, policies
from calibrant.testing import made_up

DAYS: Final = 10
NOW_US: Final = made_up.START_US + DAYS * made_up.DAY_US
DAY_US: Final = made_up.DAY_US
#: The window that is looked at begins here; what comes before it is the reference of drift.
WINDOW_US: Final = NOW_US - 5 * DAY_US

STREAM: Final = declaration.Stream(
    "s",
    declaration.LabelContract(timedelta(days=1), terminal=(0.0, 1.0)),
    cohorts=(declaration.CohortField("carrier", 10),),
    owner="payments",
    runbook="https://example.org/runbook",
    policies=policies.Policies(
        watch=policies.WatchPolicy(window=timedelta(days=4), tolerance=0.08, silence=timedelta(hours=1)),
        alerts=policies.AlertPolicy(ticket=("team",)),
    ),
)


def champion(**changed: Any) -> facts.Champion:
    """A champion with nothing wrong."""
    found = facts.Champion(
        "s@1", "signed", 1, "platt", False, 0, 20_000, NOW_US - 30 * DAY_US, NOW_US - 31 * DAY_US, None
    )
    return dataclasses.replace(found, **changed)


def step(day: float, *, version: int = 1, **changed: Any) -> facts.Step:
    """A promotion so many days ago."""
    ref = bindings.Ref(f"s@{version}", f"sha256:{version:064}")
    found = facts.Step(
        NOW_US - int(day * DAY_US), "promote", bindings.Binding(champion=ref), tried=True, said=True, by_person=False
    )
    return dataclasses.replace(found, **changed)


def history(**changed: Any) -> facts.History:
    """A registry with nothing wrong."""
    found = facts.History(NOW_US, champion(), (step(30),), drafted=1, approvals=1)
    return dataclasses.replace(found, **changed)
