"""Paired comparison: exact sums, verdicts that agree with the interval, and coverage at all times."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibrant import errors
from calibrant.stats.sequential import paired

Floats = NDArray[np.float64]


@given(seed=st.integers(0, 1_000), cuts=st.lists(st.integers(0, 300), max_size=6))
@settings(max_examples=25, deadline=None)
def test_batches_may_be_cut_anywhere(seed: int, cuts: list[int]) -> None:
    """To the bit, with groups, through JSON in between."""
    rng = np.random.default_rng(seed)
    d, codes = rng.uniform(-0.3, 0.3, 300), rng.integers(0, 3, 300)
    begin = paired.start(margin=0.01, bound=0.3, groups=3)
    whole, state, at = paired.update(begin, d, groups=codes), begin, 0
    for cut in [*sorted(cuts), 300]:
        state = paired.update(state, d[at:cut], groups=codes[at:cut])
        state = paired.PairedState.from_dict(json.loads(json.dumps(state.to_dict())))
        at = cut
    assert state.to_dict() == whole.to_dict()


@given(seed=st.integers(0, 1_000), mean=st.floats(-0.05, 0.05), rows=st.integers(0, 3_000))
@settings(max_examples=60, deadline=None)
def test_verdicts_are_what_the_interval_says(seed: int, mean: float, rows: int) -> None:
    """Passed exactly when the interval lies above -margin, failed when it lies below; means are those of numpy."""
    d = np.clip(np.random.default_rng(seed).normal(mean, 0.1, rows), -1.0, 1.0)
    state = paired.update(paired.start(margin=0.01, bound=1.0), d)
    low, high = float(state.low[0]), float(state.high[0])
    expected = "passed" if low > -0.01 else "failed" if high < -0.01 else "undecided"
    assert paired.verdict(state) == expected
    assert low <= high
    assert bool(state.better[0]) == (low > 0.0)
    if rows:
        assert low <= state.means[0] <= high
        assert state.means[0] == pytest.approx(d.mean(), abs=1e-12)
        assert state.deviations[0] == pytest.approx(d.std(), abs=1e-9)


@pytest.mark.parametrize("rows", [0, 1, 20])
def test_a_few_rows_never_pass(rows: int) -> None:
    """Nor fail: each row the best there can be, with a bound as maps have it."""
    for best in (1.0, -1.0):
        state = paired.update(paired.start(margin=0.002, bound=1.0), np.full(rows, best) * min(1.0, 0.1))
        assert paired.verdict(state) == "undecided"


def test_maps_that_hardly_differ() -> None:
    """If no row can lose as much as the margin, a few rows decide; equal maps pass as well."""
    for bound in (1e-9, 1e-4, 0.001):
        state = paired.update(paired.start(margin=0.002, bound=bound), np.full(100, -bound))
        assert paired.verdict(state) == "passed"
        assert not state.better[0]


def test_each_group_has_its_verdict() -> None:
    """A gain, a harm and nothing yet."""
    rng = np.random.default_rng(2)
    d = np.concatenate([rng.normal(0.02, 0.05, 2_000), rng.normal(-0.02, 0.05, 2_000)]).clip(-0.5, 0.5)
    state = paired.update(paired.start(margin=0.002, bound=0.5, groups=3), d, groups=np.arange(4_000) // 2_000)
    assert state.verdicts == ("passed", "failed", "undecided")
    assert state.better.tolist() == [True, False, False]


def test_expected_rows_is_when_it_happens() -> None:
    """Half of all comparisons are decided within about the rows that are announced."""
    announced = paired.expected_rows(0.002, 0.05, margin=0.002, bound=0.5)
    rng = np.random.default_rng(3)
    d = rng.normal(0.002, 0.05, 200 * round(announced)).clip(-0.5, 0.5)
    state = paired.update(paired.start(margin=0.002, bound=0.5, groups=200), d, groups=np.arange(len(d)) % 200)
    passed = np.mean([verdict == "passed" for verdict in state.verdicts])
    assert 0.35 < passed < 0.65
    assert state.expected_rows(0.002, 0.05) == announced
    assert paired.expected_rows(-0.002, 0.05, margin=0.002, bound=0.5) == float("inf")


@pytest.mark.parametrize(
    "numbers",
    [{"margin": 0.0}, {"bound": 0.0}, {"alpha": 0.0}, {"alpha": 0.5}, {"bound": np.inf}, {"spread": 2.0}],
)
def test_refused_numbers(numbers: dict[str, float]) -> None:
    """No comparison is made of them."""
    with pytest.raises(errors.UsageError, match="CAL-469"):
        paired.start(**{"margin": 0.1, "bound": 1.0, **numbers})  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [1.5, -1.5, float("nan"), float("inf")])
def test_nothing_beyond_the_bound(bad: float) -> None:
    """The proof rests on it, so it is checked."""
    with pytest.raises(errors.ValueRangeError, match="CAL-335"):
        paired.update(paired.start(margin=0.1, bound=1.0), [0.0, bad])


# -------------------------------------------------------------------------------------- theorems


def _skewed(rng: np.random.Generator, size: tuple[int, int], mean: float) -> Floats:
    """Many small gains, a few harms at the bound: the hardest shape for an interval. Bound 1, mean as given."""
    rare, harm = 0.004, -1.0
    gain = (mean - rare * harm) / (1.0 - rare)
    return np.where(rng.random(size) < rare, harm, gain)


@pytest.mark.theory
@pytest.mark.parametrize("shape", ["normal", "skewed", "drifting"])
def test_errors_at_all_times(shape: str) -> None:
    """1,000 candidates that are worse by just the margin, 100 looks: at most 5 % ever pass; the interval holds."""
    rng = np.random.default_rng(4)
    streams, rows, margin = 1_000, 50, 0.02
    state = paired.start(margin=margin, bound=1.0, spread=0.06, groups=streams)
    codes = np.tile(np.arange(streams), rows)
    passed, failed, missed = np.zeros(streams, bool), np.zeros(streams, bool), np.zeros(streams, bool)
    for _ in range(100):
        if shape == "skewed":
            d = _skewed(rng, (rows, streams), -margin)
        else:
            # drifting: the gain swings, its mean over each look is the margin's
            swing = 0.05 * np.sin(np.arange(rows) * 2.0 * np.pi / rows)[:, None] if shape == "drifting" else 0.0
            d = (rng.normal(0.0, 0.06, (rows, streams)) + swing - margin).clip(-1.0, 1.0)
        state = paired.update(state, d.ravel(), groups=codes)
        verdicts = np.array(state.verdicts)
        passed |= verdicts == "passed"
        failed |= verdicts == "failed"
        missed |= (state.low > -margin) | (state.high < -margin)
    assert passed.mean() <= 0.05
    assert failed.mean() <= 0.05
    assert missed.mean() <= 0.1
