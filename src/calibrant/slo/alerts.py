"""What is on record of an alert: when it fired and ended, what was so then, who has seen it.

The record is a resource and changes only when the alert fires, resolves or is acknowledged: the readings in between are
working state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from calibrant import errors
from calibrant.registry import refusals, resources
from calibrant.slo import labels as labelled
from calibrant.slo import lifecycle

KIND: Final = "alert"

Status = Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Alert:
    """``episode`` counts how often it fired, ``snapshot`` is of when it did; an acknowledgement is of one episode."""

    labels: labelled.Labels
    status: Status
    episode: int
    started_us: int
    fired_us: int
    ended_us: int | None
    annotations: Mapping[str, str]
    snapshot: Mapping[str, Any] | None
    flapping: bool = False
    acknowledged_by: str | None = None

    @property
    def fingerprint(self) -> str:
        return self.labels.fingerprint

    def to_body(self) -> dict[str, Any]:
        return {
            "labels": self.labels.to_dict(),
            "status": self.status,
            "episode": self.episode,
            "started_us": self.started_us,
            "fired_us": self.fired_us,
            "ended_us": self.ended_us,
            "annotations": dict(self.annotations),
            "snapshot": None if self.snapshot is None else dict(self.snapshot),
            "flapping": self.flapping,
            "acknowledged_by": self.acknowledged_by,
        }


def name(labels: labelled.Labels) -> str:
    """The name of the resource of an alert: those of a stream lie beside each other."""
    return f"{labels.stream}/{labels.fingerprint}"


def read(found: resources.Resource) -> Alert:
    """The alert that a resource describes."""
    assert found.body is not None
    return from_body(found.body)


def from_body(body: Mapping[str, Any]) -> Alert:
    """The same of a resource's content."""
    return Alert(**{**body, "labels": labelled.Labels(**body["labels"])})


def after(
    before: Alert | None, reading: labelled.Reading, life: lifecycle.Life, events: tuple[lifecycle.Event, ...]
) -> Alert | None:
    """What the record says after a step of its life; None while there is nothing to record."""
    if "fired" in events and (before is None or before.episode < life.episode):
        snapshot = None if reading.snapshot is None else reading.snapshot.to_dict()
        started_us = life.since_us if life.started_us is None else life.started_us
        return Alert(
            reading.labels, "firing", life.episode, started_us, life.since_us, None, reading.annotations, snapshot,
            life.flapping,
        )  # fmt: skip
    if "resolved" in events and before is not None:
        return replace(before, status="resolved", ended_us=life.quiet_us, flapping=False, acknowledged_by=None)
    return before


def record(found: resources.Resource | None, alert: Alert) -> resources.Change | None:
    """The change that puts an alert on record; None where the record says so already."""
    if found is not None and found.body is not None and dict(found.body) == alert.to_body():
        return None
    revision = resources.ABSENT if found is None else found.revision
    snapshot = alert.snapshot or {}
    evidence = tuple(str(snapshot[name]) for name in ("artifact", "evidence") if snapshot.get(name))
    return resources.Change(KIND, name(alert.labels), revision, alert.to_body(), "alert.record", None, evidence)


def acknowledge(
    found: resources.Resource | None, name: str, *, by: str, reason: str | None = None
) -> resources.Command:
    """Somebody looks after it: it is not repeated any more until it ends."""
    alert = read(refusals.present(found, kind=KIND, name=name))
    assert found is not None
    if alert.status != "firing":
        raise refusals.wrong_state(
            f"the alert {name}", alert.status, needs="firing", fix="there is nothing to look after any more"
        )
    if alert.acknowledged_by is not None:
        raise errors.ConflictError(
            "CAL-915",
            f"the alert {name} is looked after already",
            cause=f"{alert.acknowledged_by} acknowledged it",
            fix="ask there",
        )
    body = replace(alert, acknowledged_by=by).to_body()
    return resources.Command((resources.Change(KIND, name, found.revision, body, "alert.acknowledge", reason),))
