"""Signs that the future leaked into what is measured: findings with codes, never silent corrections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import compute

#: Examples that a finding names.
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """``code`` is stable; ``rows`` counts what was found, ``examples`` names some of it, in order of name."""

    code: str
    what: str
    rows: int
    examples: tuple[str, ...]
    fix: str


def findings(predictions: pa.Table, labels: pa.Table, *, as_of_us: int) -> tuple[Finding, ...]:
    """CAL-891: labels older than their prediction. CAL-892 and CAL-893: predictions and labels dated after as_of.

    Tables have the columns of ``events.batch``.
    """
    place = compute.index_in(labels["prediction"], value_set=predictions["id"].combine_chunks())
    known = compute.is_valid(place)
    owned = labels.filter(known)
    made = predictions["at_us"].take(place.filter(known))
    early = owned["prediction"].filter(compute.less(owned["at_us"], made))
    ahead = predictions["id"].filter(compute.greater(predictions["at_us"], as_of_us))
    later = labels["prediction"].filter(compute.greater(labels["at_us"], as_of_us))
    every = (
        _finding(
            "CAL-891", "the label was known before the prediction was made", early,
            fix="the score may have seen its outcome: correct the clocks, or leave these predictions out",
        ),
        _finding(
            "CAL-892", "the prediction is dated in the future", ahead,
            fix="correct the sender's clock; these predictions are not looked at",
        ),
        _finding(
            "CAL-893", "the label is dated in the future", later,
            fix="correct the sender's clock; a label cannot be older evidence than the answer that uses it",
        ),
    )  # fmt: skip
    return tuple(found for found in every if found is not None)


def shared_units(fit: pa.ChunkedArray | Sequence[str], validation: pa.ChunkedArray | Sequence[str]) -> Finding | None:
    """CAL-894: units that are on both sides of a split; None if there are none. Missing units count for nothing."""
    one, other = (
        compute.unique(
            side if isinstance(side, pa.Array | pa.ChunkedArray) else pa.array(list(side), pa.string())
        ).drop_null()
        for side in (fit, validation)
    )
    both = one.filter(compute.is_in(one, value_set=other))
    return _finding(
        "CAL-894", "the same unit is in the rows that were fitted and in those that validate", both,
        fix="split by unit, so that nobody is on both sides",
    )  # fmt: skip


def split_in_time(fit_at_us: pa.ChunkedArray, validation_at_us: pa.ChunkedArray) -> Finding | None:
    """CAL-895: rows that were fitted although they are younger than the first row that validates."""
    first = compute.min(validation_at_us).as_py()
    if first is None:
        return None
    younger = fit_at_us.filter(compute.greater_equal(fit_at_us, first)).cast(pa.string())
    return _finding(
        "CAL-895", "rows that were fitted are not older than those that validate", younger,
        fix="fit on the past and validate on what came after",
    )  # fmt: skip


def _finding(code: str, what: str, names: pa.ChunkedArray | pa.Array, *, fix: str) -> Finding | None:
    if not len(names):
        return None
    unique = compute.unique(names)
    some = sorted(unique.take(compute.array_sort_indices(unique)[:EXAMPLES]).to_pylist())
    return Finding(code, what, len(names), tuple(some), fix)
