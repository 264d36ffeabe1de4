"""Counting edges below a score: the table, the comparisons and the binary search say the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.calibrators import search

unit = st.one_of(
    st.floats(0.0, 1.0),
    st.floats(0.0, 1e-8),
    st.floats(1.0 - 1e-9, 1.0),
    st.integers(0, 1024).map(lambda i: i / 1024),
    st.integers(0, 60).map(lambda i: 2.0**-i),
)


@given(st.lists(unit, max_size=60), st.lists(unit, max_size=60))
@settings(max_examples=300, deadline=None)
def test_equals_binary_search(edges: list[float], scores: list[float]) -> None:
    """For any edges (doubled ones too) and scores, edges and their neighbours among them."""
    sorted_edges = np.sort(np.array(edges))
    x = np.concatenate([scores, edges, np.nextafter(edges, 0.0), np.nextafter(edges, 1.0), [0.0, 5e-324, 1.0]])
    found = search.Finder.of(sorted_edges).count(x)
    assert np.array_equal(found, np.searchsorted(sorted_edges, x, side="right"))


def test_all_three_ways_are_taken() -> None:
    """Few edges, spread edges, and edges crowded into one bucket or outside [0, 1]."""
    rng = np.random.default_rng(11)
    x = rng.random(5000)
    spread, crowded, odds = np.sort(rng.random(200)), 1.0 - np.arange(200)[::-1] * 1e-9, np.linspace(-9.0, 9.0, 50)
    for edges, table, most in ((spread[:5], False, 5), (spread, True, 10), (crowded, True, 200), (odds, False, 11)):
        finder = search.Finder.of(edges)
        assert (finder.table is not None) == table
        assert finder.most <= most
        assert (finder.most > search.MOST) == (edges is crowded or edges is odds)
        assert np.array_equal(finder.count(x), np.searchsorted(edges, x, side="right"))


def test_missing_scores_stay_inside() -> None:
    """NaN gets some number of edges, so that looking up a value cannot fail."""
    for size in (0, 3, 200):
        found = search.Finder.of(np.linspace(0.0, 1.0, size)).count(np.array([np.nan, -np.nan, np.inf, -np.inf, -1.0]))
        assert np.all((found >= 0) & (found <= size))
