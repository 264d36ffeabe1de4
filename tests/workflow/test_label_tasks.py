"""Label tasks: chances that are true, samples of fixed size, and labels that can be weighted back."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant import errors
from calibrant.testing import clocks, made_up
from calibrant.workflow import label_tasks as tasks
from calibrant.workflow import partitions

DAY = made_up.DAY_US


@pytest.fixture
def open_cases(store, stream, events) -> partitions.Store:  # type: ignore[no-untyped-def]
    """All predictions; labels for the first half of them."""
    store.append_predictions("s", events.predictions, received_us=made_up.START_US)
    store.append_labels("s", events.labels.slice(0, 1_000), received_us=made_up.START_US)
    return store  # type: ignore[no-any-return]


def now(days: float) -> int:
    return clocks.FakeClock(made_up.START_US + round(days * DAY)).now_us()


# ---------------------------------------------------------------- the sample


@given(
    mixture=st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=60),
    count=st.integers(1, 60),
    seed=st.integers(0, 2**32),
)
def test_the_sample_has_its_size_and_chances_their_sum(mixture: list[float], count: int, seed: int) -> None:
    """Chances lie in (0, 1], sum to the size, and exactly so many different cases are drawn; certain ones always."""
    size = min(count, len(mixture))
    chance = tasks.inclusion(np.array(mixture) / sum(mixture), size)
    assert chance.min() > 0
    assert chance.max() <= 1 + 1e-12
    assert chance.sum() == pytest.approx(size)
    chosen = tasks.systematic(chance, np.random.default_rng(seed))
    assert len(set(chosen.tolist())) == size
    assert set(np.flatnonzero(chance >= 1).tolist()) <= set(chosen.tolist())


def test_cases_are_drawn_as_often_as_their_chance_says() -> None:
    """20,000 draws: each frequency within five standard errors."""
    rng = np.random.default_rng(1)
    chance = tasks.inclusion(rng.dirichlet(np.full(30, 0.7)), 8)
    draws = 20_000
    seen = np.zeros(30)
    for _ in range(draws):
        seen[tasks.systematic(chance, rng)] += 1
    error = np.sqrt(chance * (1 - chance) / draws) + 1e-9
    assert (np.abs(seen / draws - chance) <= 5 * error).all()


def test_components_mean_what_they_say() -> None:
    """Near the threshold is uncertain; bands with few labels get more; random is equal."""
    served = np.array([0.05, 0.05, 0.45, 0.55, 0.95])
    labelled = np.zeros(tasks.BANDS, np.int64)
    labelled[0] = 99
    uncertain, coverage, plain = tasks.components(served, np.full(5, 0.5), labelled)
    assert np.argmin(uncertain) in (0, 1, 4)
    assert uncertain[2] == pytest.approx(uncertain[3])
    assert coverage[2] == pytest.approx(coverage[4])
    assert coverage[0] + coverage[1] == pytest.approx(coverage[2] / 100)
    np.testing.assert_allclose(plain, 0.2)
    at_the_other = tasks.components(served, np.full(5, 0.95), labelled)[0]
    assert np.argmax(at_the_other) == 4


def test_weighted_labels_say_what_all_would_have_said(open_cases, stream, events) -> None:  # type: ignore[no-untyped-def]
    """Over 300 seeds the weighted sum of outcomes is unbiased; the unweighted mean of the chosen is not."""
    found = tasks.pool(open_cases, stream, now_us=now(3.9))
    size = found.table.num_rows
    outcome = (found.served > 0.8).astype(float) * 0.9 + 0.05
    parts = tasks.components(found.served, found.threshold, found.labelled)
    chance = tasks.inclusion(np.array(tasks.SHARES) @ parts, 100)
    rng = np.random.default_rng(11)
    weighted, naive = [], []
    for _ in range(300):
        chosen = tasks.systematic(chance, rng)
        weighted.append(float((outcome[chosen] / chance[chosen]).sum() / size))
        naive.append(float(outcome[chosen].mean()))
    truth = float(outcome.mean())
    error = np.std(weighted, ddof=1) / np.sqrt(300)
    assert abs(np.mean(weighted) - truth) < 4 * error
    assert abs(np.mean(naive) - truth) > 10 * np.std(naive, ddof=1) / np.sqrt(300)


def test_random_tasks_are_a_random_sample(open_cases, stream) -> None:  # type: ignore[no-untyped-def]
    """Those chosen for reason random have the mean score of the pool; those for uncertainty do not."""
    found = tasks.pool(open_cases, stream, now_us=now(3.9))
    scores: dict[str, list[float]] = {"uncertain": [], "coverage": [], "random": []}
    for seed in range(40):
        for task in tasks.label_tasks(open_cases, stream, 100, now_us=now(3.9), seed=seed, threshold=0.9).tasks:
            scores[task.reason].append(task.score)
    pooled = found.served
    error = pooled.std() / np.sqrt(len(scores["random"]))
    assert abs(np.mean(scores["random"]) - pooled.mean()) < 4 * error
    assert np.mean(scores["uncertain"]) > pooled.mean() + 0.1
    assert len(scores["random"]) == pytest.approx(40 * 100 * tasks.SHARES[2], rel=0.15)


# ---------------------------------------------------------------- the pool


def test_only_cases_whose_label_comes_in_time(open_cases, stream) -> None:  # type: ignore[no-untyped-def]
    """Not those with a label, not those whose horizon has passed, not those of the future."""
    found = tasks.label_tasks(open_cases, stream, 10_000, now_us=now(3.5), seed=0)
    assert found.pool == len(found.tasks) == 751
    assert all(task.label_by_us > now(3.5) >= task.at_us for task in found.tasks)
    assert all(task.propensity == 1.0 for task in found.tasks)
    late = tasks.label_tasks(open_cases, stream, 10_000, now_us=now(5.0), seed=0)
    assert late.pool == 500
    with pytest.raises(errors.UsageError, match="CAL-485"):
        tasks.label_tasks(open_cases, stream, 5, now_us=now(9), seed=0)


def test_equal_events_and_seeds_give_equal_tasks(open_cases, stream, events, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Whatever the order of arrival; another seed chooses others."""
    from calibrant.storage import embedded

    first = tasks.label_tasks(open_cases, stream, 50, now_us=now(3.9), seed=4)
    with embedded.open_store(tmp_path / "other") as other:
        order = np.random.default_rng(0).permutation(events.predictions.num_rows)
        other.append_labels("s", events.labels.slice(0, 1_000), received_us=1)
        other.append_predictions("s", events.predictions.take(order), received_us=2)
        assert tasks.label_tasks(other, stream, 50, now_us=now(3.9), seed=4) == first
        assert tasks.label_tasks(other, stream, 50, now_us=now(3.9), seed=5) != first
    assert first == dataclasses.replace(first, tasks=tuple(sorted(first.tasks, key=lambda one: -one.priority)))
    assert set(Counter(task.reason for task in first.tasks)) == set(tasks.REASONS)
