"""Who is in the canary: a hash of the unit, so that every process in every language gives the same answer for good.

    h = the first 8 bytes, big-endian, of SHA-256(salt, 0x1F, unit), both as NFC UTF-8
    bucket = (h * 1,000,000) >> 64
    canary = [0, w), control = [500000, 500000 + w), w <= 500000 millionths

Both arms have the same width. Widening moves units into the arms and never from one arm to the other. The unit is what
a label attaches to (an account, a machine), never the request: it gets the same answer each time.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import Final, Literal

Arm = Literal["canary", "control", "rest"]

BUCKETS: Final = 1_000_000
#: The control arm begins here; no arm is wider.
HALF: Final = BUCKETS // 2


def bucket(unit: str, *, salt: str) -> int:
    """The bucket of a unit, 0 to 999,999, in a rollout: the salt is its name.

    >>> bucket("account-1", salt="fraud/production/1")
    668418
    """
    hashed = hashlib.sha256(_bytes(salt) + b"\x1f" + _bytes(unit)).digest()
    return int.from_bytes(hashed[:8], "big") * BUCKETS >> 64


def arm(number: int, *, width: int) -> Arm:
    """The arm of a bucket, with arms of so many millionths.

    >>> [arm(number, width=10_000) for number in (0, 9_999, 10_000, 500_000, 509_999, 510_000)]
    ['canary', 'canary', 'rest', 'control', 'control', 'rest']
    """
    if not 0 <= width <= HALF:
        raise ValueError(f"an arm is at most half of all units wide, not {width:,} millionths")
    if number < width:
        return "canary"
    return "control" if HALF <= number < HALF + width else "rest"


def arms(units: Sequence[str], *, salt: str, width: int) -> list[Arm]:
    """The arm of each unit.

    >>> arms(["a", "b", "c"], salt="fraud/production/1", width=500_000)
    ['canary', 'control', 'canary']
    """
    return [arm(bucket(unit, salt=salt), width=width) for unit in units]


def _bytes(text: str) -> bytes:
    return unicodedata.normalize("NFC", text).encode()
