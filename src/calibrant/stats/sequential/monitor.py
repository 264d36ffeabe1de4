"""Is it still calibrated? E-processes for many cohorts, which may be looked at after every label, for ever.

Three questions are answered from one state: how much evidence there is against calibration within the tolerance
(``e_values``, ``p_values``), which cohorts that means among many (``alarms``), and whether something has changed
lately (``run_lengths``, ``changed``).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors
from calibrant.calibrators import scales
from calibrant.stats import multiplicity
from calibrant.stats.sequential import arrivals, bets, line, packed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCHEMA = "calibrant.monitor/1"
#: Rows between two updates of what is learned; counted within the cohort, so that batches may be cut anywhere.
BLOCK = 32
#: Rows handled at once, which bounds the memory.
CHUNK = 1 << 18
#: Half the wealth is bet from the first row on; of the rest, half of what is left by row n is bet after 3 n rows.
HALF_SPENT = 128.0
#: The learned line starts from the identity, known to half a unit of log-odds.
PRIOR = line.Prior((0.0, 1.0), (4.0, 4.0))
#: Rows that a band's shift is shrunk by.
SHRINKAGE = 20.0


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
        return _log_e(self.wealth + self.inside, self.rows // BLOCK * BLOCK + BLOCK)

    @property
    def e_values(self) -> Floats:
        """Evidence against calibration within the tolerance, now: 1 to begin with, at most 1 expected if healthy."""
        with np.errstate(over="ignore"):
            return np.exp(self.log_e_values)

    @property
    def p_values(self) -> Floats:
        """min(1, 1 / the largest e-value so far): at or below alpha with probability alpha at most, at any time."""
        return np.exp(-np.maximum(np.maximum(self.peak, self.log_e_values), 0.0))

    def alarms(self, alpha: float) -> NDArray[np.bool_]:
        """Cohorts that e-BH finds off now: if all are healthy, any ever with probability alpha at most."""
        return multiplicity.e_bh(self.e_values, rate=alpha)

    @property
    def run_lengths(self) -> Floats:
        """Shiryaev-Roberts sums: rows of healthy labels that one would wait for as much evidence of a change."""
        with np.errstate(over="ignore"):
            return np.exp(np.maximum(self.run_peak, _log_mix(self.run + self.inside)))

    def changed(self, rows: float) -> NDArray[np.bool_]:
        """Cohorts that changed since the start; a healthy one is taken for changed once in ``rows`` rows at most."""
        return self.run_lengths >= rows

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
    arrays["wealth"] += np.log1p(-_unspent(np.array(BLOCK)))
    arrays["run"] += np.log(BLOCK)
    arrays["line"] += np.array(PRIOR.line)[:, None]
    arrays["information"] += PRIOR.information(groups)
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
    * with a share of 1 for each row it is the Shiryaev-Roberts sum, M <- (M + b) L for a block of b rows, for which
      M - rows is a supermartingale: the mean time to a false alarm is at least the limit, in rows.

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
    running = _Running(state)
    for begin in range(0, len(batch), CHUNK):
        part = slice(begin, begin + CHUNK)
        rows = bets.rows(batch.scores[part], batch.labels[part], batch.weights[part], tolerance=state.tolerance)
        running.take(rows, batch.groups[part])
    return dataclasses.replace(state, **running.columns)


class _Blocks(NamedTuple):
    """Rows sorted by block: those of the r-th block to be filled stand between ``ends[r]`` and ``ends[r + 1]``."""

    order: Ints
    ends: Ints


def _blocks(before: Ints, groups: Ints) -> _Blocks:
    position = before[groups] % BLOCK + arrivals.rank_within(groups, len(before))
    block = position // BLOCK
    order = np.argsort(block, kind="stable")
    return _Blocks(order, np.searchsorted(block[order], np.arange(int(block.max()) + 2)))


class _Running:
    """A state on its way to the next one: its arrays are copies that are written into."""

    def __init__(self, state: MonitorState) -> None:
        self.columns: dict[str, Any] = {name: array.copy() for name, array in _columns(state).items()}
        self.kept = 0.5 ** (BLOCK / state.half_life)

    def take(self, rows: bets.Rows, groups: Ints) -> None:
        order, ends = _blocks(self.columns["rows"], groups)
        known = bets.fixed_gains(rows)
        for begin, end in itertools.pairwise(ends):
            part = order[begin:end]
            at = groups[part]
            self._bet(rows, known, part, at)
            self._learn(rows, part, at)
            np.add.at(self.columns["rows"], at, 1)
            touched = at[-1:] if len(self.columns["rows"]) == 1 else np.unique(at)
            full = touched[self.columns["rows"][touched] % BLOCK == 0]
            if len(full):
                self._close(full)

    def _bet(self, rows: bets.Rows, known: Floats, part: Ints, at: Ints) -> None:
        inside = self.columns["inside"]
        for alternative in range(len(known)):
            np.add.at(inside[alternative], at, known[alternative, part])
        for alternative, q in enumerate((self._by_line(rows, part, at), self._by_band(rows, part, at)), len(known)):
            np.add.at(inside[alternative], at, bets.gains(rows, bets.cautious(rows, q, part), part))

    def _by_line(self, rows: bets.Rows, part: Ints, at: Ints) -> Floats:
        intercept, slope = self.columns["line"]
        return scales.expit(np.asarray(intercept[at] + slope[at] * rows.x[part]))

    def _by_band(self, rows: bets.Rows, part: Ints, at: Ints) -> Floats:
        return np.asarray(rows.p[part] + self.columns["shifts"][rows.band[part], at])

    def _learn(self, rows: bets.Rows, part: Ints, at: Ints) -> None:
        """Sums of the block, for the line and the bands of the next one."""
        x, y, u, q = rows.x[part], rows.y[part], rows.u[part], self._by_line(rows, part, at)
        residual, v = u * (y - q), u * q * (1.0 - q)
        gradient, curvature = self.columns["gradient"], self.columns["curvature"]
        for sums, terms in ((gradient, (residual, residual * x)), (curvature, (v, v * x, v * x * x))):
            for entry, term in enumerate(terms):
                np.add.at(sums[entry], at, term)
        cell = rows.band[part] * len(self.columns["rows"]) + at
        np.add.at(self.columns["residuals"].reshape(-1), cell, u * (y - rows.p[part]))
        np.add.at(self.columns["seen"].reshape(-1), cell, u)

    def _close(self, full: Ints) -> None:
        """The block of these cohorts is full: note the peaks, let the next block begin, learn."""
        one = self.columns
        seen = one["rows"][full].astype(np.float64)
        gain = one["inside"][:, full]
        wealth, run = one["wealth"][:, full] + gain, one["run"][:, full] + gain
        one["peak"][full] = np.maximum(one["peak"][full], _log_e(wealth, seen))
        one["run_peak"][full] = np.maximum(one["run_peak"][full], _log_mix(run))
        bet = np.log(_unspent(seen) - _unspent(seen + BLOCK))
        one["wealth"][:, full] = np.logaddexp(wealth, bet)
        one["run"][:, full] = np.logaddexp(run, np.log(BLOCK))
        one["inside"][:, full] = 0.0
        one["line"][:, full], one["information"][:, full] = line.newton(
            one["line"][:, full],
            one["information"][:, full],
            gradient=one["gradient"][:, full],
            curvature=one["curvature"][:, full],
            prior=PRIOR,
            kept=self.kept,
        )
        one["gradient"][:, full] = 0.0
        one["curvature"][:, full] = 0.0
        one["shifts"][:, full] = one["residuals"][:, full] / (one["seen"][:, full] + SHRINKAGE)
        one["residuals"][:, full] *= self.kept
        one["seen"][:, full] *= self.kept


def _unspent(rows: Floats | Ints) -> Floats:
    """The share of the wealth that is not bet before so many rows: 1/2 sqrt(128 / (128 + n))."""
    return np.asarray(0.5 * np.sqrt(HALF_SPENT / (HALF_SPENT + rows)))


def _log_mix(wealth: Floats) -> Floats:
    """log of the mean over the alternatives, by their shares; shape (g,)."""
    highest = wealth.max(axis=0, initial=-700.0)
    return np.asarray(np.log((bets.SHARES * np.exp(wealth - highest)).sum(axis=0)) + highest)


def _log_e(wealth: Floats, bet_before: Floats | Ints) -> Floats:
    return np.asarray(np.logaddexp(_log_mix(wealth), np.log(_unspent(bet_before))))
