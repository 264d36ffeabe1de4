"""The story of the demo: what happened, in lines; days that are alike are counted."""

from __future__ import annotations

from calibrant.cli import demo_story
from calibrant.workflow import controlling, watching

DAY = 86_400_000_000
FIRST = 1_359_763_200_000_000  # the end of 2013-02-01


def seen(day: int, *done: str, off: tuple[str, ...] = ()) -> controlling.Seen:
    alarms = tuple(watching.Alarm(name, 100.0, 0.01, 1_000, False) for name in off)
    return controlling.Seen("flights", FIRST + day * DAY, f"flights@{day}", alarms, False, done)


def test_days_of_following_are_one_line_and_alarms_are_told_when_they_begin() -> None:
    told = list(
        demo_story.story(
            [
                seen(0),
                seen(1, off=("all", "origin=EWR")),
                seen(2, "began to roll out flights@1: it helps", off=("all", "origin=EWR")),
                seen(3, "followed: flights@3"),
                seen(4, "followed: flights@4"),
                seen(5, "rolled back: it hurts"),
                seen(6, "followed: flights@6"),
            ]
        )
    )
    assert told == [
        "2013-02-02  off beyond the tolerance: all, origin=EWR",
        "2013-02-03  began to roll out flights@1: it helps",
        "2013-02-04  the map followed the labels on 2 days, until 2013-02-05: flights@4 serves",
        "2013-02-06  rolled back: it hurts",
        "2013-02-07  the map followed the labels on 1 day, until 2013-02-07: flights@6 serves",
    ]


def test_many_alarms_are_counted() -> None:
    (line,) = demo_story.story([seen(0, off=tuple("abcdef"))])
    assert line == "2013-02-01  off beyond the tolerance: a, b, c, d and 2 more"
