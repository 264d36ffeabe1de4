"""What is wrong with an installation, why it matters, and how to mend it.

Card
----
Lives here: one function for each kind of thing that is looked at. Comes in: an installation as far as it can be read,
and a time. Goes out: findings. Never: a change, a secret, a key to act with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from calibrant import errors
from calibrant.workflow.doctor import decisions, files, findings, log, streams
from calibrant.workflow.doctor.findings import Finding, Installation

__all__ = ["Finding", "Installation", "examine"]

_LOOKS: Final[tuple[Callable[[Installation], Iterator[Finding]], ...]] = (
    files.keys_are_private,
    files.folders_are_ours,
    files.disk_has_room,
    decisions.clock_is_right,
    decisions.bound_artifacts_may_serve,
    decisions.keys_of_principals,
    decisions.admins,
    decisions.production_needs_approval,
    log.signed_in_time,
    log.verifies,
    log.second_place,
    streams.declared,
    streams.events,
)


def examine(installation: Installation) -> tuple[Finding, ...]:
    """All findings, by code; what could not be opened was found before and is among ``installation.unreadable``."""
    found = {*installation.unreadable, *(one for look in _LOOKS for one in _seen(look, installation))}
    return tuple(sorted(found, key=lambda one: (one.check.code, one.seen)))


def _seen(look: Callable[[Installation], Iterator[Finding]], installation: Installation) -> Iterator[Finding]:
    """What one look finds; damage that it meets on the way is a finding and keeps no other look from looking."""
    try:
        yield from look(installation)
    except errors.CalibrantError as error:
        yield findings.UNREADABLE.saw(f"{error.code}, {error.what}: {error.cause}")


def unreadable(part: str, error: errors.CalibrantError | OSError) -> Finding:
    """The finding for a store that cannot be opened: of another schema, damaged, or not ours to read."""
    if isinstance(error, OSError):
        return findings.UNREADABLE.saw(f"{part}: {error.strerror or error}")
    if error.code == "CAL-865":
        check = findings.CONTROL_SCHEMA if part == "decisions" else findings.EVENT_SCHEMA
        return check.saw(error.what)
    return findings.UNREADABLE.saw(f"{part}: {error.code}, {error.what}: {error.cause}")
