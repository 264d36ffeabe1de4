"""Trials: candidates that nobody tried, canaries that are not like the rest, and ways back that nobody walked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import stats

from calibrant.diagnosis.check import Check, Seen, saw
from calibrant.diagnosis.checks import changes
from calibrant.diagnosis.facts import Arm, Events, History

#: The p-value below which arms are not alike.
UNLIKE: Final = 0.001


def untried(history: History) -> Seen | None:
    forward = [one for one in changes.recent(history, "promote") if one.binding.champion is not None]
    if not forward or forward[-1].tried:
        return None
    champion = forward[-1].binding.champion
    assert champion is not None
    return saw(
        f"{champion.artifact} became champion without having been shadow or challenger",
        untried=sum(not one.tried for one in forward),
        promotions=len(forward),
    )


def unlike(events: Events) -> Seen | None:
    found = [one for one in events.arms if sum(one.cohorts.values())]
    if len(found) < 2:
        return None
    p_value = _alike(found)
    if p_value >= UNLIKE:
        return None
    names = " and ".join(one.name for one in found)
    return saw(f"the arms {names} do not have the same mix of cohorts (p = {p_value:.2g})", p_value=p_value)


def _alike(arms: Sequence[Arm]) -> float:
    """The p-value of arms having one mix of cohorts, rare ones pooled so that each cell expects five."""
    names = sorted({name for one in arms for name in one.cohorts})
    table = np.array([[one.cohorts.get(name, 0) for name in names] for one in arms], float)
    least = table.sum(0) * table.sum(1).min() / table.sum()
    rare = least < 5.0
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(1)]) if rare.any() else table
    table = table[:, table.sum(0) > 0.0]
    return float(stats.chi2_contingency(table, correction=False).pvalue) if table.shape[1] > 1 else 1.0


def leaking(events: Events) -> Seen | None:
    if not events.in_both_arms:
        return None
    units = sum(one.units for one in events.arms)
    return saw(
        f"{events.in_both_arms:,} of {units:,} units were seen in more than one arm",
        units=events.in_both_arms,
    )


CHECKS: Final = (
    Check(
        "CHK-604",
        "promoted-untried",
        "A champion was never tried",
        "changes",
        "ticket",
        "Held-out rows are of the past; only live traffic shows whether scores, cohorts and latency are as expected.",
        "Promote by a rollout, which begins in shadow: calibrant rollout start.",
        ("history",),
        untried,
    ),
    Check(
        "CHK-608",
        "canary-unlike",
        "The canary is not like the rest",
        "changes",
        "ticket",
        "Routing sends it other regions, devices or hours. What it shows holds for those alone.",
        "Assign by the hash of the unit, which is blind to everything else, and start over.",
        ("events",),
        unlike,
    ),
    Check(
        "CHK-609",
        "canary-leaks",
        "Units are in both arms",
        "changes",
        "page",
        "The arm is drawn anew for each request, or by something that changes; the arms then share their outcomes.",
        "Assign by the unit that the label attaches to, with one salt for the whole rollout, and start over.",
        ("events",),
        leaking,
    ),
    Check(
        "CHK-651",
        "rollback-practised",
        "Nobody has tried to go back",
        "changes",
        "note",
        "A way back that was never walked fails when it is needed.",
        "Roll back on purpose once a quarter: calibrant rollout rollback, then forward again.",
        asks="When was the last rollback on purpose, and how long did it take?",
    ),
    Check(
        "CHK-652",
        "builds-too-strict",
        "Builds fail for nothing",
        "changes",
        "note",
        "A gate with an absolute number fails when the data move, whatever the candidate did.",
        "Compare the candidate with what serves now on the same rows, with a margin.",
        asks="Does the build compare a candidate with the champion, with a tolerance, and not with a fixed number?",
    ),
)
