"""The heart: sums of scores and labels per cell of a fixed grid. Small, mergeable, enough for every measure.

A summary keeps nine sums and a count per occupied cell. Whatever is linear in those sums is exact (Brier score,
log loss, ECE and MCE at the grid's bin counts, base rate, sharpness); whatever depends on the order of scores
inside a cell is known to the grid's resolution of 1/64 of the odds, or exactly on the ``distinct`` grid, where
every different score is a cell of its own.

Laws (tested): ``summarise(rows) == merge of summaries of any split of rows`` and ``(a + b) - b == a``, both
up to float rounding; ``+`` is commutative and associative; counts are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors
from calibrant.stats import grid as score_grid
from calibrant.stats import tally

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Grid = tally.Grid
Detail = tally.Detail
SUMS = tally.SUMS
EPSILON = tally.EPSILON


@dataclass(frozen=True, eq=False)
class Summary:
    """Sums per occupied cell, for one group of rows or for several groups one after the other.

    Parameters
    ----------
    grid
        Which cells: only summaries of one grid can be merged.
    keys
        Cell names, shape (k,), int64, increasing within a group: grid cells, or the bits of the score.
    n
        Rows per cell, shape (k,), int64, all positive. Rows of weight zero carry nothing and are not counted.
    sums
        Shape (9, k), float64, rows named by ``SUMS``: the sums of w, w y, w y^2, w p, w p^2, w p y, w^2,
        w^2 p (1 - p), and w times the log loss.
    starts
        Where each group begins, shape (g,), int64. One group: ``[0]``.
    """

    grid: Grid
    keys: Ints
    n: Ints
    sums: Floats
    starts: Ints

    # ---------------------------------------------------------------- columns, each of shape (k,)

    @property
    def w(self) -> Floats:
        """Sum of weights."""
        return np.asarray(self.sums[0])

    @property
    def wy(self) -> Floats:
        """Sum of weight times label."""
        return np.asarray(self.sums[1])

    @property
    def ww(self) -> Floats:
        """Sum of squared weights."""
        return np.asarray(self.sums[6])

    @property
    def wwv(self) -> Floats:
        """Sum of squared weight times p (1 - p): the variance of the label sum if the scores are right."""
        return np.asarray(self.sums[7])

    @property
    def score(self) -> Floats:
        """Mean score per cell: the cell's score itself on the distinct grid."""
        if self.grid == "distinct":
            return self.keys.view(np.float64)
        return np.asarray(self.sums[3] / self.sums[0])

    @property
    def rate(self) -> Floats:
        """Mean label per cell."""
        return np.asarray(self.wy / self.w)

    @property
    def is_binary(self) -> bool:
        """Whether all labels were 0 or 1 (then y^2 == y)."""
        return bool(np.all(np.abs(self.sums[2] - self.sums[1]) <= 1e-9 * self.sums[0]))

    # ---------------------------------------------------------------- totals, each of shape (g,)

    def total(self, name: str) -> Floats:
        """One sum over the cells of each group; ``name`` is one of ``SUMS``."""
        return self.reduce(self.sums[SUMS.index(name)])

    def reduce(self, cells: Floats) -> Floats:
        """Sum any array of shape (k,) over the cells of each group, to shape (g,)."""
        return np.add.reduceat(cells, self.starts) if len(self.keys) else np.zeros(len(self.starts))

    @property
    def rows(self) -> Ints:
        """Rows per group, shape (g,)."""
        return np.add.reduceat(self.n, self.starts) if len(self.keys) else np.zeros(len(self.starts), np.int64)

    @property
    def group(self) -> Ints:
        """Which group each cell belongs to, shape (k,)."""
        lengths = np.diff(np.append(self.starts, len(self.keys)))
        return np.repeat(np.arange(len(self.starts)), lengths)

    @property
    def effective_n(self) -> Floats:
        """(sum w)^2 / sum w^2 per group: the rows that equal weights would need (Kish 1965)."""
        squares = self.total("ww")
        return np.divide(self.total("w") ** 2, squares, out=np.zeros_like(squares), where=squares > 0)

    @property
    def sixtieth(self) -> Ints:
        """floor(60 p) of each cell, shape (k,): sixty equal-width bins, 1 alone in the sixty-first."""
        if self.grid == "distinct":
            return (self.keys.view(np.float64) * 60.0).astype(np.int64)
        return score_grid.geometry().sixtieth[self.keys]

    def bins(self, count: int) -> Ints:
        """Equal-width bin of each cell, shape (k,); the last bin is closed at 1.

        Raises
        ------
        UsageError
            On the dyadic grid, where only the divisors of 60 are exact.
        """
        if 60 % count == 0:
            return np.minimum(self.sixtieth // (60 // count), count - 1)
        if self.grid == "distinct":
            return np.minimum((self.score * count).astype(np.int64), count - 1)
        raise errors.UsageError(
            "CAL-404",
            f"{count} equal-width bins cannot be had from this summary",
            cause="the score grid is exact for divisors of 60 only: " + ", ".join(map(str, score_grid.EXACT_BINS)),
            fix="choose one of those, or summarise with grid='distinct'",
        )

    # ---------------------------------------------------------------- algebra

    def __add__(self, other: Summary) -> Summary:
        return self._merge(other, 1)

    def __sub__(self, other: Summary) -> Summary:
        """Take away rows that were added before; cells whose count falls to zero disappear.

        Raises
        ------
        UsageError
            If ``other`` holds more rows in some cell than this summary.
        """
        return self._merge(other, -1)

    def _merge(self, other: Summary, sign: int) -> Summary:
        if self.grid != other.grid or len(self.starts) != 1 or len(other.starts) != 1:
            raise errors.UsageError(
                "CAL-405",
                "these two summaries cannot be merged",
                cause=f"one has grid {self.grid!r} and {len(self.starts)} groups, "
                f"the other {other.grid!r} and {len(other.starts)}",
                fix="summarise both with the same grid, and merge cohorts with Cohorts",
            )
        keys, where = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)
        n = np.zeros(len(keys), np.int64)
        sums = np.zeros((len(SUMS), len(keys)))
        mine, theirs = where[: len(self.keys)], where[len(self.keys) :]
        n[mine] += self.n
        n[theirs] += sign * other.n
        sums[:, mine] += self.sums
        sums[:, theirs] += sign * other.sums
        if (n < 0).any():
            raise errors.UsageError(
                "CAL-406",
                "more rows are taken away than there are",
                cause=f"{int((n < 0).sum())} cells would hold fewer than zero rows",
                fix="subtract only summaries of rows that were added before",
            )
        keep = n > 0
        return Summary(self.grid, keys[keep], n[keep], sums[:, keep], self.starts)

    def to_dyadic(self) -> Summary:
        """The same rows on the dyadic grid; a summary that is on it already is returned as it is."""
        if self.grid == "dyadic":
            return self
        cell = self.group * score_grid.CELLS + score_grid.cells(self.score)
        keys, where = np.unique(cell, return_inverse=True)
        n = np.bincount(where, self.n.astype(np.float64), len(keys)).astype(np.int64)
        sums: Floats = np.stack([np.bincount(where, row, len(keys)) for row in self.sums])
        starts = np.searchsorted(keys, np.arange(len(self.starts)) * score_grid.CELLS)
        return Summary("dyadic", keys % score_grid.CELLS, n, sums, starts)

    def moved(self, scores: Floats) -> Summary:
        """The same labels with other scores, one per cell: what a map would make of these rows.

        ``scores`` has shape (k,), in [0, 1]. The result is on the distinct grid; cells that the map made equal
        become one. Exact on the distinct grid; on the dyadic grid all rows of a cell get the cell's new score.
        """
        group, w, p = self.group, self.w, scores + 0.0
        clipped = np.clip(p, EPSILON, 1.0 - EPSILON)
        loss = -(self.wy * np.log(clipped) + (w - self.wy) * np.log1p(-clipped))
        moved = np.stack(
            [w, self.wy, self.sums[2], w * p, w * p * p, self.wy * p, self.ww, self.ww * p * (1.0 - p), loss]
        )
        order = np.lexsort((p, group))
        first = np.ones(len(p), bool)
        first[1:] = (np.diff(p[order]) != 0.0) | (np.diff(group[order]) != 0)
        begins = np.flatnonzero(first)
        if not len(begins):
            return Summary("distinct", self.keys, self.n, self.sums, self.starts)
        starts = np.searchsorted(group[order][begins], np.arange(len(self.starts)))
        return Summary(
            "distinct",
            p[order][begins].view(np.int64),
            np.add.reduceat(self.n[order], begins),
            np.add.reduceat(moved[:, order], begins, axis=1),
            starts,
        )

    def groups(self) -> Iterator[Summary]:
        """Each group as a summary of its own."""
        ends = np.append(self.starts[1:], len(self.keys))
        for start, end in zip(self.starts.tolist(), ends.tolist(), strict=True):
            yield self.slice(start, end)

    def slice(self, start: int, end: int) -> Summary:
        """The cells from ``start`` up to ``end`` as one group."""
        part = slice(start, end)
        return Summary(self.grid, self.keys[part], self.n[part], self.sums[:, part], np.zeros(1, np.int64))

    def only(self) -> Self:
        """This summary, if it is one group: what the measures of a single group ask first."""
        if len(self.starts) != 1:
            raise errors.UsageError(
                "CAL-407",
                "a summary of one group is needed here",
                cause=f"this one holds {len(self.starts)} groups",
                fix="take one of summary.groups()",
            )
        return self

    # ---------------------------------------------------------------- plain data

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers: the JSON form."""
        return {
            "schema": "calibrant.summary/1",
            "grid": self.grid,
            "starts": self.starts.tolist(),
            "keys": self.keys.tolist(),
            "n": self.n.tolist(),
            **{name: row.tolist() for name, row in zip(SUMS, self.sums, strict=True)},
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Summary:
        """Read what ``to_dict`` wrote.

        Raises
        ------
        ArtifactError
            If the schema is unknown or the columns do not fit together.
        """
        expected = {"schema", "grid", "starts", "keys", "n", *SUMS}
        if data.get("schema") != "calibrant.summary/1" or set(data) != expected:
            raise errors.ArtifactError(
                "CAL-604",
                "this is not a summary that can be read here",
                cause=f"schema {data.get('schema')!r}, fields {sorted(map(str, data))}",
                fix="write it with Summary.to_dict() of a version of Calibrant not newer than this one",
            )
        try:
            summary = cls(
                data["grid"],
                np.asarray(data["keys"], np.int64),
                np.asarray(data["n"], np.int64),
                np.array([data[name] for name in SUMS], np.float64).reshape(len(SUMS), -1),
                np.asarray(data["starts"], np.int64),
            )
        except (TypeError, ValueError, OverflowError):
            raise _misfit() from None
        summary.check()
        return summary

    def check(self) -> None:
        """Raise ArtifactError unless the columns fit together as the class says."""
        k = self.keys.size
        shapes = (self.keys.shape, self.n.shape, self.sums.shape, self.starts.ndim)
        if self.grid not in ("dyadic", "distinct") or shapes != ((k,), (k,), (len(SUMS), k), 1):
            raise _misfit()
        begins = self.starts.tolist()
        if begins != [0] and not (k and begins[:1] == [0] and begins[-1] < k and (np.diff(self.starts) > 0).all()):
            raise _misfit()
        inside = np.ones(max(k - 1, 0), bool)
        inside[self.starts[1:] - 1] = False
        scores = self.keys if self.grid == "dyadic" else self.keys.view(np.float64)
        highest = score_grid.CELLS - 1 if self.grid == "dyadic" else 1.0
        fits = (
            bool((self.n > 0).all())
            and bool(np.isfinite(self.sums).all())
            and bool((self.w > 0).all())
            and bool((np.diff(self.keys)[inside] > 0).all())
            and bool(((scores >= 0) & (scores <= highest)).all())
        )
        if not fits:
            raise _misfit()


def _misfit() -> errors.ArtifactError:
    return errors.ArtifactError(
        "CAL-604",
        "the columns of this summary do not fit together",
        cause="lengths or types differ, keys do not increase or are no cells, or a count or weight is not positive",
        fix="write the summary again from its rows",
    )


def empty(grid: Grid = "dyadic") -> Summary:
    """The summary of no rows: the neutral element of ``+``."""
    nothing = np.zeros(0, np.int64)
    return Summary(grid, nothing, nothing, np.zeros((len(SUMS), 0)), np.zeros(1, np.int64))


def summarise(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    group_count: int | None = None,
    grid: Grid = "dyadic",
    detail: Detail = "full",
) -> Summary:
    """Summarise rows.

    Parameters
    ----------
    scores
        Shape (n,), in [0, 1].
    labels
        Shape (n,): booleans, 0/1, or rates in [0, 1].
    weights
        Shape (n,), non-negative and finite; None means 1 for every row.
    groups
        Shape (n,), integers in [0, group_count): one summary per group, stacked. None means one group.
    group_count
        Number of groups; every group must have at least one row of positive weight.
    grid
        ``dyadic`` (default; at most some 3,000 cells) or ``distinct`` (one cell per different score, exact).
    detail
        ``counts`` is two to four times faster and enough for fitting: scores count as the middle of their
        cell. It needs the dyadic grid, labels 0/1, no weights and one group.

    Raises
    ------
    ValueRangeError
        For scores or labels outside [0, 1], NaN, negative weights or shapes that differ.

    Examples
    --------
    >>> both = summarise([0.1, 0.4, 0.4], [0, 1, 0])
    >>> both.rows, both.total("wy")
    (array([3]), array([1.]))
    >>> parts = summarise([0.1], [0]) + summarise([0.4, 0.4], [1, 0])
    >>> bool(np.allclose(both.sums, parts.sums))
    True
    """
    p, y, w = _checked(scores, labels, weights)
    plain = grid == "dyadic" and w is None and y.dtype == np.int8
    if groups is None:
        if plain:
            return Summary("dyadic", *tally.of_bits(p, y, detail))
        codes, count = None, 1
    else:
        codes = np.asarray(groups, np.int64)
        count = int(codes.max()) + 1 if group_count is None and len(codes) else group_count or 1
    if detail == "counts":
        raise errors.UsageError(
            "CAL-408",
            "a summary of counts alone needs the dyadic grid, labels 0/1, no weights and one group",
            cause="at least one of those does not hold",
            fix="leave out detail='counts'",
        )
    tally.check_scores(p)
    if plain and codes is not None and count * score_grid.CELLS <= max(len(p), 1 << 16):
        return _no_empty_group(Summary("dyadic", *tally.of_bits_by_group(p, y, codes, count)))
    if w is not None and (w == 0.0).any():
        keep = w > 0.0
        p, y, w, codes = p[keep], y[keep], w[keep], None if codes is None else codes[keep]
    return _no_empty_group(Summary(grid, *tally.of_rows(p, y, w, codes, count, grid)))


def _checked(
    scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None
) -> tuple[Floats, NDArray[Any], Floats | None]:
    """Arrays of one length; labels become int8 where they are 0/1, weights None where there are none."""
    p = np.ascontiguousarray(scores, np.float64)
    y = np.ascontiguousarray(labels)
    w = None if weights is None else np.ascontiguousarray(weights, np.float64)
    if p.ndim != 1 or y.shape != p.shape or (w is not None and w.shape != p.shape):
        raise errors.ValueRangeError(
            "CAL-301",
            "scores, labels and weights must be one-dimensional and of one length",
            cause=f"their shapes are {p.shape}, {y.shape}" + (f", {w.shape}" if w is not None else ""),
            fix="pass one score, one label and (if any) one weight for every row",
        )
    if w is not None and len(w) and not (w.min() >= 0.0 and np.isfinite(w.max())):
        raise errors.ValueRangeError(
            "CAL-305",
            "weights must be finite and not negative",
            cause=f"{int((~(w >= 0) | ~np.isfinite(w)).sum())} of {len(w)} are not",
            fix="drop those rows or correct their weights",
        )
    if y.dtype == np.bool_:
        return p, y.view(np.int8), w
    if y.dtype.kind in "iu":
        # one pass instead of two: all are 0 or 1 if, and only if, none of them has another bit
        if int(np.bitwise_or.reduce(y)) & ~1:
            raise tally.outside("labels", y)
        return p, y.astype(np.int8), w
    if y.dtype.kind != "f" or (len(y) and not (y.min() >= 0 and y.max() <= 1)):
        raise tally.outside("labels", y)
    as_bits = y.astype(np.int8)
    if np.array_equal(as_bits, y):
        return p, as_bits, w
    return p, y.astype(np.float64), w


def _no_empty_group(summary: Summary) -> Summary:
    if len(summary.keys) and (np.diff(np.append(summary.starts, len(summary.keys))) == 0).any():
        raise errors.ValueRangeError(
            "CAL-306",
            "every group needs at least one row of positive weight",
            cause="some group has none",
            fix="leave out empty groups, or drop rows of weight zero first",
        )
    return summary
