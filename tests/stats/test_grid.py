"""The score grid: cells follow the order of scores, and say truthfully where their scores lie."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibrant.stats import grid

SCORES = st.floats(0.0, 1.0, allow_subnormal=True)


def delicate() -> NDArray[np.float64]:
    """Scores at and one step beside every edge there is: powers of two, sixtieths, both ends."""
    edges = [2.0**-k for k in range(1, 30)] + [j / 60 for j in range(61)]
    edges += [(1 + j / 64) * 2.0**-k for k in range(2, 25) for j in range(64)]
    points = np.array(edges)
    points = np.concatenate([points, 1.0 - points, np.random.default_rng(0).random(20_000)])
    points = np.concatenate([points, np.nextafter(points, 0.0), np.nextafter(points, 1.0), [5e-324, 1e-300]])
    return np.unique(np.clip(points, 0.0, 1.0))


@settings(deadline=None)
@given(st.lists(SCORES, min_size=2, max_size=30))
def test_order(scores: list[float]) -> None:
    """A larger score is never in a smaller cell."""
    cells = grid.cells(np.sort(np.array(scores)))
    assert (np.diff(cells) >= 0).all()
    assert cells[0] >= 0
    assert cells[-1] < grid.CELLS


def test_order_at_every_edge() -> None:
    """The same where it is hardest: beside all edges."""
    assert (np.diff(grid.cells(delicate())) >= 0).all()


@given(SCORES)
@settings(max_examples=300, deadline=None)
def test_score_lies_within_its_cell(score: float) -> None:
    """The geometry's ends enclose every score of the cell."""
    cell = grid.cells(np.array([score]))[0]
    shape = grid.geometry()
    assert shape.low[cell] <= score <= shape.high[cell]
    assert shape.low[cell] <= shape.center[cell] <= shape.high[cell]


def test_geometry_at_every_edge() -> None:
    """Ends enclose scores and floor(60 p) is that of the cell, at all edges too."""
    p = delicate()
    cells, shape = grid.cells(p), grid.geometry()
    assert (shape.low[cells] <= p).all()
    assert (p <= shape.high[cells]).all()
    np.testing.assert_array_equal(shape.sixtieth[cells], np.floor(p * 60.0).astype(np.int64))


def test_ends_belong_to_their_cells_and_do_not_overlap() -> None:
    """Both ends of a cell are in it, and the next cell begins after this one ends."""
    shape = grid.geometry()
    used = np.flatnonzero(~np.isnan(shape.low))
    np.testing.assert_array_equal(grid.cells(shape.low[used]), used)
    np.testing.assert_array_equal(grid.cells(shape.high[used]), used)
    assert (np.nextafter(shape.high[used][:-1], 2.0) == shape.low[used][1:]).all()
    assert shape.low[used][0] == 0.0
    assert shape.high[used][-1] == 1.0


def test_zero_and_one_have_cells_of_their_own() -> None:
    """Certain scores are not mixed with nearly certain ones."""
    cells = grid.cells(np.array([0.0, 5e-324, np.nextafter(1.0, 0.0), 1.0]))
    assert len(set(cells.tolist())) == 4


def test_width() -> None:
    """From 2^-24 on a cell is at most 1/64 wide relative to min(p, 1 - p)."""
    shape = grid.geometry()
    used = np.flatnonzero(~np.isnan(shape.low))
    low, high = shape.low[used], shape.high[used]
    t = np.minimum(low, 1.0 - high)
    wide = t >= 2.0**-24
    assert (high[wide] - low[wide] <= t[wide] / 64.0 * (1 + 1e-9)).all()
    assert wide.sum() > 2900


@settings(deadline=None)
@given(SCORES)
def test_rule_in_words(score: float) -> None:
    """The cell is the rank of t = min(p, 1 - p) from its exponent and six mantissa bits, plus floor(60 p)."""
    t = min(score, 1.0 - score)
    if t == 0.0:
        rank = 0
    elif t < 2.0**-24:
        rank = 1
    else:
        fraction, exponent = math.frexp(t)  # t = fraction * 2^exponent, fraction in [1/2, 1)
        rank = 2 + (exponent - 1 + 24) * 64 + int((2 * fraction - 1) * 64)
    if score > 0.5:
        rank = grid.RANKS - 1 - rank
    assert grid.cells(np.array([score]))[0] == rank + int(score * 60)


@pytest.mark.parametrize("count", grid.EXACT_BINS)
def test_equal_width_bins_are_exact(count: int) -> None:
    """Bins from the sixtieths are the bins from the scores, for every divisor of 60."""
    p = delicate()
    from_cells = np.minimum(grid.geometry().sixtieth[grid.cells(p)] // (60 // count), count - 1)
    expected = np.minimum(np.floor(p * 60.0) // (60 // count), count - 1)
    np.testing.assert_array_equal(from_cells, expected)


def test_workspace_changes_nothing() -> None:
    """Scratch arrays, larger than needed and used twice, give the same cells."""
    p = np.random.default_rng(1).random(1000)
    work = grid.Workspace(1500)
    grid.cells(1.0 - p, work)
    np.testing.assert_array_equal(grid.cells(p, work), grid.cells(p))
