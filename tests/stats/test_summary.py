"""The algebra of summaries: whatever way rows come, in one piece or in many, the sums are the same."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from calibrant import errors
from calibrant.stats import grid as score_grid
from calibrant.stats import summary as summaries

Summary = summaries.Summary
GRIDS: tuple[summaries.Grid, ...] = ("dyadic", "distinct")
grids = st.sampled_from(GRIDS)
law = settings(max_examples=40, deadline=None)


@dataclass
class Rows:
    """Scores, labels and weights of one length; made to be cut up."""

    scores: NDArray[np.float64]
    labels: NDArray[np.float64]
    weights: NDArray[np.float64] | None

    def summary(self, grid: summaries.Grid, pick: object = slice(None)) -> Summary:
        weights = None if self.weights is None else self.weights[pick]  # type: ignore[index]
        return summaries.summarise(self.scores[pick], self.labels[pick], weights=weights, grid=grid)  # type: ignore[index]


@st.composite
def rows(draw: st.DrawFn, *, most: int = 40) -> Rows:
    """Scores with ties, ends and any float in between; labels 0/1 or rates; weights or none, some of them 0."""
    n = draw(st.integers(1, most))
    score = st.one_of(st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.floats(0.0, 1.0))
    label = draw(st.sampled_from([st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0)]))
    weight = st.one_of(st.just(0.0), st.floats(2.0**-6, 64.0))
    weights = draw(st.none() | arrays.arrays(np.float64, n, elements=weight))
    return Rows(
        draw(arrays.arrays(np.float64, n, elements=score)), draw(arrays.arrays(np.float64, n, elements=label)), weights
    )


def assert_equal(one: Summary, other: Summary) -> None:
    """The same cells and counts, and sums up to rounding."""
    assert one.grid == other.grid
    np.testing.assert_array_equal(one.keys, other.keys)
    np.testing.assert_array_equal(one.n, other.n)
    np.testing.assert_array_equal(one.starts, other.starts)
    np.testing.assert_allclose(one.sums, other.sums, rtol=1e-9, atol=1e-9)


@law
@given(rows(), grids, st.integers(0, 40), st.integers(0, 40))
def test_merge_of_parts_is_the_whole(table: Rows, grid: summaries.Grid, i: int, j: int) -> None:
    """summarise(rows) == merge(summarise(parts)) for any split, empty parts included."""
    low, high = sorted((i, j))
    a, b, c = (table.summary(grid, part) for part in (slice(0, low), slice(low, high), slice(high, None)))
    assert_equal(a + b + c, table.summary(grid))


@law
@given(rows(), rows(), rows(), grids)
def test_commutative_and_associative(x: Rows, y: Rows, z: Rows, grid: summaries.Grid) -> None:
    """a + b == b + a and (a + b) + c == a + (b + c)."""
    a, b, c = x.summary(grid), y.summary(grid), z.summary(grid)
    assert_equal(a + b, b + a)
    assert_equal((a + b) + c, a + (b + c))


@law
@given(rows(), rows(), grids)
def test_taking_away_undoes_adding(x: Rows, y: Rows, grid: summaries.Grid) -> None:
    """(a + b) - b == a, with the cells that only b had gone."""
    a, b = x.summary(grid), y.summary(grid)
    assert_equal((a + b) - b, a)
    assert len((a - a).keys) == 0


@law
@given(rows(), grids)
def test_empty_is_neutral(table: Rows, grid: summaries.Grid) -> None:
    """a + empty == a, and the summary of no rows is the empty one."""
    a = table.summary(grid)
    assert_equal(a + summaries.empty(grid), a)
    assert_equal(table.summary(grid, slice(0, 0)), summaries.empty(grid))


@law
@given(rows(), grids, st.randoms(use_true_random=False))
def test_row_order(table: Rows, grid: summaries.Grid, random: object) -> None:
    """Shuffled rows give the same summary."""
    order = np.arange(len(table.scores))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert_equal(table.summary(grid, order), table.summary(grid))


@law
@given(rows(), grids, st.floats(0.01, 100.0))
def test_unit_of_weight(table: Rows, grid: summaries.Grid, unit: float) -> None:
    """Weights times c: sums of w times c, sums of w^2 times c^2, effective n unchanged."""
    weights = np.ones(len(table.scores)) if table.weights is None else table.weights
    one = Rows(table.scores, table.labels, weights).summary(grid)
    other = Rows(table.scores, table.labels, unit * weights).summary(grid)
    factors = np.where(np.isin(summaries.SUMS, ["ww", "wwv"]), unit**2, unit)
    np.testing.assert_allclose(other.sums, one.sums * factors[:, None], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(other.effective_n, one.effective_n, rtol=1e-9)


@law
@given(rows(), grids)
def test_whole_weights_are_repeated_rows(table: Rows, grid: summaries.Grid) -> None:
    """Weight 3 gives the sums of w of three equal rows."""
    times = np.arange(len(table.scores)) % 3 + 1
    weighted = Rows(table.scores, table.labels, times.astype(float)).summary(grid)
    repeated = Rows(table.scores, table.labels, None).summary(grid, np.repeat(np.arange(len(times)), times))
    same = [summaries.SUMS.index(name) for name in ("w", "wy", "wyy", "wp", "wpp", "wpy", "loss")]
    np.testing.assert_allclose(weighted.sums[same], repeated.sums[same], rtol=1e-9, atol=1e-9)


@law
@given(rows(), grids)
def test_columns_are_the_sums_of_rows(table: Rows, grid: summaries.Grid) -> None:
    """Every total is the sum over rows, computed here from the rows."""
    found = table.summary(grid)
    p, y = table.scores, table.labels
    w = np.ones(len(p)) if table.weights is None else table.weights
    q = np.clip(p, summaries.EPSILON, 1.0 - summaries.EPSILON)
    loss = -(y * np.log(q) + (1 - y) * np.log1p(-q))
    terms = (w, w * y, w * y * y, w * p, w * p * p, w * p * y, w * w, w * w * p * (1 - p), w * loss)
    for name, values in zip(summaries.SUMS, terms, strict=True):
        np.testing.assert_allclose(found.total(name), [values.sum()] if found.rows[0] else [0.0], rtol=1e-7, atol=1e-9)
    assert found.rows[0] == (w > 0).sum()


@law
@given(rows(), grids, st.integers(1, 4))
def test_grouped_is_each_group_alone(table: Rows, grid: summaries.Grid, count: int) -> None:
    """The stacked summary holds, one after the other, the summaries of the groups' own rows."""
    groups = np.arange(len(table.scores)) % count
    kept = np.ones(len(groups), bool) if table.weights is None else table.weights > 0
    groups = np.unique(groups[kept], return_inverse=True)[1] if kept.any() else groups[kept]
    if not len(groups):
        return
    table = Rows(table.scores[kept], table.labels[kept], None if table.weights is None else table.weights[kept])
    stacked = summaries.summarise(table.scores, table.labels, weights=table.weights, groups=groups, grid=grid)
    parts = list(stacked.groups())
    assert len(parts) == groups.max() + 1
    for g, part in enumerate(parts):
        assert_equal(part, table.summary(grid, groups == g))
    np.testing.assert_array_equal(stacked.rows, np.bincount(groups))


