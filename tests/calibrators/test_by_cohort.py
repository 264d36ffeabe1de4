"""Maps by cohort: the right map for each row, the pooled one for strangers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from calibrant import errors
from calibrant.calibrators import beta, by_cohort, logistic, scales, steps

POOLED = logistic.Platt(1.0, 0.1)


def test_equals_row_by_row(cohort_map: by_cohort.ByCohort) -> None:
    """Each row gets what its own map says, in any order of rows."""
    rng = np.random.default_rng(3)
    keys = [*(key for key, _ in cohort_map.maps), ("stranger",) * len(cohort_map.fields)]
    which = rng.integers(0, len(keys), 500)
    scores = rng.random(500)
    columns = [[keys[i][f] for i in which] for f in range(len(cohort_map.fields))]
    wanted = [float(cohort_map.of(keys[i]).apply(score)) for i, score in zip(which, scores, strict=True)]
    assert np.abs(cohort_map.apply(scores, columns) - wanted).max() < 1e-15


def test_missing_cohort_is_pooled() -> None:
    """None, NaN and unknown text mean the pooled map."""
    map_ = by_cohort.ByCohort(("c",), POOLED, ((("x",), logistic.Platt(3.0, 0.0)),))
    column = np.array([None, float("nan"), "y"], object)
    assert np.array_equal(map_.apply([0.3] * 3, [column]), POOLED.apply([0.3] * 3))


def test_shape_and_empty() -> None:
    """The shape of the scores is kept; no rows are no problem."""
    for member in (logistic.Platt(2.0, 0.0), beta.Beta(1.0, 1.0, 0.0)):
        map_ = by_cohort.ByCohort(("c",), POOLED, ((("x",), member),))
        assert map_.apply(np.full((2, 3), 0.5), [[["x"] * 3] * 2]).shape == (2, 3)
        assert map_.apply([], [np.array([], str)]).shape == (0,)


def test_columns_must_fit() -> None:
    """Too few columns, too short columns and numbers for names are refused."""
    map_ = by_cohort.ByCohort(("a", "b"), POOLED, ((("x", "y"), POOLED),))
    for columns in ([["x"]], [["x"], ["y", "z"]]):
        with pytest.raises(errors.UsageError) as caught:
            map_.apply([0.5], columns)
        assert caught.value.code == "CAL-430"
    with pytest.raises(errors.UsageError) as caught:
        map_.apply([0.5], [["x"], [1]])
    assert caught.value.code == "CAL-431"


@pytest.mark.parametrize(
    "build",
    [
        lambda: by_cohort.ByCohort((), POOLED, ()),
        lambda: by_cohort.ByCohort(("a", "a"), POOLED, ()),
        lambda: by_cohort.ByCohort(("a",), POOLED, ((("x",), POOLED), (("x",), POOLED))),
        lambda: by_cohort.ByCohort(("a",), POOLED, ((("x", "y"), POOLED),)),
        lambda: by_cohort.ByCohort(("a",), POOLED, ((("x",), logistic.Platt(1.0, 0.0, scales.Scale("logit"))),)),
        lambda: by_cohort.ByCohort(("a",), by_cohort.ByCohort(("b",), POOLED, ()), ()),  # type: ignore[arg-type]
    ],
)
def test_illegal_cohorts_are_refused(build: Any) -> None:
    """Doubled cohorts, wrong numbers of values, mixed scales and nested cohorts."""
    with pytest.raises(errors.ArtifactError) as caught:
        build()
    assert caught.value.code == "CAL-610"


def test_equality_and_hash(cohort_map: by_cohort.ByCohort) -> None:
    """By value, caches not counted."""
    again = by_cohort.ByCohort(cohort_map.fields, cohort_map.pooled, cohort_map.maps)
    cohort_map.apply([0.5], [["x"]] * len(cohort_map.fields))
    assert again == cohort_map
    assert hash(again) == hash(cohort_map)


def test_many_cohorts_in_one_pass() -> None:
    """Ten thousand lines over a hundred thousand rows equal the maps applied one by one."""
    maps = tuple(((f"c{i}",), logistic.Platt(1.0 + i / 1e4, i / 1e5)) for i in range(10_000))
    map_ = by_cohort.ByCohort(("c",), POOLED, maps)
    rng = np.random.default_rng(5)
    which, scores = rng.integers(0, 10_000, 100_000), rng.random(100_000)
    found = map_.apply(scores, [np.array([f"c{i}" for i in which])])
    for row in range(0, 100_000, 5_000):
        assert found[row] == pytest.approx(float(maps[which[row]][1].apply(scores[row])), abs=1e-15)


def test_steps_by_cohort_do_not_mix() -> None:
    """Maps of another kind take the way by groups of rows."""
    one, two = steps.Isotonic((0.0,), (0.25,)), steps.Isotonic((0.0,), (0.75,))
    map_ = by_cohort.ByCohort(("c",), POOLED, ((("1",), one), (("2",), two)))
    found = map_.apply([0.5, 0.5, 0.5], [["2", "1", "2"]])
    assert found.tolist() == [0.75, 0.25, 0.75]
