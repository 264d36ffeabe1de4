"""What a threshold is for, as numbers by name: one aim, whole, and none that contradict each other."""

from __future__ import annotations

import itertools

import pytest

from calibrant import errors
from calibrant.decisions import aims, costs, thresholds
from calibrant.workflow import fitted_artifacts

ONE = {
    "costs": {"cost_fp": 1.0, "cost_fn": 20.0},
    "precision": {"precision": 0.9},
    "recall": {"recall": 0.5},
    "capacity": {"capacity": 50.0, "rows_per_day": 1_000.0},
}


def test_each_aim_names_its_objective() -> None:
    """And no aim none."""
    assert aims.objective({}) is None
    assert aims.objective(ONE["costs"]) == costs.Costs(1.0, 20.0, 0.0)
    assert aims.objective(ONE["costs"] | {"cost_action": 0.5}) == costs.Costs(1.0, 20.0, 0.5)
    assert aims.objective(ONE["precision"]) == thresholds.Precision(0.9)
    assert aims.objective(ONE["recall"]) == thresholds.Recall(0.5)
    assert aims.objective(ONE["capacity"]) == thresholds.Capacity(50.0, 1_000.0)
    assert {name for one in ONE.values() for name in one} | {"cost_action"} == set(aims.NAMES)


@pytest.mark.parametrize("pair", list(itertools.combinations(ONE, 2)), ids="-".join)
def test_two_aims_contradict_each_other(pair: tuple[str, str]) -> None:
    """The refusal names both as they are typed."""
    both = ONE[pair[0]] | ONE[pair[1]]
    with pytest.raises(errors.UsageError, match="CAL-401") as refused:
        aims.objective(both)
    for name in pair:
        assert ("--cost-fp" if name == "costs" else f"--{name}") in refused.value.cause


@pytest.mark.parametrize(
    "half",
    [
        {"cost_fp": 1.0}, {"cost_fn": 1.0}, {"cost_action": 1.0}, {"cost_fp": 1.0, "cost_action": 1.0},
        {"rows_per_day": 9.0}, {"capacity": 5.0}, {"precision": 0.9, "rows_per_day": 9.0},
    ],
    ids="-".join,
)  # fmt: skip
def test_half_an_aim(half: dict[str, float]) -> None:
    """What is missing is said."""
    with pytest.raises(errors.UsageError, match="CAL-401"):
        aims.objective(half)


@pytest.mark.parametrize("wrong", [ONE["costs"] | ONE["recall"], {"capacity": 5.0}, {"cost_fp": 1.0}])
def test_no_request_is_made_of_them(wrong: dict[str, float]) -> None:
    """What contradicts itself cannot even be asked of a stream, so nothing is read for it."""
    with pytest.raises(errors.UsageError, match="CAL-401"):
        fitted_artifacts.Request(as_of_us=0, aims=wrong)
