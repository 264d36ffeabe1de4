"""One round of a stream's objective and alerts: assess, put on record, tell. What a controller does at every look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from calibrant import errors
from calibrant.ports import working_state
from calibrant.registry import principals, resources
from calibrant.slo import labels, readings
from calibrant.streams import declaration
from calibrant.workflow import alerts, deliveries, objectives
from calibrant.workflow import ledger as ledgers


@dataclass(frozen=True, slots=True)
class Behind:
    """What serves while the objective is assessed: digests of the artifact and of its evidence, for postmortems."""

    artifact: str | None = None
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """What it changed, and who was told. ``on_record`` is False when a record could not be written."""

    observed: alerts.Observed
    sent: tuple[deliveries.Sent, ...]
    on_record: bool = field(default=True)


def take(
    ledger: ledgers.Ledger,
    state: working_state.WorkingState,
    stream: declaration.Stream,
    office: deliveries.Office,
    assessed: objectives.Assessed,
    *,
    by: principals.Principal,
    now_us: int,
    behind: Behind = Behind(),  # a frozen value
    more: Sequence[labels.Reading] = (),
    requires: Sequence[resources.Requirement] = (),
) -> Round:
    """Readings of the objective and ``more`` of other watches become alerts; channels hear what they do not know yet.

    ``requires`` is what every change rests on, such as a lease.
    """
    snapshot = labels.Snapshot(
        assessed.as_of_us, behind.artifact, behind.evidence, assessed.matured, assessed.labelled
    )  # fmt: skip
    every = [
        *more,
        *readings.of_objective(assessed.statuses, stream=stream.name, runbook=stream.runbook, snapshot=snapshot),
    ]
    on_record = _record(ledger, assessed, by=by, requires=tuple(requires))
    observed = alerts.observe(
        ledger, state, every, by=by, rules=alerts.rules_of(stream.policies.alerts), now_us=now_us, requires=requires
    )
    sent = deliveries.deliver(
        ledger.reader, state, stream, office, now_us=now_us, unrecorded=observed.unrecorded
    )  # fmt: skip
    return Round(observed, sent, on_record and not observed.unrecorded)


def _record(
    ledger: ledgers.Ledger,
    assessed: objectives.Assessed,
    *,
    by: principals.Principal,
    requires: tuple[resources.Requirement, ...],
) -> bool:
    """Whether the record says how the objective is; alerts do not wait for it."""
    try:
        change = objectives.record(ledger.reader.get(objectives.KIND, assessed.stream), assessed)
        if change is not None:
            ledger.execute(by, resources.Command((change,), requires))
    except errors.StoreError:
        return False
    return True
