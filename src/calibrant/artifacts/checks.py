"""Conditions on the members of an artifact, so that an illegal one cannot be made or read."""

from __future__ import annotations

import math
import re
from typing import Final

from calibrant import errors

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def illegal(cause: str) -> errors.ArtifactError:
    """The error of a member that has the right type and no legal value."""
    return errors.ArtifactError(
        "CAL-646",
        "no artifact can say this",
        cause=cause,
        fix="seal the artifact again with legal values, or take the file from where it was first written",
    )


def name(what: str, found: str) -> None:
    """Names that could not be mistaken for a path or an option."""
    if not isinstance(found, str) or not NAME.fullmatch(found):
        raise illegal(f"{what} is not 1 to 63 characters of a-z, 0-9, dot, dash, underscore, letter or digit first")


def digest(what: str, found: str) -> None:
    """``sha256:`` and 64 hexadecimal digits."""
    if not isinstance(found, str) or not DIGEST.fullmatch(found):
        raise illegal(f"{what} is not sha256: and 64 hexadecimal digits")


def whole(what: str, found: int, *, least: int) -> None:
    """An integer, not below ``least``."""
    if isinstance(found, bool) or not isinstance(found, int) or found < least:
        raise illegal(f"{what} is not a whole number of at least {least}")


def finite(what: str, found: float) -> float:
    """A finite Python float; minus zero becomes zero, which canonical JSON cannot tell apart."""
    try:
        number = float(found) + 0.0
    except (TypeError, ValueError):
        raise illegal(f"{what} is not a number") from None
    if not math.isfinite(number):
        raise illegal(f"{what} is not finite")
    return number
