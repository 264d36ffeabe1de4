"""Where an artifact comes from, in a closed form: enough to fit the same map again from the same data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from calibrant.artifacts import checks


@dataclass(frozen=True, slots=True)
class Code:
    """Versions of what computed the map."""

    calibrant: str
    python: str
    numpy: str
    scipy: str


@dataclass(frozen=True, slots=True)
class Source:
    """What the rows came from: a stream by its name, or a file by its name."""

    kind: Literal["stream", "file"]
    name: str


@dataclass(frozen=True, slots=True)
class FitOptions:
    """What was asked of the fit, each as the recommendation takes it.

    ``by`` are cohort fields. ``aims`` are the numbers that the threshold was chosen for, by name (cost_fp, precision,
    capacity ...); ``objective`` says the same in words. ``judged_from_us`` is the time from which on rows judged, None
    when they were drawn at random. ``weighting`` names the weights, None when every row counted once. ``from_us`` and
    ``to_us`` are the window that was asked for, None where it was open.
    """

    by: tuple[str, ...]
    objective: str | None
    aims: Mapping[str, float]
    tolerance: float
    level: float
    resamples: int
    weighting: str | None
    judged_from_us: int | None
    from_us: int | None
    to_us: int | None

    def __post_init__(self) -> None:
        checks.whole("resamples", self.resamples, least=0)
        object.__setattr__(self, "by", tuple(self.by))
        object.__setattr__(self, "aims", {name: checks.finite(name, value) for name, value in self.aims.items()})
        object.__setattr__(self, "tolerance", checks.finite("tolerance", self.tolerance))
        object.__setattr__(self, "level", checks.finite("level", self.level))


@dataclass(frozen=True, slots=True)
class Provenance:
    """Code, data and options of a fit.

    ``approach`` is the procedure ("recommend"), ``method`` the map that it chose among ``candidates``.
    ``window_us`` are the first and the last microsecond of the data, ``as_of_us`` the moment whose knowledge of
    labels counts.
    """

    approach: str
    code: Code
    source: Source
    data_digest: str
    window_us: tuple[int, int] | None
    as_of_us: int | None
    rows: int
    method: str
    candidates: tuple[str, ...]
    seed: int
    options: FitOptions

    def __post_init__(self) -> None:
        checks.digest("data_digest", self.data_digest)
        checks.whole("rows", self.rows, least=0)
        checks.whole("seed", self.seed, least=0)
        object.__setattr__(self, "candidates", tuple(self.candidates))
        if self.window_us is not None:
            object.__setattr__(self, "window_us", tuple(self.window_us))
            first, last = self.window_us
            if first > last:
                raise checks.illegal("the window of the data ends before it begins")
