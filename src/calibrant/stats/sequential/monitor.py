"""Is it still calibrated? E-processes for many cohorts, which may be looked at after every label, for ever.

Three questions are answered from one state: how much evidence there is against calibration within the tolerance
(``e_values``, ``p_values``), which cohorts that means among many (``alarms``), and whether something has changed
lately (``run_lengths``, ``change_p_values``, ``changes``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors
from calibrant.stats import multiplicity
from calibrant.stats.sequential import arrivals, bets, packed, running

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCHEMA = "calibrant.monitor/1"
#: Rows handled at once, which bounds the memory.
CHUNK = 1 << 18


@dataclass(frozen=True, eq=False, slots=True)
class MonitorState:
    """What has been seen of g cohorts. Logarithms of wealth are natural.

    ``rows`` (g,) counts labels. ``wealth`` and ``run`` (a, g) are the e-processes and the Shiryaev-Roberts sums of a
    alternatives at the start of the block, ``inside`` (a, g) their common gain since. ``line`` (2, g), ``information``
    (3, g), ``gradient`` (2, g) and ``curvature`` (3, g) are the learned line and the sums of its block; ``shifts``,
    ``residuals`` and ``seen`` (bands, g) those of the bands. ``peak`` (g,) is the largest log e-value at the end of a
    block, ``run_peak`` (g,) that of the sums.
    """

    tolerance: float
    heaviest: float
    half_life: float
    rows: Ints
    wealth: Floats
    run: Floats
    inside: Floats
    line: Floats
    information: Floats
    gradient: Floats
    curvature: Floats
    shifts: Floats
    residuals: Floats
    seen: Floats
    peak: Floats
    run_peak: Floats

    # ---------------------------------------------------------------- answers, each of shape (g,)

    @property
    def groups(self) -> int:
        return len(self.rows)

    @property
    def log_e_values(self) -> Floats:
        """Natural logarithms of ``e_values``, which do not overflow."""
        return running.log_e(self.wealth + self.inside, self.rows // running.BLOCK * running.BLOCK + running.BLOCK)

    @property
    def e_values(self) -> Floats:
        """Evidence against calibration within the tolerance, now: 1 to begin with, at most 1 expected if healthy."""
        with np.errstate(over="ignore"):
            return np.exp(self.log_e_values)

    @property
    def p_values(self) -> Floats:
        """min(1, 1 / the largest e-value so far): ever at or below alpha with probability alpha at most.

        The largest of those at the end of each 32 rows, and of the one now.
        """
        return np.exp(-np.maximum(np.maximum(self.peak, self.log_e_values), 0.0))

    def alarms(self, alpha: float) -> NDArray[np.bool_]:
        """Cohorts that e-BH finds off now: if all are healthy, any ever with probability alpha at most."""
        return multiplicity.e_bh(self.e_values, rate=alpha)

    @property
    def run_lengths(self) -> Floats:
        """Shiryaev-Roberts sums, now: healthy labels bring as much evidence of a change about once in so many rows."""
        with np.errstate(over="ignore"):
            return np.exp(self._log_run())

    def changes(self, alpha: float, *, within: float) -> NDArray[np.bool_]:
        """Cohorts that e-BH finds changed since the start, much faster than ``alarms`` if the change came late.

        If all are healthy, any in their first ``within`` rows with probability alpha at most: restart before then.
        """
        with np.errstate(over="ignore"):
            return multiplicity.e_bh(np.exp(self._log_run() - self._log_rows(within)), rate=alpha)

    def change_p_values(self, *, within: float) -> Floats:
        """At or below alpha with probability alpha at most, at any time in the first ``within`` rows."""
        return np.exp(-np.maximum(np.maximum(self.run_peak, self._log_run()) - self._log_rows(within), 0.0))

    def _log_run(self) -> Floats:
        return running.log_mix(self.run + self.inside)

    def _log_rows(self, within: float) -> Floats:
        """A block that has begun counts whole; who forgets to restart is not flooded with alarms."""
        return np.asarray(np.log(np.maximum(within, self.rows) + running.BLOCK))

    # ---------------------------------------------------------------- other states

    def restart(self, which: ArrayLike | None = None) -> Self:
        """As if nothing had been seen of these cohorts (a mask of shape (g,); all by default): after a promotion."""
        chosen = np.ones(self.groups, bool) if which is None else np.asarray(which, np.bool_)
        fresh = _columns(start(self.groups, **self._numbers()))
        kept = _columns(self)
        return dataclasses.replace(self, **{name: np.where(chosen, fresh[name], kept[name]) for name in kept})

    def grow(self, groups: int) -> Self:
        """More cohorts, which nothing has been seen of; the old ones keep their places."""
        fresh = _columns(start(groups - self.groups, **self._numbers()))
        kept = _columns(self)
        both: dict[str, Any] = {name: np.concatenate([kept[name], fresh[name]], axis=-1) for name in kept}
        return dataclasses.replace(self, **both)

    def to_dict(self) -> dict[str, Any]:
        """JSON values, exact to the bit."""
        return packed.pack(SCHEMA, {"groups": self.groups, **self._numbers()}, _columns(self))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """The state that ``to_dict`` wrote; UsageError CAL-468 for anything else."""
        reader = packed.Reader(document, SCHEMA)
        groups = int(reader.number("groups"))
        found: dict[str, Any] = {name: reader.number(name) for name in NUMBERS}
        found["rows"] = reader.ints("rows", groups)
        found |= {name: reader.floats(name, *shape, groups) for name, shape in SHAPES.items()}
        reader.done()
        return cls(**found)

    def _numbers(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in NUMBERS}


NUMBERS = ("tolerance", "heaviest", "half_life")
#: Leading sizes of the arrays of floats; the last axis is the cohort.
SHAPES: Mapping[str, tuple[int, ...]] = {
    "wealth": (bets.COUNT,),
    "run": (bets.COUNT,),
    "inside": (bets.COUNT,),
    "line": (2,),
    "information": (3,),
    "gradient": (2,),
    "curvature": (3,),
    "shifts": (bets.BANDS,),
    "residuals": (bets.BANDS,),
    "seen": (bets.BANDS,),
    "peak": (),
    "run_peak": (),
}


def _columns(state: MonitorState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in ("rows", *SHAPES)}


def start(
    groups: int = 1, *, tolerance: float = 0.02, heaviest: float = 1.0, half_life: float = 1_000.0
) -> MonitorState:
    """Nothing seen yet.

    Parameters
    ----------
    groups
        How many cohorts; at least 0.
    tolerance
        delta: how far a rate may be from its score, in probability, in [0, 0.5).
    heaviest
        The largest weight that any row can have: a number that is known before the rows are.
    half_life
        Rows of a cohort after which a label counts half in what the learned alternatives believe.

    Raises
    ------
    UsageError
        CAL-450 for numbers outside these ranges.

    Examples
    --------
    >>> start(2).e_values.round(12).tolist()
    [1.0, 1.0]
    """
    legal = groups >= 0 and 0.0 <= tolerance < 0.5 and 0.0 < heaviest < np.inf and 0.0 < half_life < np.inf
    if not legal:
        raise errors.UsageError(
            "CAL-450",
            "these numbers do not make a monitor",
            cause=f"groups={groups}, tolerance={tolerance}, heaviest={heaviest}, half_life={half_life}",
            fix="groups from 0, a tolerance from 0 up to 0.5, a positive heaviest weight and half-life",
        )
    arrays: dict[str, Any] = {name: np.zeros((*shape, groups)) for name, shape in SHAPES.items()}
    arrays["wealth"] += np.log1p(-running.unspent(np.array(running.BLOCK)))
    arrays["run"] += np.log(running.BLOCK)
    arrays["line"] += np.array(running.PRIOR.line)[:, None]
    arrays["information"] += running.PRIOR.information(groups)
    return MonitorState(tolerance, heaviest, half_life, np.zeros(groups, np.int64), **arrays)


def update(
    state: MonitorState,
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> MonitorState:
    """The state after more labels, to the bit the same however they are cut into batches.

    Parameters
    ----------
    state
        Is not changed.
    scores
        Shape (n,), in [0, 1]: what was served, in the order in which the labels arrived.
    labels
        Shape (n,), in [0, 1]: 0/1 or rates.
    weights
        Shape (n,), from 0 to the heaviest declared; None means 1.
    groups
        Shape (n,), codes of the cohorts; may be left out if there is one.

    Raises
    ------
    ValueRangeError, UsageError
        CAL-302, CAL-334 and CAL-444, as ``arrivals.read``.

    Notes
    -----
    For each alternative a (fixed lines in log-odds; a line and a shift per band of scores that were learned from
    earlier blocks) a row multiplies the wealth by L = 1 + u (y - p0)(q - p0) / (p0 (1 - p0)), see ``bets.gains``.
    Two mixtures over when a change began (at the start of any block) are kept for each:

    * with shares that sum to 1 it is an e-process, so P(ever E >= 1 / alpha) <= alpha (Ville). Half is bet from the
      first row, half over time: of it sqrt(128 / (128 + n)) is left after n rows;
    * with a share of 1 for each row it is the Shiryaev-Roberts sum, M <- (M + b) L for a block of b = 32 rows, for
      which M - rows is a supermartingale: the mean time until M >= A is at least A - b rows, and
      P(M >= A within T rows) <= (T + b) / A.

    Assumed, since labels arrive late: at its arrival, given its score and all that arrived before, the rate of a
    row is within the tolerance of its score. That fails if positives come before negatives, so feed only matured
    pairs, in the order in which they matured; and if labels of one day depend on each other beyond their scores,
    which is then found: it is a departure.

    References
    ----------
    Waudby-Smith and Ramdas 2024, doi:10.1093/jrsssb/qkad009 (bets); Henzi and Ziegel 2022, doi:10.1093/biomet/asab047
    (e-processes of forecasts); Shin, Ramdas and Rinaldo 2024, doi:10.51387/23-NEJSDS51 (e-detectors).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> p = rng.beta(2, 2, 2_000)
    >>> healthy = update(start(), p, rng.random(2_000) < p)
    >>> shifted = update(start(), p, rng.random(2_000) < np.sqrt(p))
    >>> bool(healthy.p_values[0] > 0.05), bool(shifted.p_values[0] < 1e-9)
    (True, True)
    """
    batch = arrivals.read(scores, labels, weights, groups, group_count=state.groups, heaviest=state.heaviest)
    if not len(batch):
        return state
    next_ = running.Running(_columns(state), half_life=state.half_life)
    for begin in range(0, len(batch), CHUNK):
        part = slice(begin, begin + CHUNK)
        rows = bets.rows(batch.scores[part], batch.labels[part], batch.weights[part], tolerance=state.tolerance)
        next_.take(rows, batch.groups[part])
    return dataclasses.replace(state, **next_.columns)
