"""Refusals that several rules share."""

from __future__ import annotations

import re
from typing import Final

from calibrant import errors
from calibrant.registry import resources

#: Names of streams, environments and principals.
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def demand_name(name: str, *, of: str) -> None:
    """UsageError (CAL-940) for a name that could be mistaken for a path, an option or another name."""
    if not NAME.fullmatch(name):
        raise errors.UsageError(
            "CAL-940",
            f"this cannot be the name of {of}",
            cause="names have 1 to 63 characters of a-z, 0-9, dot, dash, underscore, and begin with a letter or digit",
            fix="choose such a name",
        )


def absent(kind: str, name: str) -> errors.UsageError:
    """There is no such resource."""
    return errors.UsageError(
        "CAL-941", f"there is no {kind} {name!r}", cause="none has this name", fix="look at the names that there are"
    )


def exists(kind: str, name: str) -> errors.ConflictError:
    """There is such a resource already."""
    return errors.ConflictError(
        "CAL-913", f"there is a {kind} {name!r} already", cause="names are given once", fix="choose another name"
    )


def present(found: resources.Resource | None, *, kind: str, name: str) -> resources.Resource:
    """The resource, or the refusal that there is none."""
    if found is None or found.body is None:
        raise absent(kind, name)
    return found


def wrong_state(what: str, state: str, *, needs: str, fix: str) -> errors.RefusedError:
    """The resource is not in the state that the command starts from."""
    return errors.RefusedError("CAL-920", f"{what} is {state}", cause=f"it would have to be {needs} for this", fix=fix)
