"""From rows to sums per cell: the passes over the data, written for speed. ``stats.summary`` is the value they fill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant import errors
from calibrant.stats import grid as score_grid

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: ``dyadic``: the fixed cells of ``stats.grid``. ``distinct``: a cell for every different score.
Grid = Literal["dyadic", "distinct"]
#: ``counts``: only n and the label sum are read from the rows, scores count as the middle of their cell.
Detail = Literal["full", "counts"]

#: Names of the sums, in the order of their rows; y is the label, p the score, w the weight.
SUMS = ("w", "wy", "wyy", "wp", "wpp", "wpy", "ww", "wwv", "loss")
#: Scores are kept this far from 0 and 1 in the log loss; the machine epsilon, as scikit-learn does.
EPSILON = float(np.finfo(np.float64).eps)
#: Rows handled at once where the work stays within the cache.
BLOCK = 1 << 15


class Cells(NamedTuple):
    """Occupied cells: names (k,), counts (k,), the nine sums (9, k), and where each group begins (g,)."""

    keys: Ints
    n: Ints
    sums: Floats
    starts: Ints


def check_scores(p: Floats) -> None:
    if len(p) and not (p.min() >= 0.0 and p.max() <= 1.0):
        raise outside("scores", p)


def outside(what: str, values: NDArray[Any]) -> errors.ValueRangeError:
    if values.dtype.kind not in "iuf":
        cause = f"their type is {values.dtype}"
    else:
        bad = ~((values >= 0) & (values <= 1))
        cause = f"{int(bad.sum())} of {len(values)} are outside or NaN, the first at row {int(bad.argmax())}"
    fix = "declare the scale, or drop those rows"
    return errors.ValueRangeError("CAL-302", f"{what} must be numbers in [0, 1]", cause=cause, fix=fix)


def of_bits(p: Floats, y: NDArray[np.int8], detail: Detail) -> Cells:
    """One group of 0/1 labels without weights: bins by 2 * cell + label, block by block within the cache."""
    size = 2 * score_grid.CELLS
    counts, columns = np.zeros(size, np.int64), np.zeros((3, size))
    work = score_grid.Workspace(min(BLOCK, max(len(p), 1)))
    for start in range(0, len(p), BLOCK):
        block, bits = p[start : start + BLOCK], y[start : start + BLOCK]
        check_scores(block)
        index = score_grid.cells(block, work)
        index <<= 1
        index += bits
        counts += np.bincount(index, minlength=size)
        if detail == "full":
            columns[0] += np.bincount(index, block, size)
            columns[1] += np.bincount(index, np.multiply(block, block, out=work.u[: len(block)]), size)
            columns[2] += np.bincount(index, _log_loss(block, bits, work), size)
    pairs = counts.reshape(-1, 2)
    used = np.flatnonzero(pairs.any(axis=1))
    first, square, loss = (column.reshape(-1, 2)[used] for column in columns)
    sums, n = _fold(pairs[used], first, loss, square)
    if detail == "counts":
        center = score_grid.geometry().center[used]
        clipped = np.clip(center, EPSILON, 1.0 - EPSILON)
        ones = sums[1]
        sums[3], sums[4], sums[5] = n * center, n * center**2, ones * center
        sums[7] = sums[3] - sums[4]
        sums[8] = -(ones * np.log(clipped) + (n - ones) * np.log1p(-clipped))
    return Cells(used, n, sums, np.zeros(1, np.int64))


def of_bits_by_group(p: Floats, y: NDArray[np.int8], codes: Ints, count: int) -> Cells:
    """The same for several groups on the dyadic grid: block by block to bin names, then one pass for each sum."""
    index, loss = np.empty(len(p), np.int64), np.empty(len(p))
    work = score_grid.Workspace(min(BLOCK, max(len(p), 1)))
    for start in range(0, len(p), BLOCK):
        part = slice(start, start + BLOCK)
        block, bits = p[part], y[part]
        check_scores(block)
        cell = score_grid.cells(block, work)
        np.multiply(codes[part], score_grid.CELLS, out=index[part])
        index[part] += cell
        index[part] <<= 1
        index[part] += bits
        loss[part] = _log_loss(block, bits, work)
    size = 2 * count * score_grid.CELLS
    counts = np.bincount(index, minlength=size)
    used = np.flatnonzero(counts[0::2] + counts[1::2])

    def pairs(values: Floats) -> Floats:
        """Sums by cell and label of the occupied cells, (k, 2)."""
        return np.asarray(np.bincount(index, values, size).reshape(-1, 2)[used])

    by_label = [pairs(p), pairs(loss), pairs(np.multiply(p, p, out=loss))]
    sums, n = _fold(counts.reshape(-1, 2)[used], *by_label)
    starts = np.searchsorted(used, np.arange(count) * score_grid.CELLS)
    return Cells(used % score_grid.CELLS, n, sums, starts)


def _fold(counts: Ints, p: Floats, loss: Floats, square: Floats) -> tuple[Floats, Ints]:
    """The nine sums and the counts of cells, from sums by cell and label, each (k, 2)."""
    ones = counts[:, 1].astype(np.float64)
    n = counts.sum(axis=1)
    first, second = p.sum(axis=1), square.sum(axis=1)
    return np.stack([n, ones, ones, first, second, p[:, 1], n, first - second, loss.sum(axis=1)]), n


def _log_loss(p: Floats, y: NDArray[np.int8], work: score_grid.Workspace) -> Floats:
    """-log of the probability given to what happened: one logarithm a row."""
    told = work.t[: len(p)]
    np.subtract(1.0, p, out=told)
    np.copyto(told, p, where=y.view(np.bool_))
    np.clip(told, EPSILON, 1.0 - EPSILON, out=told)
    np.log(told, out=told)
    return np.negative(told, out=told)


def of_rows(p: Floats, y: NDArray[Any], w: Floats | None, codes: Ints | None, count: int, grid: Grid) -> Cells:
    """The general case: any labels, weights, groups and grid."""
    if not len(p):
        nothing = np.zeros(0, np.int64)
        return Cells(nothing, nothing, np.zeros((len(SUMS), 0)), np.zeros(count, np.int64))
    if grid == "distinct":
        scores, cell = np.unique(p + 0.0, return_inverse=True)
        width = len(scores)
    else:
        scores, cell, width = None, score_grid.cells(p), score_grid.CELLS
    key = cell if codes is None else codes * width + cell
    if count * width <= max(4 * len(p), 1 << 16):
        index, names = key, None
        length = count * width
    else:
        names, index = np.unique(key, return_inverse=True)
        length = len(names)
    n = np.bincount(index, minlength=length)
    used = np.flatnonzero(n)
    sums = np.empty((len(SUMS), len(used)))
    for row, values in enumerate(_terms(p, y, w)):
        sums[row] = n[used] if values is None else np.bincount(index, values, length)[used]
    key = used if names is None else names[used]
    starts = np.searchsorted(key, np.arange(count) * width)
    cell = key % width
    keys = cell if scores is None else scores[cell].view(np.int64)
    return Cells(keys, n[used], sums, starts)


def _terms(p: Floats, y: NDArray[Any], w: Floats | None) -> Iterator[Floats | None]:
    """The nine terms of a row in the order of SUMS; None stands for 1."""
    one = w if w is not None else np.ones(len(p))
    wp, wy = (p, y.astype(np.float64)) if w is None else (w * p, w * y)
    yield w
    yield wy
    yield wy * y
    yield wp
    yield wp * p
    yield wp * y
    yield None if w is None else w * w
    yield one * wp * (1.0 - p)
    clipped = np.clip(p, EPSILON, 1.0 - EPSILON)
    if y.dtype == np.int8:
        yield -one * np.log(np.where(y.view(np.bool_), clipped, 1.0 - clipped))
    else:
        yield -(wy * np.log(clipped) + (one - wy) * np.log1p(-clipped))