@pytest.mark.parametrize("count", [1, 7, 40])
def test_every_way_through_groups_agrees(count: int) -> None:
    """Many rows in few groups take a faster way than few rows in many: both give the same."""
    rng = np.random.default_rng(count)
    n = 150_000 if count == 40 else 3_000
    p, y, g = rng.random(n), rng.random(n) < 0.3, rng.integers(0, count, n)
    fast = summaries.summarise(p, y, groups=g, group_count=count)
    slow = summaries.summarise(p, y, groups=g, group_count=count, weights=np.ones(n))
    assert_equal(fast, slow)


@law
@given(rows(), grids)
def test_json_round_trip(table: Rows, grid: summaries.Grid) -> None:
    """to_dict, JSON text and from_dict lose nothing at all."""
    found = table.summary(grid)
    back = Summary.from_dict(json.loads(json.dumps(found.to_dict())))
    for name in ("keys", "n", "sums", "starts"):
        np.testing.assert_array_equal(getattr(back, name), getattr(found, name))


@law
@given(rows())
def test_distinct_to_dyadic(table: Rows) -> None:
    """Going to the dyadic grid later is the same as summarising on it."""
    assert_equal(table.summary("distinct").to_dyadic(), table.summary("dyadic"))


@law
@given(rows(), grids, st.sampled_from(score_grid.EXACT_BINS))
def test_bins(table: Rows, grid: summaries.Grid, count: int) -> None:
    """Counts in equal-width bins are those of the rows, last bin closed at 1."""
    found = table.summary(grid)
    kept = table.scores if table.weights is None else table.scores[table.weights > 0]
    expected = np.minimum((kept * 60.0).astype(int) // (60 // count), count - 1)
    np.testing.assert_array_equal(
        np.bincount(found.bins(count), found.n, count), np.bincount(expected, minlength=count)
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_counts_are_close_to_full(seed: int) -> None:
    """Scores at the middle of their cell: the same counts and labels, score sums to 1/128 of min(p, 1 - p)."""
    rng = np.random.default_rng(seed)
    p = rng.beta(0.7, 2.0, 2_000)
    y = rng.random(2_000) < p
    full, counts = summaries.summarise(p, y), summaries.summarise(p, y, detail="counts")
    np.testing.assert_array_equal(counts.keys, full.keys)
    np.testing.assert_array_equal(counts.n, full.n)
    np.testing.assert_array_equal(counts.wy, full.wy)
    t = np.minimum(full.score, 1.0 - full.score)
    assert (np.abs(counts.score - full.score) <= t / 100 + 2.0**-24).all()
    for name in ("wpp", "wpy", "wwv", "loss"):
        np.testing.assert_allclose(counts.total(name), full.total(name), rtol=0.002)


@law
@given(rows(), grids)
def test_moving_scores_is_summarising_moved_rows(table: Rows, grid: summaries.Grid) -> None:
    """On the distinct grid a map applied to the summary is the map applied to the rows, even when it makes ties."""
    found = table.summary("distinct")
    moved = found.moved(np.round(found.score, 1) / 2.0)
    expected = Rows(np.round(table.scores, 1) / 2.0, table.labels, table.weights).summary("distinct")
    assert_equal(moved, expected)


def test_negative_zero_is_zero() -> None:
    """-0.0 and 0.0 are one score."""
    for grid in GRIDS:
        assert len(summaries.summarise([-0.0, 0.0], [0, 1], grid=grid).keys) == 1


def test_labels_of_any_type() -> None:
    """Booleans, integers and floats of 0 and 1 are the same labels."""
    p = [0.1, 0.6, 0.6]
    expected = summaries.summarise(p, [True, False, True])
    assert_equal(summaries.summarise(p, [1, 0, 1]), expected)
    assert_equal(summaries.summarise(p, [1.0, 0.0, 1.0]), expected)
    assert_equal(summaries.summarise(p, np.array([1, 0, 1], np.uint8)), expected)
    assert expected.is_binary
    assert not summaries.summarise(p, [1.0, 0.5, 1.0]).is_binary


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(
    ("scores", "labels", "weights", "code"),
    [
        ([0.5, 1.5], [0, 1], None, "CAL-302"),
        ([0.5, -0.1], [0, 1], None, "CAL-302"),
        ([0.5, np.nan], [0, 1], None, "CAL-302"),
        ([0.5, 0.5], [0, 2], None, "CAL-302"),
        ([0.5, 0.5], [0.0, np.nan], None, "CAL-302"),
        ([0.5, 0.5], ["a", "b"], None, "CAL-302"),
        ([0.5, 0.5], [0], None, "CAL-301"),
        ([[0.5], [0.5]], [[0], [1]], None, "CAL-301"),
        ([0.5, 0.5], [0, 1], [1.0], "CAL-301"),
        ([0.5, 0.5], [0, 1], [1.0, -1.0], "CAL-305"),
        ([0.5, 0.5], [0, 1], [1.0, np.inf], "CAL-305"),
        ([0.5, 0.5], [0, 1], [1.0, np.nan], "CAL-305"),
    ],
)
def test_values_without_meaning(
    grid: summaries.Grid, scores: object, labels: object, weights: object, code: str
) -> None:
    """Each kind of bad row has its own error, on both grids."""
    with pytest.raises(errors.ValueRangeError) as caught:
        summaries.summarise(scores, labels, weights=weights, grid=grid)
    assert caught.value.code == code


def test_uses_without_meaning() -> None:
    """Merges across grids, taking away too much, wrong bins, several groups where one is needed, empty groups."""
    a, b = summaries.summarise([0.1], [0]), summaries.summarise([0.1], [0], grid="distinct")
    two = summaries.summarise([0.1, 0.2], [0, 1], groups=[0, 1])
    for code, wrong in (
        ("CAL-405", lambda: a + b),
        ("CAL-405", lambda: two + a),
        ("CAL-406", lambda: a - (a + a)),
        ("CAL-404", lambda: a.bins(7)),
        ("CAL-407", two.only),
        ("CAL-408", lambda: summaries.summarise([0.1], [0], weights=[1.0], detail="counts")),
        ("CAL-408", lambda: summaries.summarise([0.1], [0], grid="distinct", detail="counts")),
        ("CAL-306", lambda: summaries.summarise([0.1], [0], groups=[1], group_count=2)),
        ("CAL-306", lambda: summaries.summarise([0.1, 0.2], [0, 1], groups=[0, 1], weights=[1.0, 0.0])),
    ):
        with pytest.raises(errors.CalibrantError) as caught:
            wrong()  # type: ignore[no-untyped-call]
        assert caught.value.code == code
    np.testing.assert_array_equal(b.bins(7), [0])


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "calibrant.summary/2"},
        {"extra": 1},
        {"n": [0, 1]},
        {"n": [1]},
        {"keys": [5, 5]},
        {"w": [1.0, float("nan")]},
        {"w": [1.0, -1.0]},
        {"grid": "square"},
        {"w": [1.0]},
        {"w": "many"},
        {"keys": ["a", "b"]},
        {"keys": [-1, 7]},
        {"keys": [7, 3009]},
        {"starts": [1]},
        {"starts": [0, 2]},
        {"starts": [0, 1, 1]},
        {"starts": []},
    ],
    ids=lambda change: str(change),
)
def test_damaged_json_is_refused(change: dict[str, object]) -> None:
    """A newer schema, unknown keys and columns that do not fit together are not read."""
    data = summaries.summarise([0.1, 0.9], [0, 1]).to_dict() | change
    with pytest.raises(errors.ArtifactError) as caught:
        Summary.from_dict(data)
    assert caught.value.code == "CAL-604"
