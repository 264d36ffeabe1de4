"""What a change would do, on matured pairs that it was not fitted to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import errors
from calibrant.calibrators import by_cohort, kinds, scales
from calibrant.decisions import costs as costing
from calibrant.fitting import crossfit
from calibrant.stats import cohorts as stacked
from calibrant.stats import results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]
#: Rows below which no effect is claimed.
FEWEST = 50


@dataclass(frozen=True, slots=True)
class Rule:
    """What serves: a map, and the threshold that reads it, if there is one."""

    calibrator: kinds.Kind
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """Gains are means per row of what the present rule loses and the proposed one does not; both ends at ``level``.

    ``gain`` is in nats, ``brier_gain`` in squared probability, ``cost_gain`` in the currency of the costs. ``flips`` of
    ``rows`` decisions would be another one: ``starts`` of them begin to act, the others stop.
    """

    gain: results.Measured
    brier_gain: results.Measured
    cost_gain: results.Measured | None
    rows: int
    flips: int | None
    starts: int | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "gain": self.gain.to_dict(),
            "brier_gain": self.brier_gain.to_dict(),
            "cost_gain": None if self.cost_gain is None else self.cost_gain.to_dict(),
            "rows": self.rows,
            "flips": self.flips,
            "starts": self.starts,
        }


def effect(
    pairs: stacked.Cohorts, present: Rule, proposed: Rule, *, costs: costing.Costs | None = None, level: float = 0.95
) -> Effect:
    """Judge a proposed rule against the present one.

    Parameters
    ----------
    pairs
        Matured pairs that neither rule was fitted to, scores as probabilities; by every field that a map is by.
    present, proposed
        The rules. Thresholds read the output of the map beside them.
    costs
        What decisions cost; with it and two thresholds the gain in cost is measured as well.
    level
        Confidence of each end of the intervals.
    """
    cells, rows = pairs.summary, int(pairs.summary.rows.sum())
    before, after = (answers(one.calibrator, pairs) for one in (present, proposed))
    flips, starts = _flips(cells.n, before, after, present.threshold, proposed.threshold)
    if rows < FEWEST:
        few = results.Insufficient(rows, FEWEST)
        return Effect(few, few, None if costs is None else few, rows, flips, starts)
    judged = crossfit.Judgement(cells.w, cells.wy, cells.sums[2], cells.ww, np.zeros(len(cells.keys), np.int64), {}, {})

    def gain(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> results.Estimate:
        zero, one = (old - new for old, new in zip(first, second, strict=True))
        found = crossfit.paired(judged, zero, one, clustered=False)
        return found.estimate(alpha=1.0 - level, method="paired differences on rows not fitted to, normal")

    spent = None
    if costs is not None and present.threshold is not None and proposed.threshold is not None:
        spent = gain(_cost(before >= present.threshold, costs), _cost(after >= proposed.threshold, costs))
    log, brier = (gain(crossfit.losses(before, kind), crossfit.losses(after, kind)) for kind in ("log", "brier"))
    return Effect(log, brier, spent, rows, flips, starts)


def answers(map_: kinds.Kind, pairs: stacked.Cohorts) -> Floats:
    """What a map says for each cell of the pairs, shape (k,)."""
    cells = pairs.summary
    if not isinstance(map_, by_cohort.ByCohort):
        return np.asarray(on_probability(map_).apply(cells.score))
    missing = [field for field in map_.fields if field not in pairs.fields]
    if missing:
        raise errors.UsageError(
            "CAL-466",
            "a map by cohort cannot be judged on pairs without its cohorts",
            cause=f"the pairs are not by {', '.join(missing)}",
            fix="declare the fields as cohorts of the stream, and join again",
        )
    places = [pairs.fields.index(field) for field in map_.fields]
    columns = [np.array([key[place] for key in pairs.keys], object)[cells.group] for place in places]
    return np.asarray(on_probability(map_).apply(cells.score, columns))


def served(pairs: stacked.Cohorts, map_: kinds.Kind) -> summaries.Summary:
    """All pairs as one group, with what the map says for scores."""
    return stacked.Cohorts(pairs.fields, pairs.keys, pairs.summary.moved(answers(map_, pairs))).pooled()


def on_probability(map_: Any) -> Any:
    """The same map, reading probabilities, which is what the scores of pairs are."""
    if not isinstance(map_, by_cohort.ByCohort):
        return dataclasses.replace(map_, scale=scales.Scale())
    members = tuple((key, on_probability(member)) for key, member in map_.maps)
    return by_cohort.ByCohort(map_.fields, on_probability(map_.pooled), members)


def members(map_: kinds.Kind) -> list[Any]:
    """The maps that a map is made of, reading probabilities: those of its cohorts, or itself."""
    reads = on_probability(map_)
    if not isinstance(reads, by_cohort.ByCohort):
        return [reads]
    return [reads.pooled, *(member for _, member in reads.maps)]


def _flips(
    n: NDArray[np.int64], before: Floats, after: Floats, present: float | None, proposed: float | None
) -> tuple[int | None, int | None]:
    if present is None or proposed is None:
        return None, None
    acts, will = before >= present, after >= proposed
    return int(n[acts != will].sum()), int(n[~acts & will].sum())


def _cost(acts: NDArray[np.bool_], costs: costing.Costs) -> tuple[Floats, Floats]:
    """Cost of each cell's decision where the label is 0 and where it is 1."""
    zero = np.where(acts, costs.action + costs.false_positive, 0.0)
    return zero, np.where(acts, costs.action, costs.false_negative)


def excludes_less_than(measured: results.Measured | None, least: float) -> bool:
    """Whether a gain is above ``least`` with confidence; what was not measured never is.

    >>> excludes_less_than(results.Estimate(0.02, 0.01, 0.03, 0.9, "wald"), 0.0)
    True
    """
    return isinstance(measured, results.Estimate) and measured.low is not None and measured.low > least


def said(measured: results.Measured) -> str:
    """A gain for people, with its interval."""
    if isinstance(measured, results.Insufficient):
        return str(measured)
    if measured.low is None or measured.high is None:
        return f"{measured.value:.3g}"
    return f"{measured.value:.3g} ({measured.low:.3g} to {measured.high:.3g})"


def plain(found: Effect | None) -> Mapping[str, Any] | None:
    """``to_dict`` of what may be missing."""
    return None if found is None else found.to_dict()
