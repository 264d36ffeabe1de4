"""Many events as one Arrow table with a fixed schema: what is stored, sent between processes and joined."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from calibrant import errors
from calibrant.calibrators import canonical
from calibrant.events import columns as event_columns
from calibrant.events import refusals, times
from calibrant.events.label import Label
from calibrant.events.prediction import Prediction

_DIGEST = pa.binary(16)

#: Columns of a prediction batch; ``cohorts`` and ``context`` are canonical JSON objects.
PREDICTIONS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("at_us", pa.int64(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("served", pa.float64()),
        pa.field("artifact", pa.string()),
        pa.field("threshold", pa.float64()),
        pa.field("decision", pa.string()),
        pa.field("arm", pa.string()),
        pa.field("unit", pa.string()),
        pa.field("cohorts", pa.string(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("context", pa.string(), nullable=False),
        pa.field("trace", pa.string()),
        pa.field("digest", _DIGEST, nullable=False),
    ]
)
#: Columns of a label batch.
LABELS = pa.schema(
    [
        pa.field("prediction", pa.string(), nullable=False),
        pa.field("at_us", pa.int64(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("observed_us", pa.int64()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("revision", pa.int64(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("propensity", pa.float64()),
        pa.field("digest", _DIGEST, nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class PredictionBatch:
    """Predictions as a table of the schema ``PREDICTIONS``."""

    table: pa.Table

    def __post_init__(self) -> None:
        _refuse_other(self.table, PREDICTIONS)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @classmethod
    def of(cls, predictions: Iterable[Prediction]) -> PredictionBatch:
        """From values, as they are: neither masked nor compared with a stream."""
        return of_predictions(prediction_columns(predictions))

    def events(self) -> Iterator[Prediction]:
        """Each row as a value."""
        for row in self.table.to_pylist():
            row["at"] = times.of_us(row.pop("at_us"))
            row["cohorts"], row["context"] = json.loads(row["cohorts"]), json.loads(row["context"])
            del row["digest"]
            yield Prediction(**row)


@dataclass(frozen=True, slots=True)
class LabelBatch:
    """Labels as a table of the schema ``LABELS``."""

    table: pa.Table

    def __post_init__(self) -> None:
        _refuse_other(self.table, LABELS)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @classmethod
    def of(cls, labels: Iterable[Label]) -> LabelBatch:
        """From values, as they are: not compared with a stream."""
        return of_labels(label_columns(labels))

    def events(self) -> Iterator[Label]:
        """Each row as a value."""
        for row in self.table.to_pylist():
            observed = row.pop("observed_us")
            row["at"], row["observed"] = (
                times.of_us(row.pop("at_us")),
                None if observed is None else times.of_us(observed),
            )
            del row["digest"]
            yield Label(**row)


B = TypeVar("B", PredictionBatch, LabelBatch)


@dataclass(frozen=True, slots=True)
class Parsed(Generic[B]):
    """What became of ``items`` input items.

    ``positions`` are the input places of the batch's rows, counted from 0 over the whole input (lines, for JSON
    lines); with the places of the rejected ones they are all items. ``first`` is the place where this part of the
    input begins, ``end`` the number of input bytes read up to its end.
    """

    batch: B
    positions: NDArray[np.int64]
    rejected: tuple[refusals.Rejected, ...]
    items: int
    first: int = 0
    end: int = 0


def _refuse_other(table: pa.Table, schema: pa.Schema) -> None:
    if table.schema.remove_metadata() != schema:
        raise errors.ColumnError(
            "CAL-220",
            "the table has not the columns of an event batch",
            cause="names, order, types and nullability must be those of the schema",
            fix="build it with PredictionBatch.of or LabelBatch.of, or read it with wire_arrow",
        )


def prediction_columns(predictions: Iterable[Prediction]) -> event_columns.Predictions:
    """Values as columns."""
    rows = list(predictions)
    context = [canonical.dumps(dict(row.context)).decode() for row in rows]
    return event_columns.Predictions(
        id=[row.id for row in rows],
        at_us=np.array([times.to_us(row.at) for row in rows], dtype=np.int64),
        score=numbers([row.score for row in rows]),
        model=[row.model for row in rows],
        served=numbers([row.served for row in rows]),
        artifact=[row.artifact for row in rows],
        threshold=numbers([row.threshold for row in rows]),
        decision=[row.decision for row in rows],
        arm=[row.arm for row in rows],
        unit=[row.unit for row in rows],
        cohorts=[canonical.dumps(dict(row.cohorts)).decode() for row in rows],
        weight=numbers([row.weight for row in rows]),
        context=context,
        trace=[row.trace for row in rows],
    )


def columns_of(table: pa.Table) -> event_columns.Predictions:
    """The columns of a table of predictions, to be changed and made a batch again."""
    return event_columns.Predictions(**plain_columns(table, {"at_us", "score", "served", "threshold", "weight"}))


def plain_columns(table: pa.Table, numeric: Set[str]) -> dict[str, Any]:
    """Arrays and lists by name, but for the digest; a column that nobody sent is None, a missing number NaN."""
    return {
        name: None
        if table.num_rows and table[name].null_count == table.num_rows
        else table[name].to_numpy()
        if name in numeric
        else table[name].to_pylist()
        for name in table.column_names
        if name != "digest"
    }


def label_columns(labels: Iterable[Label]) -> event_columns.Labels:
    """Values as columns."""
    rows = list(labels)
    observed = [event_columns.NO_TIME if row.observed is None else times.to_us(row.observed) for row in rows]
    return event_columns.Labels(
        prediction=[row.prediction for row in rows],
        at_us=np.array([times.to_us(row.at) for row in rows], dtype=np.int64),
        value=numbers([row.value for row in rows]),
        observed_us=np.array(observed, dtype=np.int64),
        source=[row.source for row in rows],
        revision=np.array([row.revision for row in rows], dtype=np.int64),
        weight=numbers([row.weight for row in rows]),
        propensity=numbers([row.propensity for row in rows]),
    )


def numbers(values: list[float | None] | list[float]) -> NDArray[np.float64]:
    """Doubles with NaN where nothing was said; minus zero is zero, as it is in JSON's canonical form."""
    return np.array(values, dtype=np.float64) + 0.0


