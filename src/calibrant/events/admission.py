"""The one door: columns of decoded events against the stream that declares them; what is good goes on as a batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from calibrant.events import batch as batches
from calibrant.events import columns as event_columns
from calibrant.events import masking, prediction, refusals, texts, times
from calibrant.events.label import LAST_REVISION, Label
from calibrant.events.prediction import Prediction
from calibrant.events.refusals import Refusal, Refused, Rejected
from calibrant.streams import declaration

Context = Mapping[str, prediction.Scalar]
Bad = dict[int, tuple[Refusal, str]]
#: Different cohorts whose text is remembered.
REMEMBERED = 1 << 16

C = TypeVar("C", event_columns.Predictions, event_columns.Labels)


@dataclasses.dataclass(frozen=True, slots=True)
class Items:
    """Where the rows come from: their input places, what was refused before, how many items there were."""

    places: Sequence[int] | NDArray[np.int64]
    rejected: Sequence[Rejected] = ()
    first: int = 0
    end: int = 0


class Admission:
    """One stream's conditions, made ready once and applied to many batches."""

    def __init__(self, stream: declaration.Stream, *, hmac_key: bytes | None = None) -> None:
        self.stream = stream
        self._mask = masking.Mask(stream, hmac_key)
        self._fields = tuple((name, texts.quoted(name) + ":") for name in sorted(stream.cohort_fields))
        self._known: dict[tuple[tuple[str, str], ...], str | None] = {}

    def predictions(
        self,
        columns: event_columns.Predictions,
        cohorts: Sequence[Mapping[str, str] | None] | None,
        contexts: Sequence[Context | None] | None,
        items: Items,
        bad: Bad | None = None,
    ) -> batches.Parsed[batches.PredictionBatch]:
        """Check, mask, digest. ``cohorts`` and ``contexts`` become the columns of that name.

        ``bad`` are rows that the reader has already found wrong; their columns hold anything.
        """
        bad = {} if bad is None else bad
        low, high = self.stream.scale.range
        _texts(bad, "id", columns.id)
        _time(bad, "at", columns.at_us)
        _number(bad, "score", columns.score, low, high)
        _texts(bad, "model", columns.model, empty=True)
        _number(bad, "served", columns.served, 0.0, 1.0)
        _number(bad, "threshold", columns.threshold, -np.inf, np.inf)
        _number(bad, "weight", columns.weight, 0.0, np.inf, above=True)
        for name in prediction.TEXTS:
            _texts(bad, name, getattr(columns, name))
        if cohorts is not None:
            columns.cohorts = [self._cohorts(bad, row, sent) for row, sent in enumerate(cohorts)]
        self._units(bad, columns, contexts)
        if contexts is not None:
            columns.context = [self._context(bad, row, sent) for row, sent in enumerate(contexts)]
        columns, places, rejected = _good(bad, columns, len(columns.id), items)
        batch = batches.of_predictions(columns)
        return batches.Parsed(batch, places, rejected, len(batch) + len(rejected), items.first, items.end)

    def labels(
        self, columns: event_columns.Labels, items: Items, bad: Bad | None = None
    ) -> batches.Parsed[batches.LabelBatch]:
        """Check, digest. ``bad`` as for predictions."""
        bad = {} if bad is None else bad
        _texts(bad, "prediction", columns.prediction)
        _time(bad, "at", columns.at_us)
        _number(bad, "value", columns.value, 0.0, 1.0)
        if self.stream.target == "probability":
            _mark(bad, "value", (columns.value != 0.0) & (columns.value != 1.0), refusals.OUT_OF_RANGE)
        if columns.observed_us is not None:
            _time(bad, "observed", columns.observed_us, columns.observed_us != event_columns.NO_TIME)
        _texts(bad, "source", columns.source, empty=True)
        if columns.revision is not None:
            _mark(bad, "revision", columns.revision > LAST_REVISION, refusals.NOT_A_NUMBER)
            _mark(bad, "revision", columns.revision < 0, refusals.OUT_OF_RANGE)
        _number(bad, "weight", columns.weight, 0.0, np.inf, above=True)
        _number(bad, "propensity", columns.propensity, 0.0, 1.0, above=True)
        columns, places, rejected = _good(bad, columns, len(columns.prediction), items)
        batch = batches.of_labels(columns)
        return batches.Parsed(batch, places, rejected, len(batch) + len(rejected), items.first, items.end)

    def prediction_values(self, predictions: Sequence[Prediction]) -> batches.Parsed[batches.PredictionBatch]:
        """Values made in Python, as if they had come over a wire."""
        columns = batches.prediction_columns(predictions)
        return self.predictions(
            columns,
            [one.cohorts for one in predictions],
            [one.context for one in predictions],
            Items(range(len(predictions))),
        )

    def label_values(self, labels: Sequence[Label]) -> batches.Parsed[batches.LabelBatch]:
        """Values made in Python, as if they had come over a wire."""
        return self.labels(batches.label_columns(labels), Items(range(len(labels))))

    def _units(self, bad: Bad, columns: event_columns.Predictions, contexts: Sequence[Context | None] | None) -> None:
        if not self._mask.touches_units or (columns.unit is None and contexts is None):
            return
        n = len(columns.id)
        sent = columns.unit or [None] * n
        units: list[str | None] = [None] * n
        for row, (unit, context) in enumerate(zip(sent, contexts or [None] * n, strict=True)):
            try:
                units[row] = self._mask.unit(unit, context) if row not in bad else None
            except Refused as refused:
                bad.setdefault(row, (refused.refusal, refused.path))
        columns.unit = units

    def _context(self, bad: Bad, row: int, context: Context | None) -> str:
        if not context:
            return "{}"
        try:
            return self._mask.text(context)
        except Refused as refused:
            bad.setdefault(row, (refused.refusal, refused.path))
            return "{}"

    def _cohorts(self, bad: Bad, row: int, cohorts: Mapping[str, str] | None) -> str:
        if not cohorts:
            return "{}"
        key = tuple(cohorts.items())
        try:
            text = self._known[key]
        except KeyError:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            text = self._known[key] = self._cohort_text(cohorts)
        if text is None:
            declared = cohorts.keys() <= set(self.stream.cohort_fields)
            bad.setdefault(row, (refusals.BAD_TEXT if declared else refusals.UNDECLARED_COHORT, "cohorts"))
            return "{}"
        return text

    def _cohort_text(self, cohorts: Mapping[str, str]) -> str | None:
        parts = [head + texts.quoted(cohorts[name]) for name, head in self._fields if name in cohorts]
        allowed = len(parts) == len(cohorts) and all(texts.allowed(value, empty=True) for value in cohorts.values())
        return "{" + ",".join(parts) + "}" if allowed else None


