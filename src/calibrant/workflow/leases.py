"""Leases: at most one controller looks after a stream, and one that was stopped cannot act when it wakes up.

A lease runs out by the clock; its revision is the fencing token. Each renewal and each new holder moves the revision,
and commands of a holder require the one that it knows: whoever slept through the end of its lease is refused by the
store, not by its own clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from calibrant import errors
from calibrant.ports import working_state
from calibrant.registry import resources

KIND: Final = "lease"
#: Long enough for one look at a stream on a slow day; a controller that dies is replaced after it.
LASTS_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Lease:
    """What a holder knows of its lease; ``taken_us`` is when it took or renewed it."""

    name: str
    holder: str
    revision: int
    expires_us: int
    taken_us: int

    def requirement(self) -> resources.Requirement:
        """What every command under this lease requires."""
        return resources.Requirement(KIND, self.name, self.revision, working=True)


def take(
    state: working_state.WorkingState, name: str, *, holder: str, now_us: int, lasts_us: int = LASTS_US
) -> Lease | None:
    """Take or renew a lease; None while somebody else holds it."""
    found = state.recall(KIND, name)
    if found is not None and found.body["holder"] not in (holder, None) and now_us < found.body["expires_us"]:
        return None
    expires_us = now_us + lasts_us
    expected = 0 if found is None else found.revision
    try:
        body = {"holder": holder, "expires_us": expires_us, "done_us": _done(found)}
        kept = state.remember(KIND, name, body, expected=expected)
    except errors.ConflictError:
        # somebody was quicker by a moment
        return None
    return Lease(name, holder, kept.revision, expires_us, now_us)


def release(state: working_state.WorkingState, lease: Lease) -> bool:
    """Give a lease back, so that nobody waits for its end; False when it was lost before."""
    try:
        body = {"holder": None, "expires_us": 0, "done_us": lease.taken_us}
        state.remember(KIND, lease.name, body, expected=lease.revision)
    except errors.ConflictError:
        return False
    return True


def last_done(state: working_state.WorkingReader, name: str) -> int | None:
    """When whoever gave the lease back last had taken it: the beginning of the last look that came to its end."""
    return _done(state.recall(KIND, name))


def _done(found: working_state.Working | None) -> int | None:
    done: int | None = None if found is None else found.body.get("done_us")
    return done