def of_predictions(columns: event_columns.Predictions) -> PredictionBatch:
    """Checked columns as a batch with digests."""
    n = len(columns.id)
    arrays: Mapping[str, Any] = {
        "id": columns.id,
        "at_us": columns.at_us,
        "score": columns.score,
        "model": columns.model or _repeat("", n),
        "served": _optional(columns.served, n),
        "artifact": _words(columns.artifact, n),
        "threshold": _optional(columns.threshold, n),
        "decision": _words(columns.decision, n),
        "arm": _words(columns.arm, n),
        "unit": _words(columns.unit, n),
        "cohorts": columns.cohorts or _repeat("{}", n),
        "weight": np.ones(n) if columns.weight is None else columns.weight,
        "context": columns.context or _repeat("{}", n),
        "trace": _words(columns.trace, n),
        "digest": columns.digests(),
    }
    return PredictionBatch(_table(arrays, PREDICTIONS))


def of_labels(columns: event_columns.Labels) -> LabelBatch:
    """Checked columns as a batch with digests."""
    n = len(columns.prediction)
    observed = columns.observed_us
    arrays: Mapping[str, Any] = {
        "prediction": columns.prediction,
        "at_us": columns.at_us,
        "value": columns.value,
        "observed_us": pa.nulls(n, pa.int64())
        if observed is None
        else pa.array(observed, mask=observed == event_columns.NO_TIME),
        "source": columns.source or _repeat("", n),
        "revision": np.zeros(n, dtype=np.int64) if columns.revision is None else columns.revision,
        "weight": np.ones(n) if columns.weight is None else columns.weight,
        "propensity": _optional(columns.propensity, n),
        "digest": columns.digests(),
    }
    return LabelBatch(_table(arrays, LABELS))


def _table(arrays: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    made = [
        column if isinstance(column, pa.Array) else pa.array(column, type=field.type)
        for field, column in zip(schema, arrays.values(), strict=True)
    ]
    return pa.Table.from_arrays(made, schema=schema)


def _optional(column: NDArray[np.float64] | None, n: int) -> pa.Array:
    return pa.nulls(n, pa.float64()) if column is None else pa.array(column, mask=np.isnan(column))


def _words(column: list[str | None] | None, n: int) -> pa.Array:
    return pa.nulls(n, pa.string()) if column is None else pa.array(column, type=pa.string())


def _repeat(text: str, n: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), n)
