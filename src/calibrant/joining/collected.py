"""What an engine sent back, a row for each model, cohort, state and cell, becomes the summary and the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from pyarrow import compute

from calibrant.joining import caps, expression, joined
from calibrant.stats import cohorts as stacked
from calibrant.stats import summary as summaries


def collect(
    groups: pa.Table,
    *,
    plan: expression.Plan,
    fields: Sequence[str],
    kept: caps.Kept,
    overflow: Mapping[str, int],
    totals: tuple[int, int, int],
) -> joined.Joined:
    """``totals`` are the future predictions, all labels and the unusable ones among them."""
    names = ("model", *fields)
    states = groups["state"].to_numpy().astype(np.int64)
    paired = pa.array(states <= joined.IMPLICIT)
    counts = _counts(groups, states, totals, overflow, window=plan.start_us is not None or plan.end_us is not None)
    cells = groups.filter(paired)
    if not cells.num_rows:
        return joined.Joined(joined.no_cohorts(names, "dyadic"), counts, plan.as_of_us, kept)
    keys = ["model", *plan.fields]
    # the pairs of one cell may be labelled or implicit: one cell all the same
    sums = ["n", *summaries.SUMS]
    cells = cells.group_by([*keys, "cell"], use_threads=False).aggregate([(name, "sum") for name in sums])
    cells = cells.sort_by([(key, "ascending") for key in (*keys, "cell")])
    change = np.zeros(cells.num_rows, bool)
    change[0] = True
    for key in keys:
        column = cells[key].combine_chunks()
        change[1:] |= compute.not_equal(column.slice(1), column.slice(0, len(column) - 1)).to_numpy(
            zero_copy_only=False
        )
    starts = np.flatnonzero(change)
    firsts = cells.select(keys).take(pa.array(starts))
    made = summaries.Summary(
        "dyadic",
        cells["cell"].to_numpy().astype(np.int64),
        cells["n_sum"].to_numpy().astype(np.int64),
        np.stack([cells[f"{name}_sum"].to_numpy().astype(np.float64) for name in summaries.SUMS]),
        starts.astype(np.int64),
    )
    made.check()
    named = tuple(zip(*(firsts[key].to_pylist() for key in keys), strict=True))
    return joined.Joined(stacked.Cohorts(names, named, made), counts, plan.as_of_us, kept)


def _counts(
    groups: pa.Table,
    states: np.ndarray[tuple[int], np.dtype[np.int64]],
    totals: tuple[int, int, int],
    overflow: Mapping[str, int],
    *,
    window: bool,
) -> joined.JoinCounts:
    n = np.bincount(states, groups["n"].to_numpy().astype(np.float64), len(joined.STATES) + 1).astype(np.int64)
    known = states != expression.CONFLICTING
    # copies count every repetition, and the first
    copies = groups["copies"].to_numpy().astype(np.float64) - known * groups["n"].to_numpy().astype(np.float64)
    # a sum over no value is missing, or 0: engines differ
    tally = {name: int(compute.fill_null(groups[name], 0).to_numpy()[known].sum()) for name in expression.TALLIES[1:]}
    future, labels, invalid = totals
    return joined.JoinCounts(
        predictions=int(n[: len(joined.STATES)].sum()),
        **dict(zip(joined.STATES, n.tolist(), strict=False)),
        future=future,
        duplicate_predictions=int(copies[known].sum()),
        conflicting_predictions=int(copies[~known].sum()),
        matched=tally["matched"],
        late=tally["late"],
        early=tally["early"],
        duplicate_labels=tally["repeated"],
        conflicting_labels=tally["contradicted"],
        labels=None if window else labels,
        invalid_labels=None if window else invalid,
        overflow=dict(overflow),
    )
