"""States as JSON, exact to the bit: numbers as they are, arrays as base64 of their little-endian bytes."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import errors


def pack(schema: str, numbers: Mapping[str, float], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """One flat dictionary; integers and floats of eight bytes each.

    >>> pack("one/1", {"alpha": 0.05}, {"rows": np.array([3])})
    {'schema': 'one/1', 'alpha': 0.05, 'rows': 'AwAAAAAAAAA='}
    """
    return {"schema": schema, **numbers, **{name: _text(array) for name, array in arrays.items()}}


def _text(array: NDArray[Any]) -> str:
    kind = "<i8" if array.dtype.kind == "i" else "<f8"
    return base64.b64encode(np.ascontiguousarray(array, kind).tobytes()).decode()


class Reader:
    """Takes a packed state apart; whatever is missing, left over or of the wrong size is refused."""

    def __init__(self, document: Mapping[str, Any], schema: str) -> None:
        if document.get("schema") != schema:
            raise unreadable(f"its schema is {document.get('schema')!r}, not {schema!r}")
        self._left = {name: value for name, value in document.items() if name != "schema"}

    def number(self, name: str) -> float:
        value = self._left.pop(name, None)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise unreadable(f"{name} is not a finite number")
        return float(value)

    def ints(self, name: str, *shape: int) -> NDArray[np.int64]:
        return self._array(name, "<i8", shape).astype(np.int64)

    def floats(self, name: str, *shape: int) -> NDArray[np.float64]:
        """May hold -infinity, the logarithm of nothing; never NaN."""
        found = self._array(name, "<f8", shape).astype(np.float64)
        if np.isnan(found).any():
            raise unreadable(f"{name} holds NaN")
        return found

    def done(self) -> None:
        if self._left:
            raise unreadable(f"it has entries that no state has: {', '.join(sorted(map(repr, self._left)))}")

    def _array(self, name: str, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
        try:
            content = base64.b64decode(self._left.pop(name, None) or "", validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise unreadable(f"{name} is not base64") from None
        if len(content) != 8 * math.prod(shape):
            raise unreadable(f"{name} has {len(content)} bytes, not {8 * math.prod(shape)}")
        return np.frombuffer(content, kind).reshape(shape)


def unreadable(cause: str) -> errors.UsageError:
    return errors.UsageError(
        "CAL-468",
        "this is not the state of a sequential test",
        cause=cause,
        fix="start the test again and replay its labels, or take the state from where it was kept",
    )
