"""Measures against packages that compute them from every row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks import clock, data
from calibrant.stats import auc, binned, resampling, scores, smooth, summary

TITLE = "Measures"


def run(stream: data.Stream) -> Iterator[clock.Line]:
    yield from plain(stream)
    yield from smooth_error(stream)
    yield from bootstrap(stream)


def plain(stream: data.Stream) -> Iterator[clock.Line]:
    """Brier score, log loss and AUC from rows: one summary serves all three."""
    from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

    p, y = stream.scores, stream.labels

    def ours() -> list[float]:
        made = summary.summarise(p, y)
        found = [scores.brier(made), scores.log_loss(made), auc.auc(made)]
        return [getattr(each, "value", float("nan")) for each in found]

    taken, theirs = clock.timed(lambda: [brier_score_loss(y, p), log_loss(y, p), roc_auc_score(y, p)])
    differences = np.abs(np.array(ours()) - np.array(theirs))
    yield clock.Line(
        "Brier score, log loss and AUC, from rows",
        clock.median(ours, times=3),
        "scikit-learn, one after the other",
        taken,
        agreement="differ by " + ", ".join(f"{value:.1e}" for value in differences) + " (AUC is known to the grid)",
    )


def smooth_error(stream: data.Stream) -> Iterator[clock.Line]:
    p, y = stream.scores, stream.labels
    made = summary.summarise(p, y)
    mine = smooth.smece(made)
    from_rows = clock.median(lambda: smooth.smece(summary.summarise(p, y)), times=3)
    if clock.installed("relplot"):
        import relplot

        taken, theirs = clock.timed(lambda: relplot.smECE(p, y))
        told = f"{getattr(mine, 'value', float('nan')):.5f} against {theirs:.5f}"
        yield clock.Line("smECE, from rows", from_rows, "relplot smECE", taken, agreement=told)
    yield clock.Line(
        "smECE, from a summary", clock.median(lambda: smooth.smece(made)), goal=clock.Goal("at_most", 0.010)
    )


def bootstrap(stream: data.Stream) -> Iterator[clock.Line]:
    """1,000 bootstraps of ECE at a million rows; of the peer, ten are run and multiplied."""
    part = stream.first(1_000_000)
    p, y = part.scores, part.labels
    made = summary.summarise(p, y)

    def ours() -> object:
        return resampling.poisson_bootstrap(made, binned.ece, replicates=1_000, rng=np.random.default_rng(1))

    rng = np.random.default_rng(1)

    def rows() -> list[float]:
        values = []
        for _ in range(10):
            drawn = rng.integers(0, len(p), len(p))
            score, label = p[drawn], y[drawn]
            index = np.minimum((score * 10).astype(np.int64), 9)
            values.append(float(np.abs(np.bincount(index, score, 10) - np.bincount(index, label, 10)).sum() / len(p)))
        return values

    yield clock.Line(
        f"1,000 bootstraps of ECE at {len(p):,} rows, from a summary",
        clock.median(ours, times=3),
        "numpy: resample rows, bin, sum (ten runs times 100)",
        100.0 * clock.once(rows),
    )
