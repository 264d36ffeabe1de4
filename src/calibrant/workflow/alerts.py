"""Readings become alerts on record. When the record cannot be written, people are told nevertheless.

The life of an alert between readings is working state; that it fired, ended or was acknowledged is a resource with an
audit entry. The resource is written first: a crash between the two makes the same step again, which is then found done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from calibrant import errors
from calibrant.ports import control_store, working_state
from calibrant.registry import principals, resources
from calibrant.slo import alerts, labels, lifecycle, silences
from calibrant.streams import policies
from calibrant.workflow import ledger as ledgers

#: Working state: the life of an alert, under the alert's name.
LIFE: Final = "alert-life"
_US: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Observed:
    """What readings changed. ``unrecorded`` fired or ended while no record could be written: they are told all the
    same, and recorded at the next reading that can be."""

    changed: tuple[alerts.Alert, ...]
    unrecorded: tuple[alerts.Alert, ...]


def rules_of(policy: policies.AlertPolicy) -> lifecycle.Rules:
    """How long conditions of a stream must hold."""
    return lifecycle.Rules(after_us=policy.after // _US, keep_us=policy.keep // _US)


def observe(
    ledger: ledgers.Ledger,
    state: working_state.WorkingState,
    readings: Iterable[labels.Reading],
    *,
    by: principals.Principal,
    rules: lifecycle.Rules,
    now_us: int,
    requires: Sequence[resources.Requirement] = (),
) -> Observed:
    """Take one reading of each possible alert. ``requires`` is what every change rests on, such as a lease.

    ConflictError (CAL-911, 914) when another process looks after the same stream.
    """
    changed, unrecorded = [], []
    for reading in readings:
        try:
            after = _observe(ledger, state, reading, by, rules, now_us, tuple(requires))
        except errors.StoreError:
            lost = _unrecorded(ledger.reader, state, reading, rules, now_us)
            unrecorded += [] if lost is None else [lost]
        else:
            changed += [] if after is None else [after]
    return Observed(tuple(changed), tuple(unrecorded))


def _observe(
    ledger: ledgers.Ledger,
    state: working_state.WorkingState,
    reading: labels.Reading,
    by: principals.Principal,
    rules: lifecycle.Rules,
    now_us: int,
    requires: tuple[resources.Requirement, ...],
) -> alerts.Alert | None:
    """The alert if this reading changed it."""
    name = alerts.name(reading.labels)
    kept = state.recall(LIFE, name)
    found = ledger.reader.get(alerts.KIND, name)
    before = _life(kept, found)
    stepped = lifecycle.step(before, reading.condition, now_us=now_us, rules=rules)
    if kept is None and stepped.life.state == "inactive":
        return None
    after = alerts.after(None if found is None else alerts.read(found), reading, stepped.life, stepped.events)
    change = None if after is None else alerts.record(found, after)
    if change is not None:
        ledger.execute(by, resources.Command((change,), requires))
    if kept is None or lifecycle.differs(before, stepped.life):
        state.remember(LIFE, name, stepped.life.to_body(), expected=0 if kept is None else kept.revision)
    return after if change is not None else None


def _unrecorded(
    reader: control_store.ControlReader,
    state: working_state.WorkingState,
    reading: labels.Reading,
    rules: lifecycle.Rules,
    now_us: int,
) -> alerts.Alert | None:
    """What there is to tell when the record failed: as much as can still be read says, else the reading alone."""
    try:
        kept = state.recall(LIFE, alerts.name(reading.labels))
        found = reader.get(alerts.KIND, alerts.name(reading.labels))
    except errors.StoreError:
        kept, found = None, None
        if reading.condition == "bad":
            # nobody knows for how long: told too early is better than never
            rules = lifecycle.Rules(after_us=0)
    before = _life(kept, found)
    stepped = lifecycle.step(before, reading.condition, now_us=now_us, rules=rules)
    recorded = None if found is None else alerts.read(found)
    return alerts.after(recorded, reading, stepped.life, stepped.events) if stepped.events else None


def _life(kept: working_state.Working | None, found: resources.Resource | None) -> lifecycle.Life:
    """Where an alert is in its life; by its record where the working state was lost, or not written after it."""
    life = lifecycle.Life() if kept is None else lifecycle.Life.from_body(kept.body)
    if found is None or found.body is None:
        return life
    alert = alerts.read(found)
    ended = alert.episode == life.episode and life.state == "firing" and alert.status == "resolved"
    if alert.episode <= life.episode and not ended:
        return life
    return replace(
        life, state=alert.status, episode=alert.episode, since_us=alert.fired_us, started_us=alert.started_us,
        quiet_us=None,
    )  # fmt: skip


def firing(reader: control_store.ControlReader, stream: str) -> tuple[alerts.Alert, ...]:
    """Alerts of a stream that fire now."""
    return tuple(one for one in of_stream(reader, stream) if one.status == "firing")


def of_stream(reader: control_store.ControlReader, stream: str) -> tuple[alerts.Alert, ...]:
    """All alerts that a stream ever had, as they are now."""
    return tuple(alerts.read(one) for one in reader.browse(alerts.KIND, prefix=f"{stream}/"))


def acknowledge(
    ledger: ledgers.Ledger, name: str, *, by: principals.Principal, reason: str | None = None
) -> alerts.Alert:  # fmt: skip
    """Put on record that somebody looks after it."""
    command = alerts.acknowledge(ledger.reader.get(alerts.KIND, name), name, by=by.name, reason=reason)
    return alerts.read(ledger.execute(by, command).resources[0])


def silence(ledger: ledgers.Ledger, command: resources.Command, *, by: principals.Principal) -> silences.Silence:
    """Begin or end a silence."""
    return silences.read(ledger.execute(by, command).resources[0])


def silenced(reader: control_store.ControlReader) -> tuple[silences.Silence, ...]:
    """All silences, also those that are over."""
    return tuple(silences.read(one) for one in reader.browse(silences.KIND))
