"""What the statuses of an objective say about possible alerts: one reading for each that could be.

A page and a ticket of the burning budget for every member, and a ticket when too few predictions of the whole stream
lie in slices that count. That a cohort is too small to be judged is no alarm; that labels stop coming for all is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, get_args

from calibrant.slo import budgets, labels
from calibrant.streams import burn_rules

BURN: Final = "CalibrationBudgetBurn"
COVERAGE: Final = "LabelCoverageLow"


def of_objective(
    statuses: Sequence[budgets.Status], *, stream: str, runbook: str, snapshot: labels.Snapshot
) -> Iterator[labels.Reading]:
    """Readings of all members; the first status is that of the whole stream."""
    for one in statuses:
        for severity in get_args(burn_rules.Severity):
            named = labels.Labels(BURN, severity, stream, "burn", one.name)
            yield labels.Reading(named, one.burning(severity), _said(_burning(one), runbook, BURN), snapshot)
    whole = statuses[0]
    named = labels.Labels(COVERAGE, "ticket", stream, "coverage")
    yield labels.Reading(named, whole.covered, _said(_covered(whole), runbook, COVERAGE), snapshot)


def of_watch(
    alertname: str, condition: budgets.Condition, said: str, *, stream: str, runbook: str,
    severity: burn_rules.Severity = "ticket", kind: labels.Kind = "pipeline",
    snapshot: labels.Snapshot | None = None,
) -> labels.Reading:  # fmt: skip
    """A reading about the whole stream by some other watch: labels that do not arrive, a rollout that failed."""
    named = labels.Labels(alertname, severity, stream, kind, slo=kind)
    return labels.Reading(named, condition, _said(said, runbook, alertname), snapshot)


def _said(summary: str, runbook: str, alertname: str) -> Mapping[str, str]:
    # without a runbook of the stream, what the catalogue says of the alert
    return {"summary": summary, "runbook_url": runbook.strip() or f"urn:calibrant:runbook:{alertname}"}


def _burning(one: budgets.Status) -> str:
    who = "" if not one.member else f"{one.name}: "
    return (
        f"{who}{one.period.bad} of {one.period.counted} slices are off by more than the tolerance, "
        f"{one.spent:.0%} of the budget"
    )


def _covered(one: budgets.Status) -> str:
    if one.coverage is None:
        return "no predictions have matured"
    return f"{one.coverage:.0%} of predictions lie in slices with enough labels"
