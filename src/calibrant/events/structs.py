"""The members of the two events as they stand in JSON, and rows of them as columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from calibrant.events import batch, columns

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Text = str | UnsetType | None
Number = float | UnsetType | None


class Prediction(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A prediction in JSON; null and absent mean the same."""

    id: str
    at: Instant
    score: float
    model: Text = UNSET
    served: Number = UNSET
    artifact: Text = UNSET
    threshold: Number = UNSET
    decision: Text = UNSET
    arm: Text = UNSET
    unit: Text = UNSET
    cohorts: dict[str, str] | UnsetType | None = UNSET
    weight: Number = UNSET
    context: dict[str, str | float | int | bool | None] | UnsetType | None = UNSET
    trace: Text = UNSET


class Label(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A label in JSON; null and absent mean the same."""

    prediction: str
    value: float
    at: Instant
    observed: Instant | UnsetType | None = UNSET
    source: Text = UNSET
    revision: int | UnsetType | None = UNSET
    weight: Number = UNSET
    propensity: Number = UNSET


class Tally:
    """How many JSON strings (keys and text values) the rows must have had, if no key came twice.

    Every JSON string has two quotes, and the decoder keeps the last of two equal keys: more quotes in the input than
    the rows account for mean that a key came twice, somewhere.
    """

    def __init__(self) -> None:
        self.strings = 0

    def keys(self, sent: int, text: int = 0) -> None:
        self.strings += sent + text


def prediction_columns(
    rows: Sequence[Prediction], tally: Tally
) -> tuple[columns.Predictions, list[Any] | None, list[Any] | None]:
    """Columns, cohorts and contexts of the rows."""
    n = len(rows)
    tally.keys(3 * n, 2 * n)
    cohorts, contexts = _mappings(rows, "cohorts", tally), _mappings(rows, "context", tally)
    model = _texts(rows, "model", tally)
    return (
        columns.Predictions(
            id=_all(rows, "id"),
            at_us=_times(_all(rows, "at")),
            score=batch.numbers(_all(rows, "score")),
            model=None if model is None else [text or "" for text in model],
            served=_numbers(rows, "served", tally),
            artifact=_texts(rows, "artifact", tally),
            threshold=_numbers(rows, "threshold", tally),
            decision=_texts(rows, "decision", tally),
            arm=_texts(rows, "arm", tally),
            unit=_texts(rows, "unit", tally),
            cohorts=None,
            weight=_filled(_numbers(rows, "weight", tally), 1.0),
            context=None,
            trace=_texts(rows, "trace", tally),
        ),
        cohorts,
        contexts,
    )


def label_columns(rows: Sequence[Label], tally: Tally) -> columns.Labels:
    """Columns of the rows."""
    n = len(rows)
    tally.keys(3 * n, 2 * n)
    source = _texts(rows, "source", tally)
    observed = _told(rows, "observed", tally, text=True)
    return columns.Labels(
        prediction=_all(rows, "prediction"),
        at_us=_times(_all(rows, "at")),
        value=batch.numbers(_all(rows, "value")),
        observed_us=None if observed is None else _times(observed),
        source=None if source is None else [text or "" for text in source],
        revision=_revisions(_told(rows, "revision", tally)),
        weight=_filled(_numbers(rows, "weight", tally), 1.0),
        propensity=_numbers(rows, "propensity", tally),
    )


def _all(rows: Sequence[Any], name: str) -> list[Any]:
    return list(map(attrgetter(name), rows))


def _told(rows: Sequence[Any], name: str, tally: Tally, *, text: bool = False) -> list[Any] | None:
    """Values with None where nothing was sent, or None when nobody sent any."""
    values = _all(rows, name)
    unset = values.count(UNSET)
    sent = len(values) - unset
    if not sent:
        return None
    if unset:
        values = [None if value is UNSET else value for value in values]
    tally.keys(sent, len(values) - values.count(None) if text else 0)
    return values


def _texts(rows: Sequence[Any], name: str, tally: Tally) -> list[str | None] | None:
    return _told(rows, name, tally, text=True)


def _numbers(rows: Sequence[Any], name: str, tally: Tally) -> NDArray[np.float64] | None:
    values = _told(rows, name, tally)
    return None if values is None else batch.numbers(values)


def _filled(column: NDArray[np.float64] | None, otherwise: float) -> NDArray[np.float64] | None:
    return None if column is None else np.where(np.isnan(column), otherwise, column)


def _mappings(rows: Sequence[Any], name: str, tally: Tally) -> list[Any] | None:
    values = _told(rows, name, tally)
    if values is not None:
        held = list(chain.from_iterable(map(dict.values, filter(None, values))))
        tally.keys(len(held), list(map(type, held)).count(str))
    return values


def _times(values: list[Any]) -> NDArray[np.int64]:
    """Microseconds since 1970; ``NO_TIME`` where nothing was sent."""
    array = pa.array(values, pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return np.asarray(array.fill_null(columns.NO_TIME).to_numpy(), dtype=np.int64)


def _revisions(values: list[int | None] | None) -> NDArray[np.int64] | None:
    """Whole numbers, cut off at the ends of 64 bits, which are refused as what lies beyond them would be."""
    if values is None:
        return None
    return np.array([0 if one is None else max(min(one, 2**63 - 1), -1) for one in values], dtype=np.int64)
