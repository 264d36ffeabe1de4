"""Which alerts say nothing new because another one is the reason for them. They go on living; they are not told.

* Labels that do not arrive, or predictions that do not, explain every burning budget and thin coverage of the stream.
* What is off for a parent is the likely reason for its cohorts.
* A page says all that the ticket of the same trouble would; what only makes a ticket never keeps a page back.
"""

from __future__ import annotations

from collections.abc import Collection

from calibrant.slo import members
from calibrant.slo.labels import Labels


def reasons(alert: Labels, firing: Collection[Labels]) -> tuple[str, ...]:
    """Fingerprints of the firing alerts that inhibit one, sorted; empty when it is told."""
    return tuple(sorted(other.fingerprint for other in firing if _explains(other, alert)))


def _explains(reason: Labels, alert: Labels) -> bool:
    weaker = reason.severity == "ticket" and alert.severity == "page"
    if reason.stream != alert.stream or reason == alert or weaker:
        return False
    if reason.kind == "pipeline":
        return alert.kind in ("burn", "coverage")
    same_trouble = (reason.kind, reason.slo, reason.alertname) == (alert.kind, alert.slo, alert.alertname)
    if not same_trouble:
        return False
    if reason.cohort == alert.cohort:
        return reason.severity == "page" and alert.severity == "ticket"
    return members.is_parent(members.read(reason.cohort), members.read(alert.cohort))
