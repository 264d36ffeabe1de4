"""What diagnosis wants to know of the events of a window: who sent what, how late, in which arm, under which name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from calibrant.diagnosis import facts
from calibrant.joining import caps, reference
from calibrant.ports import event_log
from calibrant.streams import declaration
from calibrant.workflow import evidence_of_stream, partitions, status

_COLUMNS: Final = ("served", "decision", "threshold", "arm", "unit", "cohorts")


def gather(
    store: partitions.Reads,
    stream: declaration.Stream,
    matured: evidence_of_stream.Matured,
    *,
    start_us: int,
    end_us: int,
    now_us: int,
) -> facts.Events:
    """Read the window's predictions and labels once; ``matured`` holds the join of the same window."""
    known = status.status(store, stream, now_us=now_us, start_us=start_us, end_us=end_us)
    with store.snapshot() as reader:
        counts = reader.counts(stream.name)
        sent = _Sent(stream)
        for table in reader.predictions(stream.name, start_us=start_us, end_us=end_us, columns=list(_COLUMNS)):
            sent.add(table)
        compared, disagreeing = _sources(reader, stream.name, start_us, end_us)
        refused = reader.rejected(stream.name)
    recent = compute.sum(compute.greater_equal(refused["received_us"], start_us)).as_py()
    return facts.Events(
        now_us=now_us,
        join=matured.counts,
        labels=counts.labels,
        orphans=counts.orphans,
        rejected=int(recent or 0),
        first_at_us=counts.first_at_us,
        last_at_us=counts.last_at_us,
        last_label_us=counts.last_label_us,
        lag_us=dict(known.lag),
        coverage=matured.coverage,
        served=sent.served,
        decided=sent.decided,
        compared=compared,
        disagreeing=disagreeing,
        values=sent.values,
        overflow=_overflow(stream, matured),
        arms=sent.arms(),
        in_both_arms=sent.in_both_arms(),
    )


def _overflow(stream: declaration.Stream, matured: evidence_of_stream.Matured) -> dict[str, int]:
    """Pairs whose value of a field is past its cap."""
    rows = matured.pairs.summary.rows.tolist()
    return {
        one.field: sum(n for key, n in zip(matured.pairs.keys, rows, strict=True) if key[place] == caps.OTHER)
        for place, one in enumerate(stream.cohorts, 1)
    }


class _Sent:
    """Counts over the predictions of a window, table by table."""

    def __init__(self, stream: declaration.Stream) -> None:
        self._fields = stream.cohort_fields
        self.served = self.decided = 0
        self.values: dict[str, dict[str, int]] = {field: defaultdict(int) for field in self._fields}
        self._units: dict[str, set[str]] = defaultdict(set)
        self._mix: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, table: pa.Table) -> None:
        self.served += table.num_rows - table["served"].null_count
        known = compute.or_(compute.is_valid(table["decision"]), compute.is_valid(table["threshold"]))
        self.decided += int(compute.sum(known).as_py() or 0)
        encoded = list(zip(self._fields, reference.attributes(table["cohorts"], self._fields), strict=True))
        for field, (codes, words) in encoded:
            _count(codes, words, self.values[field])
        self._add_arms(table, encoded)

    def _add_arms(self, table: pa.Table, encoded: list[tuple[str, reference.Encoded]]) -> None:
        arms = table["arm"]
        for arm in compute.unique(arms.drop_null()).to_pylist():
            mine = compute.fill_null(compute.equal(arms, arm), fill_value=False)
            self._units[arm].update(table["unit"].filter(mine).drop_null().to_pylist())
            here = mine.to_numpy()
            for field, (codes, words) in encoded:
                found: dict[str, int] = defaultdict(int)
                _count(codes[here], words, found)
                for value, n in found.items():
                    self._mix[arm][f"{field}={value}"] += n

    def arms(self) -> tuple[facts.Arm, ...]:
        """The arms of a canary, by name; of the first cohort field only, since fields are counted one by one."""
        first = f"{self._fields[0]}=" if self._fields else None
        return tuple(
            facts.Arm(name, len(self._units[name]), _only(self._mix[name], first)) for name in sorted(self._units)
        )

    def in_both_arms(self) -> int:
        """Units that were seen in more than one arm."""
        seen: dict[str, int] = defaultdict(int)
        for units in self._units.values():
            for unit in units:
                seen[unit] += 1
        return sum(n > 1 for n in seen.values())


def _only(mix: Mapping[str, int], prefix: str | None) -> dict[str, int]:
    return {} if prefix is None else {name: n for name, n in mix.items() if name.startswith(prefix)}


def _count(codes: NDArray[np.int64], words: pa.Array, into: dict[str, int]) -> None:
    for place, n in enumerate(np.bincount(codes, minlength=len(words)).tolist()):
        if n:
            into[words[place].as_py()] += n


def _sources(reader: event_log.EventReader, stream: str, start_us: int, end_us: int) -> tuple[int, int]:
    """Predictions with labels of several sources, and those of them whose sources said different things."""
    tables = list(
        reader.labels(stream, start_us=start_us, end_us=end_us, columns=["prediction", "source", "revision", "value"])
    )
    if not tables or not sum(table.num_rows for table in tables):
        return 0, 0
    table = pa.concat_tables(tables).sort_by(
        [("prediction", "ascending"), ("source", "ascending"), ("revision", "ascending")]
    )
    # what a source said last counts
    last = table.group_by(["prediction", "source"], use_threads=False).aggregate([("value", "last")])
    found = last.group_by("prediction").aggregate([("source", "count"), ("value_last", "min"), ("value_last", "max")])
    several = compute.greater(found["source_count"], 1)
    apart = compute.not_equal(found["value_last_min"], found["value_last_max"])
    return int(compute.sum(several).as_py() or 0), int(compute.sum(compute.and_(several, apart)).as_py() or 0)
