"""The assignment of units to arms: the same everywhere, equal arms, sticky while they grow."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.serving import assign

#: For implementations in other languages; docs/rollouts.md prints them.
VECTORS = [
    ("fraud/production/1", "account-1", 668_418),
    ("fraud/production/1", "a", 292_601),
    ("fraud/production/1", "", 583_337),
    ("fraud/production/2", "account-1", 24_308),
    ("fraud/production/1", "José", 304_099),
    ("fraud/production/1", "Jose\u0301", 304_099),
    ("x/y/9", "機械-7", 520_292),
]

UNITS = st.text(max_size=40)
WIDTHS = st.integers(0, assign.HALF)


@pytest.mark.parametrize(("salt", "unit", "expected"), VECTORS)
def test_vectors(salt: str, unit: str, expected: int) -> None:
    """The definition, computed with nothing but a hash; composed and decomposed letters are one unit."""
    assert assign.bucket(unit, salt=salt) == expected
    if unit.isascii():
        first = int(hashlib.sha256(f"{salt}\x1f{unit}".encode()).hexdigest()[:16], 16)
        assert expected == first * 1_000_000 // 2**64


@settings(deadline=None)
@given(unit=UNITS, salt=st.text(min_size=1, max_size=20), widths=st.lists(WIDTHS, min_size=2, max_size=8).map(sorted))
def test_widening_only_adds_units(unit: str, salt: str, widths: list[int]) -> None:
    """Invariant 5: once in an arm, a unit stays there however the arms grow, and is never in the other one."""
    arms = [assign.arm(assign.bucket(unit, salt=salt), width=width) for width in widths]
    for before, after in pairwise(arms):
        assert before in ("rest", after)


@settings(deadline=None)
@given(width=WIDTHS)
def test_arms_have_the_same_width(width: int) -> None:
    """Invariant 4: as many buckets in the control arm as in the canary; they never overlap."""
    edges = {
        0,
        1,
        width - 1,
        width,
        assign.HALF - 1,
        assign.HALF,
        assign.HALF + width - 1,
        assign.HALF + width,
        999_999,
    }
    for number in edges & set(range(assign.BUCKETS)):
        expected = "canary" if number < width else "control" if 0 <= number - assign.HALF < width else "rest"
        assert assign.arm(number, width=width) == expected


@pytest.mark.parametrize("width", [-1, assign.HALF + 1])
def test_no_arm_is_wider_than_half(width: int) -> None:
    """The arms would overlap."""
    with pytest.raises(ValueError, match="half of all units"):
        assign.arm(0, width=width)


def test_units_spread_evenly() -> None:
    """Of 20,000 units at 5 %, each arm has its share within five standard deviations, in two rollouts independently."""
    units = [f"unit-{index}" for index in range(20_000)]
    first, second = (assign.arms(units, salt=f"s/production/{number}", width=50_000) for number in (1, 2))
    for arms in (first, second):
        for arm in ("canary", "control"):
            assert abs(arms.count(arm) - 1_000) < 5 * 31
    both = sum(a == b == "canary" for a, b in zip(first, second, strict=True))
    assert both < 100
