"""Calibrated, miscalibrated or not enough data: one rule for a whole file and for each of its cohorts.

A test of exact calibration rejects everything once there are enough rows, so the rule has a tolerance, in units
of probability. Two measures decide, each with its own blind spot covered by the other:

* ECCE (Kuiper): the largest miscalibration of any run of neighbouring scores, weighted by how many rows it has;
* the departure: how far the fitted slope and intercept would move the scores on average.

**Miscalibrated** when "within the tolerance" is rejected: twice the smaller of the two p-values (Bonferroni) is
below 1 - level; over several cohorts after Benjamini-Hochberg. **Calibrated** when one-sided upper bounds of
both lie inside the tolerance. Otherwise **insufficient**: no data is never good news. ECE decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, overload

import numpy as np
from numpy.typing import NDArray

from calibrant.stats import departure, ecce, multiplicity
from calibrant.stats import summary as summaries

Outcome = Literal["calibrated", "miscalibrated", "insufficient"]
Floats = NDArray[np.float64]
#: From the number of a group to the reasons of its verdict.
Explain: TypeAlias = Callable[[int], tuple[str, ...]]

#: Below this effective number of rows the normal approximations behind both tests mean little.
FEWEST_ROWS = 50


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided for one group, why, and how strongly.

    ``p_value`` is against "within the tolerance"; ``adjusted_p`` the same after Benjamini-Hochberg over the
    cohorts judged together (equal to ``p_value`` for a group judged alone).
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    p_value: float
    adjusted_p: float


@dataclass(frozen=True, eq=False, slots=True)
class Deciding:
    """The two measures that decide, for every group of a summary."""

    kuiper: ecce.EcceByGroup
    moved: departure.Departures

    @classmethod
    def of(cls, summary: summaries.Summary) -> Deciding:
        return cls(ecce.ecce_by_group(summary), departure.by_group(summary))


class Verdicts(Sequence[Verdict]):
    """One verdict per group, worded when it is looked at: a hundred thousand cohorts are judged in one pass.

    ``outcomes`` and ``p_values`` have shape (g,).
    """

    def __init__(self, outcomes: NDArray[np.str_], p_values: Floats, adjusted: Floats, explain: Explain) -> None:
        self.outcomes = outcomes
        self.p_values = p_values
        self._adjusted = adjusted
        self._explain = explain

    def __len__(self) -> int:
        return len(self.outcomes)

    @overload
    def __getitem__(self, index: int) -> Verdict: ...

    @overload
    def __getitem__(self, index: slice) -> list[Verdict]: ...

    def __getitem__(self, index: int | slice) -> Verdict | list[Verdict]:
        if isinstance(index, slice):
            return [self[g] for g in range(*index.indices(len(self)))]
        outcome = cast(Outcome, str(self.outcomes[index]))
        return Verdict(outcome, self._explain(index), float(self.p_values[index]), float(self._adjusted[index]))


def judge(
    summary: summaries.Summary, deciding: Deciding | None = None, *, tolerance: float = 0.02, level: float = 0.95
) -> Verdicts:
    """Judge every group of a summary, with one adjustment for all of them.

    Parameters
    ----------
    summary
        One group or several stacked; labels binary or rates.
    deciding
        Its two deciding measures, where they are at hand already.
    tolerance
        Miscalibration that nobody minds, in units of probability, positive.
    level
        Confidence of the decision.
    """
    if not len(summary.keys):
        none = np.ones(len(summary.starts))
        nothing = (_missing(0.0, 0.0, False, 0.0, tolerance),)
        return Verdicts(np.full(len(none), "insufficient"), none, none, lambda _: nothing)
    both = deciding or Deciding.of(summary)
    kuiper, moved = both.kuiper, both.moved
    p = np.minimum(1.0, 2.0 * np.minimum(kuiper.p_beyond(tolerance), moved.p_beyond(tolerance)))
    n = summary.effective_n
    enough = n >= FEWEST_ROWS
    adjusted = np.ones(len(p))
    adjusted[enough] = multiplicity.benjamini_hochberg(p[enough])
    upper = np.maximum(kuiper.upper(level), np.where(moved.known, moved.upper(level), 0.0))
    rates = summary.total("wy") / summary.total("w")
    rare = np.minimum(rates, 1.0 - rates) <= tolerance
    gaps = summary.total("wp") / summary.total("w") - rates
    found = enough & (adjusted < 1.0 - level)
    inside = enough & ~found & ~rare & (upper <= tolerance)
    outcomes = np.where(found, "miscalibrated", np.where(inside, "calibrated", "insufficient"))

    def explain(g: int) -> tuple[str, ...]:
        if found[g]:
            slope = float(moved.slope[g]) if moved.known[g] and moved.value[g] > tolerance else 1.0
            return _found(float(kuiper.value[g]), slope, float(gaps[g]), float(adjusted[g]), tolerance)
        if inside[g]:
            return (f"off by at most {upper[g]:.3g} with {level:.0%} confidence, within the tolerance {tolerance:g}",)
        return (_missing(float(n[g]), float(kuiper.sigma[g]), bool(rare[g]), float(rates[g]), tolerance),)

    return Verdicts(outcomes, p, adjusted, explain)


def _found(kuiper: float, slope: float, gap: float, p: float, tolerance: float) -> tuple[str, ...]:
    """Why a group is miscalibrated, the decision first."""
    chance = f"p = {p:.2g}" if p >= 1e-12 else "p < 1e-12"
    reasons = [f"off by more than the tolerance {tolerance:g} ({chance} for being within it)"]
    if abs(gap) > tolerance / 2:
        reasons.append(f"scores are too {'high' if gap > 0 else 'low'} by {abs(gap):.3g} on average")
    if kuiper > tolerance:
        reasons.append(f"ECCE {kuiper:.3g}: errors of neighbouring scores add up to that much")
    if not 0.9 <= slope <= 1.1:
        reasons.append(f"slope {slope:.2f}: scores are too {'extreme' if slope < 1 else 'timid'}")
    return tuple(reasons)


def _missing(n: float, sigma: float, rare: bool, rate: float, tolerance: float) -> str:
    """What is missing for a verdict, and how to get it."""
    if n < FEWEST_ROWS:
        return f"{n:.0f} rows, at least {FEWEST_ROWS} are needed"
    if rare:
        return (
            f"the share of the rarer label ({min(rate, 1 - rate):.2g}) is within the tolerance {tolerance:g}: "
            "always saying the same would pass; choose a smaller tolerance"
        )
    # a calibrated group shows an ECCE of about 1.6 sigma, and its upper bound lies 1.6 sigma above that
    need = n * (3.25 * sigma / tolerance) ** 2
    more = f"about {_two_digits(need)} rows would decide a calibrated group" if need > n else "it lies near the edge"
    return f"{n:.0f} rows can neither show nor exclude a miscalibration of {tolerance:g}; {more}"


def _two_digits(number: float) -> str:
    return f"{int(float(f'{number:.2g}')):,}"
