"""Folds: no unit on both sides, nothing from the future, fair sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant import errors
from calibrant.fitting import folds


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@settings(max_examples=60, deadline=None)
@given(labels=st.lists(st.integers(0, 1), min_size=10, max_size=200), count=st.integers(2, 10))
def test_rows_are_stratified(labels: list[int], count: int) -> None:
    """Fold sizes, and the positives in them, differ by one row at most."""
    made = folds.by_row(labels, count=count, rng=rng())
    y = np.array(labels)
    assert np.ptp(np.bincount(made.codes, minlength=count)) <= 1
    assert np.ptp(np.bincount(made.codes[y == 1], minlength=count)) <= 1


@settings(max_examples=60, deadline=None)
@given(groups=st.lists(st.integers(0, 20), min_size=10, max_size=200))
def test_a_group_is_never_in_two_folds(groups: list[int]) -> None:
    """Invariant 8: no unit in both fit and validation."""
    if len(set(groups)) < 2:
        with pytest.raises(errors.UsageError, match="CAL-461"):
            folds.by_group(groups, count=5, rng=rng())
        return
    made = folds.by_group(groups, count=5, rng=rng())
    pairs = set(zip(groups, made.codes.tolist(), strict=True))
    assert len(pairs) == len(set(groups))
    assert set(made.codes.tolist()) == set(range(made.count))
    assert made.clustered


@settings(max_examples=60, deadline=None)
@given(times=st.lists(st.integers(0, 30), min_size=10, max_size=200), count=st.integers(3, 6))
def test_training_rows_are_strictly_earlier(times: list[int], count: int) -> None:
    """Every row of a later fold is later than every row of an earlier one; ties stay together."""
    if len(set(times)) < 2:
        return
    when = np.array(times)
    try:
        made = folds.in_time(when, count=count)
    except errors.UsageError:
        # nearly all rows at one moment
        assert np.bincount(when).max() > len(when) / 4
        return
    for k in range(1, made.count):
        assert when[made.codes < k].max() < when[made.codes == k].min()
    assert set(made.codes.tolist()) == set(range(made.count))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8)), min_size=20, max_size=200))
def test_with_groups_and_times_both_hold(rows: list[tuple[int, int]]) -> None:
    """A group lives in the fold of its first row; its later rows stay out of the proof."""
    when, groups = (np.array(column) for column in zip(*rows, strict=True))
    try:
        made = folds.in_time(when, count=4, groups=groups)
    except errors.UsageError as error:
        assert error.code == "CAL-461"  # noqa: PT017
        return
    used = made.codes >= 0
    for k in range(1, made.count):
        assert when[used & (made.codes < k)].max() < when[made.codes == k].min()
        assert not set(groups[used & (made.codes < k)]) & set(groups[made.codes == k])
    assert made.clustered


def test_in_time_the_first_fold_is_a_third() -> None:
    """The first maps have something to learn from."""
    made = folds.in_time(np.arange(6000), count=5)
    np.testing.assert_allclose(np.bincount(made.codes) / 6000, [1 / 3] + [1 / 6] * 4, atol=0.001)


def test_dates_and_missing_dates() -> None:
    """datetime64 is a time; NaT and NaN are refused."""
    days = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    assert folds.make(np.zeros(60), rng=rng(), times=days).scheme == "time"
    for missing in (np.append(days[:-1], np.datetime64("NaT")), np.append(np.arange(59.0), np.nan)):
        with pytest.raises(errors.UsageError, match="CAL-460"):
            folds.make(np.zeros(60), rng=rng(), times=missing)


def test_large_groups_are_spread() -> None:
    """Ten large groups among many small ones: every fold gets one."""
    groups = np.concatenate([np.repeat(np.arange(10), 500), np.arange(10, 1010)])
    made = folds.by_group(groups, count=10, rng=rng())
    assert np.ptp(np.bincount(made.codes)) < 50


def test_the_seed_decides() -> None:
    """Same generator, same folds; another one, others."""
    labels = np.arange(500) % 2
    one, same, other = (folds.make(labels, rng=np.random.default_rng(seed)).codes for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
