"""Canonical JSON against the reference package."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.calibrators import canonical

finite = st.floats(allow_nan=False, allow_infinity=False)
values: Any = st.recursive(
    st.none() | st.booleans() | finite | st.integers(-canonical.EXACT, canonical.EXACT) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
@settings(max_examples=150, deadline=None)
def test_equals_the_reference(value: Any) -> None:
    """The same bytes as the reference implementation of RFC 8785, for any JSON value."""
    assert canonical.dumps(value) == rfc8785.dumps(value)


def test_numbers_equal_the_reference() -> None:
    """Twenty thousand doubles of all sizes, and the sizes where the notation changes."""
    rng = np.random.default_rng(7)
    bits = rng.integers(0, 2**63, 10_000).view(np.float64)
    sizes = 10.0 ** rng.uniform(-9.0, 23.0, 10_000) * rng.choice([-1.0, 1.0], 10_000)
    edges = [b * f for b in (1e-7, 1e-6, 1e-5, 1e-4, 1e15, 1e16, 1e17, 1e20, 1e21, 1e22) for f in (1, 1.5, 1 - 1e-16)]
    for value in [*bits[np.isfinite(bits)].tolist(), *sizes.tolist(), *sizes.round(3).tolist(), *edges, 0.0, -0.0]:
        assert canonical.dumps(value) == rfc8785.dumps(value)
        assert float(canonical.number(value)) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, {1, 2}, b"x", {"a": object()}])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    """Numbers that are not finite or not exact, and values without a JSON form."""
    with pytest.raises(ValueError, match="JSON form"):
        canonical.dumps(value)


def test_lone_surrogates_are_refused() -> None:
    """Half a character has no bytes."""
    with pytest.raises(UnicodeEncodeError):
        canonical.dumps("\ud800")
