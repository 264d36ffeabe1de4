"""Seasons of rows with times, so that a window is compared with the same hours or days of the reference."""

from __future__ import annotations

from typing import Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from calibrant import errors
from calibrant.frames import columns, summaries
from calibrant.stats import summary

Season = Literal["hour-of-week", "day-of-week", "month"]

#: From fine to coarse; months are left out because two windows seldom share them.
AUTOMATIC: tuple[Season, ...] = ("hour-of-week", "day-of-week")
#: Rows that the reference needs in every season of the current window before a season is taken by itself.
FEWEST_ROWS = 30


def names(times: NDArray[np.datetime64], season: Season) -> NDArray[np.str_]:
    """The season of each time: ``Mon 07h``, ``Mon`` or ``01``; in UTC where times had a zone."""
    days = times.astype("datetime64[D]")
    day = np.array(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])[(days.astype(np.int64) + 3) % 7]
    match season:
        case "hour-of-week":
            hour = (times.astype("datetime64[h]") - days.astype("datetime64[h]")).astype(np.int64)
            clock = np.array([f" {hour:02}h" for hour in range(24)])
            return np.asarray(np.char.add(day, clock[hour]))
        case "day-of-week":
            return day
        case "month":
            month = times.astype("datetime64[M]").astype(np.int64) % 12
            return np.array([f"{number:02}" for number in range(1, 13)])[month]
        case _:
            assert_never(season)


def by_season(rows: columns.Rows, season: Season) -> dict[str, summary.Summary]:
    """The summary of every season that has rows."""
    seasons, codes = np.unique(names(_times(rows), season), return_inverse=True)
    encoded = columns.Encoded(codes.astype(np.int32), tuple(seasons.tolist()))
    # the field has a name that no column can have
    stacked = summaries.summarise_rows(_with_cohort(rows, encoded), by=["\0season"]).cohorts
    assert stacked is not None
    return {key[0]: group for key, group in zip(stacked.keys, stacked.summary.groups(), strict=True)}


def weights(rows: columns.Rows, season: Season) -> dict[str, float]:
    """The weight of every season that has rows."""
    seasons, codes = np.unique(names(_times(rows), season), return_inverse=True)
    sums = np.bincount(codes, rows.weights, len(seasons))
    return dict(zip(seasons.tolist(), sums.tolist(), strict=True))


def finest(reference: columns.Rows, current: columns.Rows) -> Season | None:
    """The finest season for which the reference has rows enough wherever the current window has any."""
    for season in AUTOMATIC:
        known, counts = np.unique(names(_times(reference), season), return_counts=True)
        enough = set(known[counts >= FEWEST_ROWS].tolist())
        if set(names(_times(current), season).tolist()) <= enough:
            return season
    return None


def _times(rows: columns.Rows) -> NDArray[np.datetime64]:
    if rows.times is None:
        raise errors.UsageError(
            "CAL-423", "seasons need times", cause=f"{rows.source} was read without them", fix="name the --time column"
        )
    return rows.times


def _with_cohort(rows: columns.Rows, season: columns.Encoded) -> columns.Rows:
    return columns.Rows(
        rows.scores,
        rows.labels,
        rows.weights,
        {"\0season": season},
        rows.times,
        rows.scale,
        rows.target,
        rows.source,
        rows.read,
        rows.skipped,
    )
