"""Cells by cohort and fold: what the cohort maps are fitted to and judged on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators import calibrator, scales
from calibrant.fitting import folds as schemes
from calibrant.fitting import selection, shrinkage
from calibrant.stats import grid, summary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells of all cohorts, cohort after cohort: pooled log-odds, labels and weights in effective rows."""

    x: Floats
    wy: Floats
    w: Floats
    starts: Ints

    def fit(self) -> shrinkage.Lines:
        found = shrinkage.fit(self.x, self.wy, self.w, self.starts)
        # the population's slope, and every cohort's, must rise: otherwise the pooled map stands
        mean = found.mean if found.mean[1] > 0.0 else shrinkage.START_MEAN
        lines = np.where((found.lines[:, 1] > 0.0)[:, None], found.lines, mean)
        return dataclasses.replace(found, lines=lines, mean=mean)


def of_stack(data: summary.Summary, pooled: calibrator.Calibrator) -> Cells:
    """The cells of a stack of cohorts, under one pooled map of probabilities."""
    squares = data.total("ww")
    shrink = (data.total("w") / squares)[data.group]
    return Cells(scales.logit(pooled.apply(data.score)), data.wy * shrink, data.w * shrink, data.starts)


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Cells of every (cohort, fold), in that order: ``fold``, ``cohort``, ``keys``, ``n``, ``score`` (k,), ``sums``.

    ``width`` is one more than the largest cohort code."""

    grid: summary.Grid
    fold: Ints
    cohort: Ints
    keys: Ints
    n: Ints
    score: Floats
    sums: Floats
    folds: int
    width: int

    @classmethod
    def of(cls, p: Floats, y: NDArray[Any], w: Floats | None, code: Ints, made: schemes.Folds) -> Parts:
        if w is not None and (w == 0.0).any():
            keep = w > 0.0
            p, y, w, code = p[keep], y[keep], w[keep], code[keep]
            made = dataclasses.replace(made, codes=made.codes[keep])
        count = made.count + 1
        names, groups = _numbered(code * count + made.codes + 1)
        cells: summary.Grid = "distinct" if len(p) <= selection.DISTINCT else "dyadic"
        data = summary.summarise(p, y, weights=w, groups=groups, group_count=len(names), grid=cells)
        name = names[data.group]
        cohorts = int(code.max()) + 1 if len(code) else 0
        return cls(
            cells, name % count - 1, name // count, data.keys, data.n, data.score, data.sums, made.count, cohorts
        )

    @property
    def cohorts(self) -> int:
        """Cohorts that have rows."""
        return len(np.unique(self.cohort))

    def collapsed(self, where: NDArray[np.bool_]) -> summary.Summary:
        """Some of the cells as one summary without cohorts."""
        if self.grid == "dyadic":
            cell, width = self.keys[where], grid.CELLS
        else:
            names, cell = np.unique(self.keys[where], return_inverse=True)
            width = len(names)
        n = np.bincount(cell, self.n[where], width).astype(np.int64)
        used = np.flatnonzero(n)
        sums: Floats = np.stack([np.bincount(cell, row[where], width)[used] for row in self.sums])
        keys = used if self.grid == "dyadic" else names[used]
        return summary.Summary(self.grid, keys, n[used], sums, np.zeros(1, np.int64))

    def by_fold(self) -> list[summary.Summary]:
        """One summary per fold that has rows."""
        return [self.collapsed(self.fold == k) for k in range(self.folds) if (self.fold == k).any()]

    def rest(self) -> summary.Summary | None:
        """The rows that take no part in the proof."""
        outside = self.fold < 0
        return self.collapsed(outside) if outside.any() else None

    def cells(self, where: NDArray[np.bool_], pooled: calibrator.Calibrator) -> tuple[Cells, Ints]:
        """Some of the cells by cohort, and which cohorts these are."""
        cohort = self.cohort[where]
        starts = np.flatnonzero(np.append(True, np.diff(cohort) != 0))
        w, wy, ww = self.sums[0][where], self.sums[1][where], self.sums[6][where]
        shrink = np.add.reduceat(w, starts) / np.add.reduceat(ww, starts)
        shrink = np.repeat(shrink, np.diff(np.append(starts, len(cohort))))
        x = scales.logit(pooled.apply(self.score[where]))
        return Cells(x, wy * shrink, w * shrink, starts), cohort[starts]


def _numbered(codes: Ints) -> tuple[Ints, Ints]:
    """The codes that occur, and each row's place among them; by counting, since codes are small numbers."""
    if not len(codes):
        return codes, codes
    used = np.flatnonzero(np.bincount(codes))
    place = np.zeros(int(used[-1]) + 1, np.int64)
    place[used] = np.arange(len(used))
    return used, place[codes]
