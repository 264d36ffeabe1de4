"""Packed states: exact, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from calibrant import errors
from calibrant.stats.sequential import monitor, packed, paired

STATES = {
    "monitor": (monitor.start(2), monitor.MonitorState),
    "paired": (paired.start(margin=0.1, bound=1.0, groups=2), paired.PairedState),
}


def test_every_bit_comes_back() -> None:
    """Denormal numbers, infinities, minus zero and large integers."""
    floats, ints = np.array([5e-324, -np.inf, -0.0, 0.1 + 0.2]), np.array([2**62, -1])
    reader = packed.Reader(packed.pack("s/1", {"alpha": 0.1}, {"a": floats, "b": ints}), "s/1")
    assert reader.floats("a", 4).tobytes() == floats.tobytes()
    assert reader.ints("b", 2).tolist() == ints.tolist()
    assert reader.number("alpha") == 0.1
    reader.done()


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize(
    "change",
    [
        {"schema": "calibrant.monitor/2"},
        {"rows": "AAAA"},
        {"rows": "not base64"},
        {"rows": 3},
        {"rows": None},
        {"groups": "2"},
        {"groups": True},
        {"groups": float("nan")},
        {"another": 1},
    ],
)
def test_anything_else_is_refused(name: str, change: dict[str, Any]) -> None:
    """A newer schema, other sizes, other types, more entries: CAL-468."""
    state, kind = STATES[name]
    with pytest.raises(errors.UsageError, match="CAL-468"):
        kind.from_dict({**state.to_dict(), **change})


@pytest.mark.parametrize("name", STATES)
def test_nothing_may_be_missing(name: str) -> None:
    """Each entry is needed."""
    state, kind = STATES[name]
    whole = state.to_dict()
    for left_out in whole:
        with pytest.raises(errors.UsageError, match="CAL-468"):
            kind.from_dict({key: value for key, value in whole.items() if key != left_out})


def test_no_nan() -> None:
    """A state never holds NaN, so none is read."""
    document = packed.pack("s/1", {}, {"a": np.array([np.nan])})
    with pytest.raises(errors.UsageError, match="NaN"):
        packed.Reader(document, "s/1").floats("a", 1)
