"""The mechanics of cross-fitting on summaries: train on other folds, answer for this one, compare in pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from calibrant import errors
from calibrant.calibrators import calibrator as protocol
from calibrant.fitting import folds as schemes
from calibrant.stats import results, summary

Floats = NDArray[np.float64]
Fit = Callable[[summary.Summary], protocol.Calibrator]


def merged(parts: Sequence[summary.Summary]) -> summary.Summary:
    """All parts as one summary, in one pass."""
    keys, n, sums = _dense(parts)
    return _sparse(parts[0].grid, keys, n.sum(axis=0), sums.sum(axis=0))


def trainings(parts: Sequence[summary.Summary], scheme: schemes.Scheme) -> Iterator[tuple[summary.Summary, int]]:
    """Training summary and number of the fold judged by it.

    Sums over the folds trained on, never a difference: what is empty has sums of exactly 0.
    """
    keys, n, sums = _dense(parts)
    for k in range(len(parts)):
        if scheme == "time":
            if k > 0:
                yield _sparse(parts[0].grid, keys, n[:k].sum(axis=0), sums[:k].sum(axis=0)), k
        else:
            others = np.arange(len(parts)) != k
            yield _sparse(parts[0].grid, keys, n[others].sum(axis=0), sums[others].sum(axis=0)), k


def _dense(parts: Sequence[summary.Summary]) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """All cell names, and counts and sums of shape (parts, cells), (parts, 9, cells)."""
    keys, where = np.unique(np.concatenate([part.keys for part in parts]), return_inverse=True)
    n = np.zeros((len(parts), len(keys)), np.int64)
    sums = np.zeros((len(parts), len(summary.SUMS), len(keys)))
    start = 0
    for row, part in enumerate(parts):
        mine = where[start : start + len(part.keys)]
        n[row, mine], sums[row][:, mine] = part.n, part.sums
        start += len(part.keys)
    return keys, n, sums


def _sparse(grid: summary.Grid, keys: NDArray[np.int64], n: NDArray[np.int64], sums: Floats) -> summary.Summary:
    keep = n > 0
    return summary.Summary(grid, keys[keep], n[keep], sums[:, keep], np.zeros(1, np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Cells of the judged folds with the answer of every map that was fitted without them.

    ``w``, ``wy``, ``wyy``, ``ww`` and ``fold`` have shape (k,); ``answers`` maps a method to probabilities of
    shape (k,), ``refused`` to the error of a fit that must not be made.
    """

    w: Floats
    wy: Floats
    wyy: Floats
    ww: Floats
    fold: NDArray[np.int64]
    answers: Mapping[str, Floats]
    refused: Mapping[str, errors.FitError]


def judge(parts: Sequence[summary.Summary], fits: Mapping[str, Fit], *, scheme: schemes.Scheme) -> Judgement:
    """Fit every method on every training summary and let it answer for the fold left out.

    A method that refuses one training summary is refused altogether. ``identity`` is always among the answers.
    """
    refused: dict[str, errors.FitError] = {}
    answers: dict[str, list[Floats]] = {name: [] for name in ("identity", *fits)}
    judged: list[int] = []
    for training, k in trainings(parts, scheme):
        judged.append(k)
        scores = parts[k].score
        answers["identity"].append(scores)
        for name, fit in fits.items():
            if name not in refused:
                try:
                    answers[name].append(fit(training).apply(scores))
                except errors.FitError as error:
                    refused[name] = error
    columns = [np.concatenate([parts[k].sums[row] for k in judged]) for row in (0, 1, 2, 6)]
    lengths = [len(parts[k].keys) for k in judged]
    fold = np.repeat(np.arange(len(judged)), lengths)
    kept = {name: np.concatenate(found) for name, found in answers.items() if name not in refused}
    return Judgement(columns[0], columns[1], columns[2], columns[3], fold, kept, refused)


@dataclass(frozen=True, slots=True)
class Paired:
    """Mean difference of a loss per row between two sets of answers, its standard error and degrees of freedom."""

    mean: float
    error: float
    freedom: float

    def estimate(self, *, alpha: float, method: str) -> results.Estimate:
        """With the interval whose two ends each hold with probability 1 - alpha."""
        reach = float(special.stdtrit(self.freedom, 1.0 - alpha)) * self.error
        return results.Estimate(self.mean, self.mean - reach, self.mean + reach, 1.0 - 2.0 * alpha, method)


def losses(q: Floats, kind: str) -> tuple[Floats, Floats]:
    """Loss of answers q where the label is 0 and where it is 1: ``log`` (nats) or ``brier``."""
    if kind == "log":
        clipped = np.clip(q, summary.EPSILON, 1.0 - summary.EPSILON)
        return -np.log1p(-clipped), -np.log(clipped)
    return q * q, (1.0 - q) ** 2


def mean_loss(found: Judgement, method: str, kind: str) -> float:
    """Cross-fitted mean loss per row."""
    zero, one = losses(found.answers[method], kind)
    return float((found.w - found.wy) @ zero + found.wy @ one) / float(found.w.sum())


def compare(found: Judgement, worse: Floats, better: Floats, kind: str, *, clustered: bool) -> Paired:
    """Mean of loss(worse) - loss(better) over rows; positive when ``better`` deserves its name."""
    zero, one = (a - b for a, b in zip(losses(worse, kind), losses(better, kind), strict=True))
    return paired(found, zero, one, clustered=clustered)


def paired(found: Judgement, zero: Floats, one: Floats, *, clustered: bool) -> Paired:
    """Mean of differences that are ``zero`` where the label is 0 and ``one`` where it is 1, shape (k,) each.

    Within a cell the difference depends on the label alone, so the variance over rows is exact from the sums
    (with weights: up to their spread within a cell). If rows of one fold may depend on each other, the larger
    of the row-wise and the between-fold standard error counts, with the folds' degrees of freedom.
    """
    total = float(found.w.sum())
    step = one - zero
    first = found.w * zero + found.wy * step
    mean = float(first.sum()) / total
    second = found.w * zero**2 + 2.0 * zero * step * found.wy + step**2 * found.wyy
    share = found.ww / found.w
    spread = float(share @ (second - 2.0 * mean * first + mean**2 * found.w))
    rows = total**2 / float(found.ww.sum())
    variance = max(spread, 0.0) / total**2 * rows / max(rows - 1.0, 1.0)
    if not clustered:
        return Paired(mean, math.sqrt(variance), max(rows - 1.0, 1.0))
    residual = np.bincount(found.fold, first - mean * found.w)
    count = len(residual)
    between = float(residual @ residual) / total**2 * count / max(count - 1, 1)
    return Paired(mean, math.sqrt(max(variance, between)), float(max(count - 1, 1)))