def _mark(bad: Bad, path: str, wrong: NDArray[np.bool_], refusal: Refusal) -> None:
    if wrong.any():
        for row in np.flatnonzero(wrong).tolist():
            bad.setdefault(row, (refusal, path))


def _texts(bad: Bad, path: str, column: Sequence[str | None] | None, *, empty: bool = False) -> None:
    if column is not None:
        for row in texts.refused(column, empty=empty):
            bad.setdefault(row, (refusals.BAD_TEXT, path))


def _time(bad: Bad, path: str, column: NDArray[np.int64], told: NDArray[np.bool_] | None = None) -> None:
    outside = (column < times.FIRST) | (column >= times.END)
    _mark(bad, path, outside if told is None else outside & told, refusals.TIME_RANGE)


def _number(
    bad: Bad, path: str, column: NDArray[np.float64] | None, low: float, high: float, *, above: bool = False
) -> None:
    """NaN means that nothing was sent: readers refuse a NaN that was."""
    if column is None:
        return
    _mark(bad, path, np.abs(column) > prediction.LARGEST, refusals.NOT_A_NUMBER)
    _mark(bad, path, (column < low) | (column > high) | ((column == low) & above), refusals.OUT_OF_RANGE)


def _good(bad: Bad, columns: C, n: int, items: Items) -> tuple[C, NDArray[np.int64], tuple[Rejected, ...]]:
    """The rows that are good with their places, and everything else in the order of the input."""
    places = np.asarray(items.places, dtype=np.int64)
    rejected = list(items.rejected)
    if bad:
        rejected += [Rejected.of(int(places[row]), *reason) for row, reason in bad.items()]
        keep = [row for row in range(n) if row not in bad]
        columns, places = _take(columns, keep), places[keep]
    rejected.sort(key=lambda one: one.index)
    return columns, places, tuple(rejected)


def _take(columns: C, rows: list[int]) -> C:
    taken: dict[str, Any] = {}
    for field in dataclasses.fields(columns):
        column = getattr(columns, field.name)
        if isinstance(column, list):
            taken[field.name] = [column[row] for row in rows]
        else:
            taken[field.name] = None if column is None else column[rows]
    return type(columns)(**taken)
