"""From the token that somebody shows to the principal who is acting."""

from __future__ import annotations

from calibrant import errors
from calibrant.ports import control_store
from calibrant.registry import keys, principals


def authenticate(reader: control_store.ControlReader, token: str, *, now_us: int) -> principals.Principal:
    """Who holds this key; ForbiddenError for one that is unknown (CAL-902), has ended (CAL-903) or whose holder is
    suspended (CAL-906).

    A service stops when the person who answers for it is suspended.
    """
    shown = keys.parse(token)
    name = keys.holder(shown, reader.get(keys.KIND, shown.prefix), now_us=now_us)
    found = reader.get(principals.KIND, name)
    if found is None or found.body is None:
        raise _suspended(name)
    who = principals.read(found)
    owner = None if who.owner is None else reader.get(principals.KIND, who.owner)
    if who.state != "active" or (owner is not None and principals.read(owner).state != "active"):
        raise _suspended(name)
    return who


def _suspended(name: str) -> errors.ForbiddenError:
    return errors.ForbiddenError(
        "CAL-906",
        f"{name} is suspended",
        cause="an admin took this access away, or that of the person who answers for it",
        fix="ask an admin: calibrant people reinstate",
    )
