"""Arrivals: ranks within groups. What is refused is tested where it is refused, in ``test_monitor``."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from calibrant.stats.sequential import arrivals


@given(st.lists(st.integers(0, 5), max_size=40))
def test_rank_within_by_counting(groups: list[int]) -> None:
    """How many of the same group came before, counted one by one."""
    expected = [groups[:at].count(group) for at, group in enumerate(groups)]
    assert arrivals.rank_within(np.array(groups, np.int64), 6).tolist() == expected


def test_weights_in_units_of_the_heaviest() -> None:
    """Without weights each row weighs 1, whatever the heaviest may be."""
    found = arrivals.read([0.5], [1], None, None, group_count=1, heaviest=4.0)
    given_ = arrivals.read([0.5], [1], [2.0], None, group_count=1, heaviest=4.0)
    assert (found.weights.tolist(), given_.weights.tolist()) == ([0.25], [0.5])
