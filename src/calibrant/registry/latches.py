"""A stream whose changes were taken back again and again is latched; a person looks and releases it, on record."""

from __future__ import annotations

from typing import Final

from calibrant.registry import refusals, resources

KIND: Final = "latch"


def release(found: resources.Resource | None, stream: str, *, now_us: int, reason: str | None) -> resources.Command:
    """Let a stream change again from now on."""
    refusals.demand_name(stream, of="a stream")
    revision = resources.ABSENT if found is None else found.revision
    change = resources.Change(KIND, stream, revision, {"released_us": now_us}, "latch.release", reason)
    return resources.Command((change,))


def released_us(found: resources.Resource | None) -> int | None:
    """When somebody last released it."""
    return None if found is None or found.body is None else int(found.body["released_us"])
