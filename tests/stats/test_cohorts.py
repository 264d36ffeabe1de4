"""Stacked summaries: the algebra of cohorts is the algebra of their rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant import errors
from calibrant.stats import cohorts, summary

ROW = st.tuples(st.floats(0.0, 1.0), st.integers(0, 1), st.sampled_from("abcd"))


def stacked(rows: list[tuple[float, int, str]], grid: summary.Grid) -> cohorts.Cohorts:
    """The cohorts of some rows, made without the merge."""
    keys = sorted({key for _, _, key in rows})
    groups = [keys.index(key) for _, _, key in rows]
    p, y = [row[0] for row in rows], [row[1] for row in rows]
    made = summary.summarise(p, y, groups=np.array(groups, np.int64), group_count=len(keys), grid=grid)
    return cohorts.Cohorts(("name",), tuple((key,) for key in keys), made)


def same(a: summary.Summary, b: summary.Summary) -> bool:
    """Equal cells and counts, sums equal up to rounding."""
    return (
        a.grid == b.grid
        and np.array_equal(a.keys, b.keys)
        and np.array_equal(a.n, b.n)
        and np.array_equal(a.starts, b.starts)
        and np.allclose(a.sums, b.sums, rtol=1e-12, atol=1e-12)
    )


@settings(deadline=None)
@given(st.lists(ROW, min_size=1), st.lists(ROW, min_size=1), st.sampled_from(["dyadic", "distinct"]))
def test_sum_is_the_summary_of_all_rows(
    left: list[tuple[float, int, str]], right: list[tuple[float, int, str]], grid: summary.Grid
) -> None:
    """a + b equals the cohorts of the joined rows, in either order."""
    whole = stacked(left + right, grid)
    for joined in (stacked(left, grid) + stacked(right, grid), stacked(right, grid) + stacked(left, grid)):
        assert joined.keys == whole.keys
        assert same(joined.summary, whole.summary)


@settings(deadline=None)
@given(st.lists(ROW, min_size=1), st.lists(ROW, min_size=1), st.sampled_from(["dyadic", "distinct"]))
def test_difference_takes_rows_away(
    left: list[tuple[float, int, str]], right: list[tuple[float, int, str]], grid: summary.Grid
) -> None:
    """(a + b) - b is a again; cohorts that only b had are gone."""
    back = (stacked(left, grid) + stacked(right, grid)) - stacked(right, grid)
    assert back.keys == stacked(left, grid).keys
    assert same(back.summary, stacked(left, grid).summary)


@settings(deadline=None)
@given(st.lists(ROW, min_size=1), st.sampled_from(["dyadic", "distinct"]))
def test_pooled_and_single(rows: list[tuple[float, int, str]], grid: summary.Grid) -> None:
    """The pooled summary is that of all rows, each cohort's that of its rows."""
    found = stacked(rows, grid)
    p, y, keys = zip(*rows, strict=True)
    assert same(found.pooled(), summary.summarise(p, y, grid=grid))
    for key in set(keys):
        mine = [(score, label) for score, label, name in rows if name == key]
        expected = summary.summarise(*map(list, zip(*mine, strict=True)), grid=grid)
        assert same(found[key], expected)


def test_nothing_left_is_no_cohort() -> None:
    """All rows taken away leave no keys and an empty pooled summary."""
    one = stacked([(0.2, 0, "a")], "dyadic")
    nothing = one - one
    assert nothing.keys == ()
    assert nothing.pooled().rows.sum() == 0
    assert (nothing + one).keys == one.keys


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        ("CAL-406", lambda a: a - stacked([(0.2, 0, "a"), (0.2, 0, "a")], "dyadic")),
        ("CAL-405", lambda a: a + stacked([(0.2, 0, "a")], "distinct")),
        ("CAL-422", lambda a: a["nobody"]),
        ("CAL-409", lambda a: cohorts.Cohorts(("name",), (("a",), ("b",)), a.summary)),
    ],
)
def test_refusals(code: str, spoil: object) -> None:
    """What makes no sense is refused with its code."""
    assert callable(spoil)
    with pytest.raises(errors.UsageError) as caught:
        spoil(stacked([(0.2, 0, "a")], "dyadic"))
    assert caught.value.code == code


def test_many_cohorts_merge() -> None:
    """Twenty thousand cohorts and their sum: every one has its rows twice."""
    count = 20_000
    rng = np.random.default_rng(0)
    keys = tuple((f"{index:06}",) for index in range(count))
    groups = np.repeat(np.arange(count), 3)
    parts = [
        cohorts.Cohorts(
            ("id",), keys, summary.summarise(rng.random(3 * count), rng.integers(0, 2, 3 * count), groups=groups)
        )
        for _ in range(2)
    ]
    assert (parts[0] + parts[1]).summary.rows.tolist() == [6] * count


def test_no_cohorts_at_all() -> None:
    """Cohorts that were all taken away add up, pool and subtract like the nothing that they are."""
    one = cohorts.Cohorts(("c",), (("a",),), summary.summarise([0.5], [1]))
    nothing = one - one
    assert len(nothing) == 0
    assert len(nothing + nothing) == 0
    assert nothing.pooled().rows.tolist() == [0]
    assert (nothing + one)["a"].rows.tolist() == [1]
