"""What is done about a stream without asking: how it is watched, advised, rolled out, measured and alarmed.

Every default is safe: a stream that declares no policy is watched and advised, and nothing changes without a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from calibrant.streams import bounds, burn_rules, freezes
from calibrant.streams.bounds import Bounds, Problem

Mode = Literal["manual", "approve", "auto"]
NoData = Literal["hold", "fail", "skip"]

YEAR = timedelta(days=366)


class _Policy:
    """A value that refuses to exist with a problem."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for problem in self.problems():
            raise problem.error()

    def problems(self) -> Iterator[Problem]:
        yield from bounds.problems(self)


@dataclass(frozen=True, slots=True)
class WatchPolicy(_Policy):
    """When a stream counts as off."""

    tolerance: Annotated[float, Bounds("How far a rate may be from its score, in probability.", above=0, most=0.5)] = (
        0.02
    )
    alpha: Annotated[
        float, Bounds("The chance of a false alarm over the whole life of a monitor.", above=0, most=0.5)
    ] = 0.05
    every: Annotated[timedelta, Bounds("How often it is looked at.", longest=timedelta(days=31))] = timedelta(hours=1)
    window: Annotated[timedelta, Bounds("How far back the evidence that is shown goes.", longest=YEAR)] = timedelta(
        days=28
    )
    season: Annotated[
        timedelta, Bounds("Scores are compared with those this long ago: a week, a year.", longest=YEAR)
    ] = timedelta(days=7)
    silence: Annotated[
        timedelta, Bounds("Without any prediction for so long, telemetry is lost.", longest=timedelta(days=31))
    ] = timedelta(minutes=30)
    coverage: Annotated[float, Bounds("The share of matured predictions that must have a label.", above=0, most=1)] = (
        0.5
    )
    lag: Annotated[
        timedelta | None, Bounds("Labels that take longer than this are late; the horizon by default.", longest=YEAR)
    ] = None
    stale: Annotated[timedelta, Bounds("A map that is older than this is stale.", longest=YEAR)] = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class AdvicePolicy(_Policy):
    """What may be proposed, how large, how often."""

    mode: Annotated[
        Mode, Bounds("manual: advice only; approve: a person approves each step; auto: inside the limits.")
    ] = "manual"
    refit: Annotated[timedelta, Bounds("The window that maps are fitted to.", longest=YEAR)] = timedelta(days=90)
    by: Annotated[tuple[str, ...], Bounds("Cohort fields of the maps.", pattern=bounds.FIELD, items=8)] = ()
    damping: Annotated[float, Bounds("The share of a recommended change that is made.", above=0, most=1)] = 1.0
    max_shift: Annotated[float, Bounds("The largest change of any score, in probability.", above=0, most=1)] = 0.3
    max_threshold_step: Annotated[float, Bounds("The largest change of a threshold.", above=0, most=1)] = 0.1
    cooldown: Annotated[timedelta, Bounds("The least time between two changes.", longest=YEAR)] = timedelta(days=1)
    enter: Annotated[float, Bounds("Act when the departure exceeds this.", above=0, most=0.5)] = 0.02
    leave: Annotated[float, Bounds("Stop acting when it is below this.", above=0, most=0.5)] = 0.01
    readings: Annotated[int, Bounds("So many readings in a row before acting or stopping.", above=0, most=100)] = 3
    least_gain: Annotated[
        float, Bounds("A change must gain so many nats a row, with confidence.", above=-1, most=1)
    ] = 0.0
    blast_radius: Annotated[float, Bounds("The share of cohorts that may change at once.", above=0, most=1)] = 1.0
    freezes: Annotated[
        tuple[str, ...], Bounds("No change in these: 2026-12-24/2026-12-27, or Fri 16:00/Mon 08:00, UTC.", items=64)
    ] = ()
    cost_fp: Annotated[float | None, Bounds("Cost of acting on a negative.", most=1e12)] = None
    cost_fn: Annotated[float | None, Bounds("Cost of not acting on a positive.", most=1e12)] = None
    cost_action: Annotated[float | None, Bounds("Cost of acting at all.", most=1e12)] = None
    precision: Annotated[float | None, Bounds("Share of alerts that must be positive.", above=0, most=1)] = None
    recall: Annotated[float | None, Bounds("Share of positives that must be found.", above=0, most=1)] = None
    capacity: Annotated[float | None, Bounds("Alerts a day that can be handled.", above=0, most=1e12)] = None

    def problems(self) -> Iterator[Problem]:
        yield from bounds.problems(self)
        if isinstance(self.leave, float) and isinstance(self.enter, float) and self.leave > self.enter:
            yield Problem(
                "CAL-813",
                "acting would stop before it begins",
                path="leave",
                cause=f"leave is {self.leave}, enter is {self.enter}",
                fix="leave at or below the level at which acting begins",
            )
        if isinstance(self.freezes, tuple):
            found = [freezes.parse(text) for text in self.freezes if isinstance(text, str)]
            yield from (one for one in found if isinstance(one, Problem))


