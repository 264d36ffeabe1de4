"""Streams: what is declared, and how their events lie."""

from __future__ import annotations

from collections.abc import Iterator

from calibrant.workflow.doctor import findings
from calibrant.workflow.doctor.findings import Finding, Installation


def declared(installation: Installation) -> Iterator[Finding]:
    """Streams that nobody answers for, and streams that mask without a key."""
    for stream in installation.streams:
        missing = [name for name in ("owner", "runbook") if not getattr(stream, name).strip()]
        if missing:
            yield findings.NOBODY_ANSWERS.saw(f"{stream.name} has no " + " and no ".join(missing))
        if stream.context.hmac and not installation.masks:
            yield findings.NO_HMAC.saw(f"{stream.name} masks " + ", ".join(stream.context.hmac))


def events(installation: Installation) -> Iterator[Finding]:
    """Partitions to summarise, labels that wait, and with ``full`` the digest of every part."""
    reader = installation.events
    for name in () if reader is None else reader.streams():
        assert reader is not None
        dirty, orphans = len(reader.dirty(name)), reader.counts(name).orphans
        if dirty:
            yield findings.DIRTY.saw(f"{name}: {dirty:,} partitions")
        if orphans:
            yield findings.ORPHANS.saw(f"{name}: {orphans:,} labels")
        if installation.full:
            for part in reader.damaged(name):
                yield findings.EVENTS_DAMAGED.saw(f"{name}: {part}")
