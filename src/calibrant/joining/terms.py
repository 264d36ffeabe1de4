"""The cell of a prediction and the terms of all its sums, as narwhals expressions."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import narwhals as nw

from calibrant.stats import grid, summary
from calibrant.streams import declaration

Frame = TypeVar("Frame", "nw.LazyFrame[Any]", "nw.DataFrame[Any]")
Expr: TypeAlias = nw.Expr


def with_terms(wide: Frame, target: declaration.Target) -> Frame:
    """The cell and the terms of all sums, of every prediction: ``collected`` reads them where the state is a pair."""
    p, w, y = nw.col("score"), nw.col("w"), nw.col("y")
    return _with_cell(wide).with_columns(
        nw.lit(1.0).alias("n"),
        (w * y).alias("wy"),
        (w * y * y).alias("wyy"),
        (w * p).alias("wp"),
        (w * p * p).alias("wpp"),
        (w * p * y).alias("wpy"),
        (w * w).alias("ww"),
        (w * w * p * (1.0 - p)).alias("wwv"),
        (w * _loss(target)).alias("loss"),
    )


def _loss(target: declaration.Target) -> Expr:
    """The logarithm of what was said of the label: one for a label that is 0 or 1, two for a rate."""
    p, y = nw.col("score"), nw.col("y")
    if target == "probability":
        return _inside(nw.when(y > 0.5).then(p).otherwise(1.0 - p)).log() * -1.0
    return (y * _inside(p).log() + (1.0 - y) * (1.0 - _inside(p)).log()) * -1.0


def _inside(p: Expr) -> Expr:
    above = nw.when(p < 1.0 - summary.EPSILON).then(p).otherwise(1.0 - summary.EPSILON)
    return nw.when(p > summary.EPSILON).then(above).otherwise(summary.EPSILON)


def _with_cell(wide: Frame) -> Frame:
    """``cell`` = ``stats.grid.cells`` of ``score``, by comparing with the powers of two.

    With t = min(p, 1 - p) and t 2^24 in [2^j, 2^(j+1)), the rank is 64 j + floor(t 2^24 2^(6-j)) - 62: exact.
    """
    p = nw.col("score")
    wide = wide.with_columns((nw.when(p <= 0.5).then(p).otherwise(1.0 - p) * 16777216.0).alias("u"))
    u = nw.col("u")
    tail = nw.when(u > 0.0).then(1.0).otherwise(0.0)
    rank = nw.when(u >= 1.0).then(_rank(u, 0, 23)).otherwise(tail)
    wide = wide.with_columns(rank.alias("rank"))
    turned = nw.when(p > 0.5).then((grid.RANKS - 1.0) - nw.col("rank")).otherwise(nw.col("rank"))
    return wide.with_columns((turned + (p * 60.0).floor()).alias("cell"))


def _rank(u: Expr, low: int, high: int) -> Expr:
    """The rank within octaves ``low`` to ``high``: five questions deep, as 24 nested cases are too deep for parsers."""
    if low == high:
        return (u * 2.0 ** (6 - low)).floor() + (64.0 * low - 62.0)
    middle = (low + high + 1) // 2
    return nw.when(u >= 2.0**middle).then(_rank(u, middle, high)).otherwise(_rank(u, low, middle - 1))
