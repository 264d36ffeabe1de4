"""What a threshold is for, as plain numbers by name: how command lines, files and artifacts say it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from calibrant import errors
from calibrant.decisions import costs, thresholds

NAMES: Final = ("cost_fp", "cost_fn", "cost_action", "precision", "recall", "capacity", "rows_per_day")
COSTS: Final = ("cost_fp", "cost_fn", "cost_action")


def objective(aims: Mapping[str, float]) -> thresholds.Objective | None:
    """The objective that the numbers name, None where there are none; UsageError (CAL-401) unless they name one.

    >>> objective({"precision": 0.9})
    Precision(target=0.9)
    """
    demand_one(aims)
    if "cost_fp" in aims:
        return costs.Costs(aims["cost_fp"], aims["cost_fn"], aims.get("cost_action", 0.0))
    if "precision" in aims:
        return thresholds.Precision(aims["precision"])
    if "recall" in aims:
        return thresholds.Recall(aims["recall"])
    if "capacity" in aims:
        if "rows_per_day" not in aims:
            raise errors.UsageError(
                "CAL-401",
                "a capacity a day needs to know how many rows a day brings",
                cause="--capacity was given without --rows-per-day",
                fix="add --rows-per-day",
            )
        return thresholds.Capacity(aims["capacity"], aims["rows_per_day"])
    return None


def demand_one(aims: Collection[str]) -> None:
    """UsageError (CAL-401) where the names that were given contradict each other."""
    priced = [name for name in COSTS if name in aims]
    others = [name for name in ("precision", "recall", "capacity") if name in aims]
    if bool(priced) + len(others) > 1:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in (*priced, *others))
        raise errors.UsageError(
            "CAL-401", "several ways to choose a threshold", cause=f"{named} were given", fix="keep one of them"
        )
    if priced and not {"cost_fp", "cost_fn"} <= set(priced):
        raise errors.UsageError(
            "CAL-401",
            "a threshold from costs needs both costs",
            cause=f"only --{priced[0].replace('_', '-')} was given",
            fix="give --cost-fp and --cost-fn",
        )
    if "rows_per_day" in aims and "capacity" not in aims:
        raise errors.UsageError(
            "CAL-401", "--rows-per-day goes with --capacity", cause="no --capacity was given", fix="add or drop it"
        )
