"""Working state within one transaction: the same for both databases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from calibrant import errors
from calibrant.calibrators import canonical
from calibrant.ports import working_state
from calibrant.storage.control import session as sessions


def recall(session: sessions.Session, kind: str, name: str) -> working_state.Working | None:
    """What is kept."""
    found = session.rows("recall", kind=kind, name=name)
    return _read(found[0]) if found else None


def recall_all(session: sessions.Session, kind: str, prefix: str) -> tuple[working_state.Working, ...]:
    """All of a kind."""
    return tuple(_read(row) for row in session.rows("recall_all", kind=kind, prefix=prefix))


def remember(
    session: sessions.Session, kind: str, name: str, body: Mapping[str, Any], *, expected: int
) -> working_state.Working:
    """Compare and swap."""
    written = canonical.dumps(dict(body))
    if expected == 0:
        changed = session.run("begin_working", kind=kind, name=name, body=written)
    else:
        changed = session.run("go_on_working", kind=kind, name=name, body=written, expected=expected)
    if changed != 1:
        raise _moved(kind, name, expected)
    return working_state.Working(kind, name, expected + 1, json.loads(written))


def forget(session: sessions.Session, kind: str, name: str, *, expected: int) -> None:
    """Remove one revision."""
    if session.run("forget_working", kind=kind, name=name, expected=expected) != 1:
        raise _moved(kind, name, expected)


def demand(session: sessions.Session, kind: str, name: str, revision: int) -> None:
    """ConflictError (CAL-914) unless this is the revision that is kept (0: nothing)."""
    found = recall(session, kind, name)
    if (0 if found is None else found.revision) != revision:
        raise _moved(kind, name, revision)


def _read(row: sessions.Row) -> working_state.Working:
    kind, name, revision, body = row
    try:
        held = json.loads(body)
    except ValueError as error:
        raise sessions.damaged(f"the state of {kind} {name!r}", str(error)) from error
    return working_state.Working(kind, name, revision, held)


def _moved(kind: str, name: str, expected: int) -> errors.ConflictError:
    return errors.ConflictError(
        "CAL-914",
        f"the state of {kind} {name!r} is not at revision {expected} any more",
        cause="another process went on with it",
        fix="recall it, and decide again; a controller that meets this has lost its lease",
    )
