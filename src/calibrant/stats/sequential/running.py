"""The passage from one state of a monitor to the next: bets on each row, and learning after each block."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators import scales
from calibrant.stats.sequential import arrivals, bets, line

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Rows between two updates of what is learned; counted within the cohort, so that batches may be cut anywhere.
BLOCK = 32
#: Half the wealth is bet from the first row on; of the other half, half is left after 384 rows.
HALF_SPENT = 128.0
#: The learned line starts from the identity, known to half a unit of log-odds.
PRIOR = line.Prior((0.0, 1.0), (4.0, 4.0))
#: Rows that a band's shift is shrunk by.
SHRINKAGE = 20.0


class Blocks(NamedTuple):
    """Rows sorted by block: those of the r-th block to be filled stand between ``ends[r]`` and ``ends[r + 1]``."""

    order: Ints
    ends: Ints


def blocks(before: Ints, groups: Ints) -> Blocks:
    position = before[groups] % BLOCK + arrivals.rank_within(groups, len(before))
    block = position // BLOCK
    order = np.argsort(block, kind="stable")
    return Blocks(order, np.searchsorted(block[order], np.arange(int(block.max()) + 2)))


class Running:
    """A state on its way to the next one: its arrays are copies that are written into."""

    def __init__(self, columns: Mapping[str, Any], *, half_life: float) -> None:
        self.columns = {name: array.copy() for name, array in columns.items()}
        self.kept = 0.5 ** (BLOCK / half_life)

    def take(self, rows: bets.Rows, groups: Ints) -> None:
        order, ends = blocks(self.columns["rows"], groups)
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
        one["peak"][full] = np.maximum(one["peak"][full], log_e(wealth, seen))
        one["run_peak"][full] = np.maximum(one["run_peak"][full], log_mix(run))
        bet = np.log(unspent(seen) - unspent(seen + BLOCK))
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


def unspent(rows: Floats | Ints) -> Floats:
    """The share of the wealth that is not bet before so many rows: 1/2 sqrt(128 / (128 + n))."""
    return np.asarray(0.5 * np.sqrt(HALF_SPENT / (HALF_SPENT + rows)))


def log_mix(wealth: Floats) -> Floats:
    """log of the mean over the alternatives, by their shares; shape (g,)."""
    highest = wealth.max(axis=0)
    # one alternative after the other: a plain sum would group its terms by the number of cohorts
    total = np.cumsum(bets.SHARES * np.exp(wealth - highest), axis=0)[-1]
    return np.asarray(np.log(total) + highest)


def log_e(wealth: Floats, bet_before: Floats | Ints) -> Floats:
    return np.asarray(np.logaddexp(log_mix(wealth), np.log(unspent(bet_before))))
