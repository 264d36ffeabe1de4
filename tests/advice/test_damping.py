"""Part of the way from one map to another."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.advice import damping
from calibrant.calibrators import beta, by_cohort, identity, kinds, linear, logistic, scales, steps

PROBES = np.unique(np.concatenate([np.linspace(0.0, 1.0, 20_001), scales.expit(np.linspace(-37.0, 37.0, 5_003))]))


def ladder(places: int) -> st.SearchStrategy[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Rising places and values that do not fall."""
    number = st.integers(0, 1_000)
    where = st.lists(number, min_size=places, max_size=places, unique=True).map(sorted)
    values = st.lists(number, min_size=places, max_size=places).map(sorted)
    scaled = st.tuples(where, values)
    return scaled.map(lambda pair: (tuple(one / 1_000 for one in pair[0]), tuple(one / 1_000 for one in pair[1])))


LINES = st.one_of(
    st.just(identity.Identity()),
    st.floats(-4.0, 4.0).map(logistic.Intercept),
    st.builds(logistic.Platt, st.floats(0.1, 4.0), st.floats(-4.0, 4.0)),
    st.floats(0.2, 5.0).map(logistic.Temperature),
)
MAPS = st.one_of(
    LINES,
    st.builds(beta.Beta, st.floats(0.1, 3.0), st.floats(0.1, 3.0), st.floats(-2.0, 2.0)),
    ladder(3).map(lambda pair: steps.Isotonic(*pair)),
    ladder(3).map(lambda pair: linear.CenteredIsotonic(*pair)),
)


@given(MAPS, MAPS, st.floats(0.05, 1.0), st.floats(0.05, 0.9))
@settings(max_examples=60)
def test_a_damped_map_does_not_fall_and_moves_no_score_beyond_the_limit(
    old: Any, new: Any, share: float, limit: float
) -> None:
    """For any two maps, any share of the way and any limit; at a share of 1 within the limit it is the proposal."""
    found = damping.damp(old, new, share=share, max_shift=limit)
    if found is None:
        return
    answers = said(found).apply(PROBES)
    assert np.all(np.diff(answers) >= -1e-12)
    assert np.abs(answers - old.apply(PROBES)).max() <= found.reach + 1e-9
    assert found.reach <= limit
    assert found.share <= share
    if share == 1.0 and found.share == 1.0:
        assert found.calibrator is new


@given(LINES, LINES, st.floats(0.05, 1.0))
@settings(max_examples=40)
def test_lines_damp_to_lines_that_lie_between(old: Any, new: Any, share: float) -> None:
    """A blend lies between the two maps at every score, and there always is one."""
    found = damping.damp(old, new, share=share, max_shift=0.3)
    assert found is not None
    answers, first, second = (one.apply(PROBES) for one in (said(found), old, new))
    assert np.all(answers >= np.minimum(first, second) - 1e-9)
    assert np.all(answers <= np.maximum(first, second) + 1e-9)


def test_a_limit_is_used_up_not_just_kept() -> None:
    """Of a change that is too large as much is made as the limit allows, to the fineness of the comparison."""
    old, new = identity.Identity(), logistic.Platt(1.0, 3.0)
    found = damping.damp(old, new, share=1.0, max_shift=0.1)
    assert found is not None
    assert 0.095 <= np.abs(said(found).apply(PROBES) - PROBES).max() <= 0.1


def test_what_is_allowed_as_a_whole_is_delivered_as_it_is() -> None:
    """The artifact that was judged is the one that is rolled out, not a table of it."""
    new = steps.Isotonic((0.0, 0.5), (0.1, 0.6))
    found = damping.damp(identity.Identity(), new, share=1.0, max_shift=1.0)
    assert found is not None
    assert found.calibrator is new


def test_the_scale_of_the_raw_scores_is_kept() -> None:
    """A blend reads what its maps read."""
    percent = scales.Scale("percent")
    found = damping.damp(identity.Identity(percent), logistic.Platt(1.0, 2.0, percent), share=0.5, max_shift=0.3)
    assert found is not None
    assert np.allclose(said(found).apply([25.0]), logistic.Platt(1.0, 1.0).apply([0.25]))


def said(found: damping.Damped | None) -> Any:
    """The damped map, where there is one."""
    assert found is not None
    return found.calibrator


def cohorts(field: str, **maps: kinds.Kind) -> by_cohort.ByCohort:
    members: Any = tuple(((key,), member) for key, member in maps.items())
    return by_cohort.ByCohort((field,), logistic.Platt(1.0, 0.0), members)


def test_cohorts_are_damped_one_by_one() -> None:
    """A cohort that is new, one that goes, and one that stays; unknown ones get the pooled map."""
    old = cohorts("country", de=logistic.Platt(1.0, 1.0), fr=logistic.Platt(1.0, -1.0))
    new = cohorts("country", de=logistic.Platt(1.0, 3.0), us=logistic.Platt(1.0, 2.0))
    found = damping.damp(old, new, share=0.5, max_shift=1.0)
    assert found is not None
    told = said(found).apply([0.5] * 4, [["de", "fr", "us", "xx"]])
    assert np.allclose(told, scales.expit(np.array([2.0, -0.5, 1.0, 0.0])))
    assert damping.changed_share(old, new) == 3 / 4


def test_maps_by_other_cohorts_are_taken_whole_or_not_at_all() -> None:
    """There is no map half way between one by country and one by device."""
    old, new = cohorts("country", de=logistic.Platt(1.0, 1.0)), cohorts("device", ios=logistic.Platt(1.0, -1.0))
    assert damping.damp(old, new, share=1.0, max_shift=0.3) is None
    assert damping.damp(old, new, share=0.5, max_shift=1.0) is None
    whole = damping.damp(old, new, share=1.0, max_shift=0.6)
    assert whole is not None
    assert whole.calibrator is new


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_a_threshold_goes_part_of_the_way(current: float, proposed: float, share: float, limit: float) -> None:
    """Never past the proposal, never further than the limit."""
    found = damping.step(current, proposed, share=share, max_step=limit)
    assert abs(found - current) <= limit + 1e-12
    assert min(current, proposed) - 1e-12 <= found <= max(current, proposed) + 1e-12
