"""Digests as names, and what both places say when something is not as it must be."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from calibrant import errors

_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def digest_of(data: bytes) -> str:
    """
    >>> digest_of(b"")[:23]
    'sha256:e3b0c44298fc1c14'
    """
    return "sha256:" + hashlib.sha256(data).hexdigest()


def place_of(digest: str) -> tuple[str, str]:
    """The folder of two characters and the name in it; UsageError (CAL-884) for what is no digest."""
    found = _DIGEST.fullmatch(digest)
    if found is None:
        raise errors.UsageError(
            "CAL-884",
            "this is no digest of a content",
            cause="a digest is sha256: and 64 hexadecimal digits in small letters",
            fix="copy it from where it was given",
        )
    return found[1][:2], found[1]


def digest_at(folder: str, name: str) -> str | None:
    """The digest that a file stands for; None for a file that is not ours."""
    return f"sha256:{name}" if _HEX.fullmatch(name) and name.startswith(folder) and len(folder) == 2 else None


def checked(data: bytes, digest: str) -> bytes:
    """The bytes; StoreDamagedError (CAL-854) when they are not those of the digest."""
    if digest_of(data) != digest:
        raise errors.StoreDamagedError(
            "CAL-854",
            f"the content {digest} cannot be read back",
            cause=f"the {len(data)} bytes that lie there have another digest",
            fix="restore it from a backup, or put the right bytes once more: they replace the wrong ones",
        )
    return data


def missing(digest: str) -> errors.UsageError:
    return errors.UsageError(
        "CAL-881",
        f"the content {digest} is not here",
        cause="it was never put into this place, or was removed from it",
        fix="name the place where it was kept, or restore it from a backup",
    )
