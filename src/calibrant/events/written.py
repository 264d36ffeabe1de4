"""The two events as JSON members: what every JSON wire writes and reads."""

from __future__ import annotations

from calibrant.events import times
from calibrant.events.label import Label
from calibrant.events.prediction import Prediction


def prediction(event: Prediction) -> dict[str, object]:
    """Members that say something, times as RFC 3339 in UTC."""
    return event.body() | {"at": times.text(times.to_us(event.at))}


def label(event: Label) -> dict[str, object]:
    """Members that say something, times as RFC 3339 in UTC."""
    members = event.body() | {"at": times.text(times.to_us(event.at))}
    if event.observed is not None:
        members["observed"] = times.text(times.to_us(event.observed, "observed"))
    return members
