"""How far back to fit: window lengths judged by what each would have said of the next period."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import errors
from calibrant.calibrators import calibrator as protocol
from calibrant.fitting import crossfit, platt
from calibrant.stats import means, results, summary

Floats = NDArray[np.float64]
Fit = Callable[[summary.Summary], protocol.Calibrator]

#: Periods that all lengths must have been judged on.
FEWEST = 5


@dataclass(frozen=True, slots=True)
class Length:
    """The record of one window length, in periods: log loss per row, and how far behind the best it lies."""

    periods: int
    log_loss: float
    behind: float
    behind_error: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen length, the record of each, and over how many periods and rows they were judged.

    ``gain`` is what the chosen length saved per row against the scores as they are, with the interval between
    periods.
    """

    periods: int
    lengths: tuple[Length, ...]
    gain: results.Measured
    judged: int
    rows: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "periods": self.periods,
            "lengths": [asdict(length) for length in self.lengths],
            "gain": self.gain.to_dict(),
            "judged": self.judged,
            "rows": self.rows,
        }


def choose(
    parts: Sequence[summary.Summary],
    lengths: Sequence[int],
    *,
    gap: int = 0,
    fit: Fit = platt.fit,
    level: float = 0.95,
) -> Choice | results.Insufficient:
    """The window length that would have predicted best, and a longer one if it is about as good.

    Parameters
    ----------
    parts
        One summary per period (a day, say), in time order, of one grid; empty periods are summaries without rows.
    lengths
        Window lengths in periods, each >= 1.
    gap
        Periods between the last that is fitted on and the one that is judged: as long as labels take to mature, so
        that no map is fitted on rows that were not known yet.
    fit
        How a map is fitted; where it refuses, the scores stay as they are.
    level
        Coverage of the interval of the gain.

    Returns
    -------
    Choice | Insufficient
        ``Insufficient`` if fewer than 5 periods with rows come after the longest window.

    Raises
    ------
    UsageError
        CAL-410 for lengths or gaps that are none.

    Notes
    -----
    Prequential (Dawid 1984, doi:10.2307/2981683): for each period t and length w the map fitted on periods
    t - gap - w to t - gap - 1 is scored on period t; all lengths are judged on the same periods. Among the lengths
    that lie within one standard error of the best (paired, between periods) the longest wins: it varies least.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> def day(shift):
    ...     log_odds = rng.normal(0, 1.5, 500)
    ...     return summary.summarise(1 / (1 + np.exp(-log_odds)), rng.random(500) < 1 / (1 + np.exp(-log_odds - shift)))
    >>> found = choose([day(0.1 * t) for t in range(40)], (2, 20))   # it never stops moving
    >>> found.periods
    2
    """
    wanted = sorted(set(lengths))
    if not wanted or wanted[0] < 1 or gap < 0:
        raise errors.UsageError(
            "CAL-410",
            "these are no windows",
            cause=f"lengths={tuple(lengths)}, gap={gap}",
            fix="give lengths of at least one period and a gap of at least none",
        )
    begin = wanted[-1] + gap
    judged = [t for t in range(begin, len(parts)) if len(parts[t].keys)]
    if len(judged) < FEWEST:
        return results.Insufficient(len(judged), FEWEST, "periods after the longest window")
    weights = np.array([float(parts[t].w.sum()) for t in judged])
    losses = {length: np.array(list(_losses(parts, judged, length, gap, fit))) for length in wanted}
    frozen = np.array([_loss(parts[t], parts[t].score) for t in judged])
    return _choice(wanted, losses, frozen, weights, level)


def _losses(
    parts: Sequence[summary.Summary], judged: Sequence[int], length: int, gap: int, fit: Fit
) -> Iterator[float]:
    """Mean log loss of each judged period under the map of the window before it."""
    for t in judged:
        window = [part for part in parts[t - gap - length : t - gap] if len(part.keys)]
        score = parts[t].score
        try:
            answer = fit(crossfit.merged(window)).apply(score) if window else score
        except errors.FitError:
            answer = score
        yield _loss(parts[t], answer)


def _loss(part: summary.Summary, answer: Floats) -> float:
    zero, one = crossfit.losses(answer, "log")
    return float((part.w - part.wy) @ zero + part.wy @ one) / float(part.w.sum())


def _choice(wanted: Sequence[int], losses: dict[int, Floats], frozen: Floats, weights: Floats, level: float) -> Choice:
    total = {length: float(weights @ found / weights.sum()) for length, found in losses.items()}
    best = min(wanted, key=lambda length: total[length])
    records, chosen = [], best
    for length in wanted:
        behind = losses[length] - losses[best]
        mean = float(weights @ behind / weights.sum())
        error = _error(behind - mean, weights)
        records.append(Length(length, total[length], mean, error))
        if mean <= error:
            chosen = max(chosen, length)
    gain = means.mean(frozen - losses[chosen], weights, level=level)
    return Choice(chosen, tuple(records), gain, len(weights), float(weights.sum()))


def _error(away: Floats, weights: Floats) -> float:
    n = len(weights)
    return float(np.sqrt((weights**2) @ away**2 * n / (n - 1)) / weights.sum())
