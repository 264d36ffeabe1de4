"""Failures of the disk in our words."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from calibrant import errors

#: These say that we are wrong, not the disk: a statement that cannot be, a key that is there already.
OURS = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_MISMATCH})


@contextmanager
def told() -> Iterator[None]:
    """Turn what the operating system or SQLite says into StoreFullError, StoreFaultError or StoreBusyError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in OURS:
            raise
        raise of_sqlite(error) from error
    except (OSError, pa.ArrowException) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            raise full() from error
        raise fault(str(error)) from error


def of_sqlite(error: sqlite3.DatabaseError) -> errors.StoreError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return full()
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return busy("the database")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return errors.StoreDamagedError(
            "CAL-854",
            "the store's database cannot be read",
            cause=str(error),
            fix="restore the store from a backup; the disk below it has lost data",
        )
    return fault(str(error))


def full() -> errors.StoreFullError:
    return errors.StoreFullError(
        "CAL-852",
        "the store has no room left",
        cause="the disk is full; nothing of this was kept",
        fix="make room (a shorter retention of a stream does), then send it again",
    )


def fault(cause: str) -> errors.StoreFaultError:
    return errors.StoreFaultError(
        "CAL-853",
        "the disk failed before this was acknowledged",
        cause=cause,
        fix="look at the disk; what was acknowledged is safe, and this may be sent again: it counts once",
    )


def busy(what: str) -> errors.StoreBusyError:
    return errors.StoreBusyError(
        "CAL-851",
        "another process writes into this store",
        cause=f"{what} is locked by it",
        fix="let that process end (or send the events to it), and try again",
    )


def absent(where: str, cause: str) -> errors.SourceError:
    return errors.SourceError(
        "CAL-111",
        f"there is no event store in {where!r}",
        cause=cause,
        fix="ingest events first, or name the folder they were ingested into",
    )
