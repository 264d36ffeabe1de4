"""Seasons: which hour, day or month a row belongs to, and the baseline that they make."""

from __future__ import annotations

import numpy as np
import pytest

from calibrant import errors
from calibrant.evidence import drift
from calibrant.frames import columns, seasons, summaries


def rows(times: np.ndarray, y: np.ndarray | None = None, weights: np.ndarray | None = None) -> columns.Rows:
    """Rows at some times; the score is the hour divided by 24."""
    hour = (times - times.astype("datetime64[D]")).astype("timedelta64[h]").astype(int)
    labels = np.arange(len(times)) % 2 if y is None else y
    data = {"p": hour / 24, "y": labels, "t": times}
    if weights is not None:
        data["w"] = weights
    return columns.read(data, score="p", label="y", time="t", weight=None if weights is None else "w")


def hours(start: str, count: int) -> np.ndarray:
    return np.datetime64(start, "us") + np.arange(count) * np.timedelta64(1, "h")


def test_names_of_seasons() -> None:
    """22 November 2026 is a Sunday."""
    times = np.array(["2026-11-22T07:59:59", "2026-11-23T00:00:00"], "datetime64[us]")
    assert seasons.names(times, "hour-of-week").tolist() == ["Sun 07h", "Mon 00h"]
    assert seasons.names(times, "day-of-week").tolist() == ["Sun", "Mon"]
    assert seasons.names(times, "month").tolist() == ["11", "11"]


def test_seasons_hold_all_rows_once() -> None:
    """The seasons added up are the whole."""
    some = rows(hours("2026-01-01", 500))
    parts = list(seasons.by_season(some, "day-of-week").values())
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    whole = summaries.summarise_rows(some).overall
    np.testing.assert_array_equal(total.n, whole.n)
    np.testing.assert_allclose(total.sums, whole.sums)


def test_weights_by_season() -> None:
    """Without weights rows are counted, with weights they are summed."""
    times = hours("2026-01-05", 48)  # Monday and Tuesday
    assert seasons.weights(rows(times), "day-of-week") == {"Mon": 24.0, "Tue": 24.0}
    weighted = rows(times, weights=np.r_[np.full(24, 2.0), np.full(24, 0.5)])
    assert seasons.weights(weighted, "day-of-week") == {"Mon": 48.0, "Tue": 12.0}


def test_the_finest_season_that_is_covered() -> None:
    """A year covers the hours of a week, ten weeks only the days, one weekday nothing of another."""
    week = rows(hours("2026-01-05", 168))
    assert seasons.finest(rows(hours("2026-01-05", 24 * 365)), week) == "hour-of-week"
    assert seasons.finest(rows(hours("2026-01-05", 168 * 10)), week) == "day-of-week"
    assert seasons.finest(rows(hours("2026-01-05", 24)), week) is None


def test_a_window_of_weekends_is_no_drift() -> None:
    """Weekends that were always different are drift against the whole reference, and none against its weekends."""
    rng = np.random.default_rng(5)
    times = np.repeat(hours("2026-01-05", 24 * 7 * 12), 3)
    weekend = np.isin(seasons.names(times, "day-of-week"), ["Sat", "Sun"])
    labels = (rng.random(len(times)) < np.where(weekend, 0.7, 0.3)).astype(int)
    reference, current = rows(times, labels), rows(times, labels).where(weekend)
    plain = summaries.summarise_rows(reference).overall
    seasonal = drift.seasonal_baseline(
        seasons.by_season(reference, "day-of-week"), seasons.weights(current, "day-of-week")
    )
    window = summaries.summarise_rows(current).overall
    assert drift.compare(plain, window, tolerance=0.05, replicates=40).verdict == "drifted"
    assert drift.compare(seasonal, window, tolerance=0.05, replicates=40).changed == ()


def test_rows_without_times() -> None:
    """Seasons need times."""
    plain = columns.read({"p": [0.1], "y": [1]}, score="p", label="y")
    with pytest.raises(errors.UsageError, match="CAL-423"):
        seasons.weights(plain, "month")
