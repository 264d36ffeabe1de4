"""Window lengths: short where the world moves, long where it rests, and nothing is fitted on what it is judged by."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from calibrant import errors
from calibrant.calibrators import identity, logistic, scales
from calibrant.fitting import windows
from calibrant.stats import results, summary


def days(shift: Callable[[int], float], *, count: int = 60, rows: int = 300, seed: int = 1) -> list[summary.Summary]:
    rng = np.random.default_rng(seed)
    parts = []
    for day in range(count):
        x = rng.normal(0.0, 1.5, rows)
        parts.append(summary.summarise(scales.expit(x), rng.random(rows) < scales.expit(x + shift(day))))
    return parts


def chosen(parts: list[summary.Summary], lengths: tuple[int, ...], *, gap: int = 0) -> windows.Choice:
    found = windows.choose(parts, lengths, gap=gap)
    assert isinstance(found, windows.Choice)
    return found


def test_a_world_at_rest_wants_long_windows() -> None:
    """The longest of those that are about as good as the best."""
    found = chosen(days(lambda day: -0.5), (1, 5, 30))
    assert found.periods == 30
    assert found.judged == 30
    assert found.rows == 30 * 300
    assert isinstance(found.gain, results.Estimate)
    assert found.gain.low is not None
    assert found.gain.low > 0.0


def test_a_moving_world_wants_short_ones() -> None:
    """A swing of twenty days."""
    found = chosen(days(lambda day: math.sin(day / 3.0)), (2, 10, 30))
    assert found.periods == 2
    losses = [length.log_loss for length in found.lengths]
    assert losses[0] < min(losses[1:])
    assert found.to_dict()["lengths"][0]["behind"] == 0.0


def test_labels_that_come_late_make_windows_older() -> None:
    """With a gap, nothing of the days just before is used: a fast world cannot be followed any more."""
    parts = days(lambda day: math.sin(day / 2.0))
    prompt, late = chosen(parts, (2, 20)), chosen(parts, (2, 20), gap=6)
    assert late.lengths[0].log_loss > prompt.lengths[0].log_loss + 0.05
    assert late.periods == 20


def test_only_earlier_rows_are_fitted_on() -> None:
    """The fit never sees the period it is judged by, nor the gap, nor more than the window."""
    parts = [
        summary.summarise([0.25 + day / 1_000, 0.75], [0, 1], weights=[1.0, day + 1.0], grid="distinct")
        for day in range(12)
    ]
    seen: list[list[int]] = []

    def fit(data: summary.Summary) -> identity.Identity:
        seen.append(sorted(round((p - 0.25) * 1_000) for p in data.score if p < 0.5))
        return identity.Identity()

    windows.choose(parts, (3,), gap=2, fit=fit)
    assert seen == [[t - 5, t - 4, t - 3] for t in range(5, 12)]


def test_where_nothing_can_be_fitted_scores_stay() -> None:
    """One-class and empty days: the scores as they are, an honest zero gain."""
    nothing = summary.summarise([], [])
    ones = summary.summarise([0.3, 0.4], [1, 1])
    parts = [ones, nothing] * 12
    found = chosen(parts, (2,))
    assert isinstance(found.gain, results.Estimate)
    assert found.gain.value == 0.0


def test_too_few_periods() -> None:
    """A value, not an error."""
    found = windows.choose(days(lambda day: 0.0, count=12), (10,))
    assert found == results.Insufficient(2, 5, "periods after the longest window")


def test_loss_is_that_of_the_map() -> None:
    """A constant map by hand."""
    parts = [summary.summarise([0.2, 0.8], [0, 1], grid="distinct")] * 10
    found = windows.choose(parts, (1,), fit=lambda data: logistic.Platt(1e-9, math.log(3.0)))
    assert isinstance(found, windows.Choice)
    assert found.lengths[0].log_loss == pytest.approx(-(math.log(0.25) + math.log(0.75)) / 2)


@pytest.mark.parametrize(("lengths", "gap"), [((), 0), ((0,), 0), ((5,), -1)])
def test_no_windows(lengths: tuple[int, ...], gap: int) -> None:
    """Each with its code."""
    with pytest.raises(errors.UsageError, match="CAL-410"):
        windows.choose(days(lambda day: 0.0, count=8), lengths, gap=gap)
