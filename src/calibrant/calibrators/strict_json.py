"""JSON without room for two meanings: the reader of every file whose bytes are signed or named by a digest."""

from __future__ import annotations

import json
from typing import Any

from calibrant.calibrators import canonical


def loads(data: bytes) -> Any:
    """The value of a JSON text in UTF-8; ValueError for anything else, and for a key that is given twice.

    Integers beyond 2^53 become doubles, as every other reader takes them. Nesting beyond what Python can follow is a
    ValueError too.

    >>> loads(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    ValueError: a key is given twice
    """
    try:
        return json.loads(data.decode(), object_pairs_hook=_once, parse_int=_integer, parse_constant=_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except OverflowError:
        raise ValueError("a number is too large") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found


def _integer(text: str) -> int | float:
    exact = int(text)
    return exact if abs(exact) <= canonical.EXACT else float(text)


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")
