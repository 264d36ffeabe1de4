"""Silences: alerts that match are not told to anybody for a while. They go on living, and are on record.

A silence says exactly which labels it is about; there are no patterns, and none without any label, because such a
silence would hide everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from calibrant import errors
from calibrant.registry import refusals, resources
from calibrant.slo import labels as labelled
from calibrant.slo import lifecycle

KIND: Final = "silence"
#: Nothing is hidden for longer without somebody saying so again.
LONGEST_US: Final = 30 * lifecycle.DAY_US

State = Literal["pending", "active", "expired"]


@dataclass(frozen=True, slots=True)
class Silence:
    """From ``starts_us`` to before ``ends_us``, for alerts that have all of these labels."""

    name: str
    matches: Mapping[str, str]
    starts_us: int
    ends_us: int
    by: str

    def state(self, now_us: int) -> State:
        return "pending" if now_us < self.starts_us else "active" if now_us < self.ends_us else "expired"

    def covers(self, labels: labelled.Labels) -> bool:
        held = labels.to_dict()
        return all(held[name] == value for name, value in self.matches.items())

    def to_body(self) -> dict[str, Any]:
        return {
            "matches": dict(self.matches),
            "starts_us": self.starts_us,
            "ends_us": self.ends_us,
            "by": self.by,
        }


def read(found: resources.Resource) -> Silence:
    """The silence that a resource describes."""
    assert found.body is not None
    return Silence(name=found.name, **found.body)


def begin(
    name: str, matches: Mapping[str, str], *, starts_us: int, ends_us: int, by: str, reason: str | None = None
) -> resources.Command:
    """Begin a silence under a new name."""
    unknown = sorted(set(matches) - set(labelled.NAMES))
    if not matches or unknown:
        raise errors.UsageError(
            "CAL-992",
            "a silence must say what it is about",
            cause=f"no alert has a label {unknown[0]!r}" if unknown else "without labels it would hide everything",
            fix="name labels and values: " + ", ".join(labelled.NAMES),
        )
    if not 0 < ends_us - starts_us <= LONGEST_US:
        raise errors.UsageError(
            "CAL-992",
            "a silence of this length is not allowed",
            cause=f"it would last {(ends_us - starts_us) / lifecycle.DAY_US:.1f} days",
            fix=f"give it more than nothing and at most {LONGEST_US // lifecycle.DAY_US} days",
        )
    body = Silence(name, matches, starts_us, ends_us, by).to_body()
    return resources.Command((resources.Change(KIND, name, resources.ABSENT, body, "silence.begin", reason),))


def end(found: resources.Resource | None, name: str, *, now_us: int, reason: str | None = None) -> resources.Command:
    """End a silence before its time."""
    silence = read(refusals.present(found, kind=KIND, name=name))
    assert found is not None
    if silence.state(now_us) == "expired":
        raise refusals.wrong_state(
            f"the silence {name}", "over", needs="pending or active", fix="nothing is to be done"
        )
    ended = replace(silence, starts_us=min(silence.starts_us, now_us), ends_us=now_us)
    return resources.Command((resources.Change(KIND, name, found.revision, ended.to_body(), "silence.end", reason),))


def covering(silences: Iterable[Silence], labels: labelled.Labels, now_us: int) -> tuple[str, ...]:
    """Names of the active silences that cover an alert."""
    return tuple(one.name for one in silences if one.state(now_us) == "active" and one.covers(labels))