@dataclass(frozen=True, slots=True)
class OnlinePolicy(_Policy):
    """A map that follows the labels by itself, inside an envelope around the map that was promoted."""

    enabled: Annotated[bool, Bounds("Whether a promoted map is updated without a new rollout.")] = False
    half_life: Annotated[timedelta, Bounds("How fast old labels lose weight.", longest=YEAR)] = timedelta(days=7)
    step: Annotated[float, Bounds("The largest change of slope or intercept in one update.", above=0, most=5)] = 0.1
    slope: Annotated[float, Bounds("The largest distance of the slope from the anchor's.", above=0, most=5)] = 0.5
    intercept: Annotated[float, Bounds("The largest distance of the intercept.", above=0, most=10)] = 1.0
    every: Annotated[timedelta, Bounds("The least time between two updates.", longest=YEAR)] = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RolloutPolicy(_Policy):
    """How a candidate is proved on live traffic."""

    shadow: Annotated[timedelta, Bounds("The least time in shadow.", longest=YEAR)] = timedelta(days=1)
    weights: Annotated[
        tuple[float, ...], Bounds("The canary's share of units, step by step.", above=0, most=0.5, items=16)
    ] = (0.01, 0.05, 0.25, 0.5)
    hold: Annotated[timedelta, Bounds("The least time at each step.", longest=YEAR)] = timedelta(days=1)
    matured: Annotated[int, Bounds("Matured pairs before anything is judged.", above=0, most=10**9)] = 1_000
    alpha: Annotated[float, Bounds("The chance that a harmful candidate passes.", above=0, most=0.5)] = 0.05
    margin: Annotated[float, Bounds("How much worse a candidate may be, in nats a row.", above=0, most=1)] = 0.002
    deadline: Annotated[timedelta, Bounds("Undecided for so long, it is aborted.", longest=YEAR)] = timedelta(days=30)
    bake: Annotated[timedelta, Bounds("How long the control arm is kept after promotion.", longest=YEAR)] = timedelta(
        days=1
    )
    latency_ratio: Annotated[float, Bounds("The canary's latency against the control's.", above=1, most=100)] = 1.5
    sample_ratio: Annotated[
        float, Bounds("The p-value at which the arms are not alike in size.", above=0, most=0.5)
    ] = 0.001
    no_data: Annotated[NoData, Bounds("What a guard without data means.")] = "hold"

    def problems(self) -> Iterator[Problem]:
        yield from bounds.problems(self)
        if isinstance(self.weights, tuple) and list(self.weights) != sorted(set(self.weights)):
            yield Problem(
                "CAL-813",
                "the canary would not grow",
                path="weights",
                cause="each step is wider than the one before",
                fix="give growing weights",
            )


@dataclass(frozen=True, slots=True)
class SloPolicy(_Policy):
    """The objective that a stream is held to, on the label clock."""

    objective: Annotated[float, Bounds("The share of slices that must be good.", above=0, most=0.9999)] = 0.95
    slice: Annotated[timedelta, Bounds("The width of a slice.", longest=timedelta(days=31))] = timedelta(days=1)
    period: Annotated[timedelta, Bounds("The period of the budget.", longest=YEAR)] = timedelta(days=28)
    least: Annotated[int, Bounds("Matured pairs that a slice needs to count.", above=0, most=10**9)] = 500
    coverage: Annotated[float, Bounds("The share of predictions that must lie in counted slices.", above=0, most=1)] = (
        0.8
    )
    burn: Annotated[
        tuple[str, ...], Bounds("When the budget burns too fast: page 6 6h/30m; standard rules by default.", items=8)
    ] = ()

    def problems(self) -> Iterator[Problem]:
        yield from bounds.problems(self)
        whole = isinstance(self.slice, timedelta) and isinstance(self.period, timedelta) and self.slice > timedelta(0)
        if whole and self.period % self.slice:
            yield Problem(
                "CAL-813",
                "the period is not made of whole slices",
                path="period",
                cause=f"{self.period} is no multiple of {self.slice}",
                fix="give a multiple of the slice",
            )
        sound = whole and self.period > timedelta(0) and isinstance(self.objective, float) and 0 < self.objective < 1
        if sound and not self.period % self.slice and all(isinstance(one, str) for one in self.burn):
            yield from burn_rules.problems(self.burn, width=self.slice, period=self.period, objective=self.objective)


@dataclass(frozen=True, slots=True)
class AlertPolicy(_Policy):
    """Who is told what. Channels are declared in alerts.yaml beside the streams."""

    page: Annotated[tuple[str, ...], Bounds("Channels that wake somebody up.", pattern=bounds.NAME, items=16)] = ()
    ticket: Annotated[tuple[str, ...], Bounds("Channels that can wait.", pattern=bounds.NAME, items=16)] = ()
    after: Annotated[timedelta, Bounds("A condition must hold so long before it fires.", longest=YEAR)] = timedelta(
        minutes=5
    )
    keep: Annotated[timedelta, Bounds("It goes on firing so long after the condition ended.", longest=YEAR)] = (
        timedelta(minutes=15)
    )


@dataclass(frozen=True, slots=True)
class Policies(_Policy):
    """All policies of a stream."""

    watch: Annotated[WatchPolicy, Bounds("When it counts as off.")] = WatchPolicy()
    advice: Annotated[AdvicePolicy, Bounds("What may be proposed.")] = AdvicePolicy()
    online: Annotated[OnlinePolicy, Bounds("Whether the map follows the labels by itself.")] = OnlinePolicy()
    rollout: Annotated[RolloutPolicy, Bounds("How candidates are proved.")] = RolloutPolicy()
    slo: Annotated[SloPolicy, Bounds("The objective.")] = SloPolicy()
    alerts: Annotated[AlertPolicy, Bounds("Who is told.")] = AlertPolicy()
