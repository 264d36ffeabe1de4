"""Arrow tables, and so Parquet files: columns of the fixed schema, or any others by a mapping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from calibrant import errors
from calibrant.events import batch as batches
from calibrant.events import columns as event_columns
from calibrant.events import refusals, strict_json, structs, times
from calibrant.events.admission import Admission, Bad, Items
from calibrant.events.refusals import Refused
from calibrant.streams import declaration

Tables: TypeAlias = "pa.Table | Iterable[pa.Table] | Iterable[pa.RecordBatch]"
#: Rows that are checked at once.
ROWS = 1 << 15
#: Columns that stores and batches add to the events' members.
OURS = ("digest", "received_us", "seq")


def read_predictions(
    tables: Tables,
    *,
    stream: declaration.Stream,
    columns: Mapping[str, str] | None = None,
    hmac_key: bytes | None = None,
) -> Iterator[batches.Parsed[batches.PredictionBatch]]:
    """Predictions out of tables. ``columns`` maps members to columns: ``{"score": "p", "cohorts.country": "land"}``.

    Members without an entry have their own name (``at_us`` or ``at`` for the time); without a mapping, unknown
    columns are an error. A column that is missing or of a wrong type is an exception; a bad row is not.
    """
    admission = Admission(stream, hmac_key=hmac_key)
    for first, table in _parts(tables):
        reader = _Reader(table, columns, structs.Prediction.__struct_fields__, ("cohorts", "context"))
        made = event_columns.Predictions(
            id=reader.required_texts("id"),
            at_us=reader.required_times("at"),
            score=reader.required_numbers("score"),
            model=reader.texts_or_empty("model"),
            served=reader.numbers("served"),
            artifact=reader.texts("artifact"),
            threshold=reader.numbers("threshold"),
            decision=reader.texts("decision"),
            arm=reader.texts("arm"),
            unit=reader.texts("unit"),
            cohorts=None,
            weight=reader.filled("weight", 1.0),
            context=None,
            trace=reader.texts("trace"),
        )
        cohorts, contexts = reader.mappings("cohorts"), reader.mappings("context")
        yield admission.predictions(made, cohorts, contexts, reader.items(first), reader.bad)


def read_labels(
    tables: Tables, *, stream: declaration.Stream, columns: Mapping[str, str] | None = None
) -> Iterator[batches.Parsed[batches.LabelBatch]]:
    """Labels, as ``read_predictions``."""
    admission = Admission(stream)
    for first, table in _parts(tables):
        reader = _Reader(table, columns, structs.Label.__struct_fields__, ())
        made = event_columns.Labels(
            prediction=reader.required_texts("prediction"),
            at_us=reader.required_times("at"),
            value=reader.required_numbers("value"),
            observed_us=reader.times("observed"),
            source=reader.texts_or_empty("source"),
            revision=reader.revisions("revision"),
            weight=reader.filled("weight", 1.0),
            propensity=reader.numbers("propensity"),
        )
        yield admission.labels(made, reader.items(first), reader.bad)


def _parts(tables: Tables) -> Iterator[tuple[int, pa.Table]]:
    first = 0
    for one in [tables] if isinstance(tables, pa.Table) else tables:
        table = pa.Table.from_batches([one]) if isinstance(one, pa.RecordBatch) else one
        for start in range(0, table.num_rows, ROWS):
            part = table.slice(start, ROWS)
            yield first, part
            first += part.num_rows


class _Reader:
    """Members out of the columns of one table; rows that are wrong are collected in ``bad``."""

    def __init__(
        self, table: pa.Table, mapping: Mapping[str, str] | None, members: Sequence[str], nested: Sequence[str]
    ) -> None:
        self.bad: Bad = {}
        self._table = table
        self._mapping = mapping or {}
        self._check_names(members, nested, strict=mapping is None)

    def items(self, first: int) -> Items:
        return Items(np.arange(first, first + self._table.num_rows), first=first)

    def required_texts(self, member: str) -> list[str]:
        return [text or "" for text in self._required(self.texts(member), member)]

    def required_numbers(self, member: str) -> NDArray[np.float64]:
        column: NDArray[np.float64] = self._required(self.numbers(member), member)
        return column

    def required_times(self, member: str) -> NDArray[np.int64]:
        column: NDArray[np.int64] = self._required(self.times(member), member)
        return np.where(column == event_columns.NO_TIME, 0, column)

    def texts(self, member: str) -> list[str | None] | None:
        column = self._column(member)
        if column is None:
            return None
        if column.null_count == len(column):
            return [None] * len(column)
        kind = column.type
        whole = pa.types.is_integer(kind) and member in ("id", "prediction", "unit")
        if not (whole or _is_text(kind)):
            raise _wrong_type(member, kind, "text")
        found: list[str | None] = column.cast(pa.string()).to_pylist()
        return found

    def texts_or_empty(self, member: str) -> list[str] | None:
        column = self.texts(member)
        return None if column is None else [text or "" for text in column]

    def numbers(self, member: str) -> NDArray[np.float64] | None:
        column = self._column(member)
        if column is None:
            return None
        kind = column.type
        if not (_is_number(kind) or pa.types.is_null(kind)):
            raise _wrong_type(member, kind, "a number")
        doubles = column.cast(pa.float64(), safe=False)
        self._mark(pc.and_kleene(pc.is_valid(doubles), pc.is_nan(doubles)), refusals.NOT_A_NUMBER, member)
        return np.asarray(doubles.fill_null(float("nan")).to_numpy(), dtype=np.float64) + 0.0

    def filled(self, member: str, otherwise: float) -> NDArray[np.float64] | None:
        column = self.numbers(member)
        return None if column is None else np.where(np.isnan(column), otherwise, column)

    def revisions(self, member: str) -> NDArray[np.int64] | None:
        column = self._column(member)
        if column is None:
            return None
        if not (pa.types.is_integer(column.type) or pa.types.is_null(column.type)):
            raise _wrong_type(member, column.type, "a whole number")
        large = column.cast(pa.int64(), safe=False)
        return np.asarray(large.fill_null(0).to_numpy(), dtype=np.int64)

    def times(self, member: str) -> NDArray[np.int64] | None:
        column = self._column(member)
        if column is None:
            return None
        kind = column.type
        if _is_text(kind):
            return self._written_times(column, member)
        if self._name(member).endswith("_us") and pa.types.is_integer(kind):
            found = column.cast(pa.int64())
        elif pa.types.is_timestamp(kind) and kind.tz is not None:
            found = column.cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64())
        elif pa.types.is_null(kind):
            found = column.cast(pa.int64())
        else:
            raise _wrong_type(member, kind, "a timestamp with a time zone, or microseconds in a column named …_us")
        return np.asarray(found.fill_null(event_columns.NO_TIME).to_numpy(), dtype=np.int64)

    def mappings(self, member: str) -> list[Any] | None:
        """Dictionaries out of JSON text, maps or structs, and out of columns mapped one by one."""
        column = self._column(member)
        singles = {
            name.partition(".")[2]: self._scalars(name) for name in self._mapping if name.startswith(f"{member}.")
        }
        if column is None and not singles:
            return None
        rows = [{}] * self._table.num_rows if column is None else self._dictionaries(column, member)
        if not singles:
            return rows
        return [
            held | {name: values[row] for name, values in singles.items() if values[row] is not None}
            for row, held in enumerate(rows)
        ]

    def _dictionaries(self, column: pa.ChunkedArray, member: str) -> list[dict[str, Any]]:
        kind = column.type
        if not (_is_text(kind) or pa.types.is_map(kind) or pa.types.is_struct(kind) or pa.types.is_null(kind)):
            raise _wrong_type(member, kind, "JSON text, a map or a struct")
        found: list[dict[str, Any]] = []
        for row, value in enumerate(column.to_pylist()):
            try:
                found.append(_dictionary(value, member))
            except Refused as refused:
                self.bad.setdefault(row, (refused.refusal, member))
                found.append({})
        return found

    def _scalars(self, member: str) -> list[Any]:
        """One cohort or context column; cohort values may be whole numbers, which become text."""
        column = self._column(member)
        assert column is not None, "the mapping names it"
        kind = column.type
        cohort = member.startswith("cohorts.")
        if _is_text(kind) or (cohort and pa.types.is_integer(kind)):
            return list(column.cast(pa.string()).to_pylist())
        if cohort or not (_is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
            raise _wrong_type(member, kind, "text" if cohort else "text, a number or a boolean")
        if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            column = column.cast(pa.float64(), safe=False)
        return list(column.to_pylist())

    def _written_times(self, column: pa.ChunkedArray, member: str) -> NDArray[np.int64]:
        found = np.full(len(column), event_columns.NO_TIME, dtype=np.int64)
        for row, text in enumerate(column.cast(pa.string()).to_pylist()):
            if text is not None:
                try:
                    found[row] = (times.parse(text, member) - times.EPOCH) // times.MICROSECOND
                except Refused as refused:
                    self.bad.setdefault(row, (refused.refusal, member))
        return found

    def _required(self, column: Any, member: str) -> Any:
        if column is None:
            raise errors.ColumnError(
                "CAL-221",
                f"there is no column for {member}",
                cause=f"the table has no column {self._name(member)!r}",
                fix=f"map it: columns={{{member!r}: 'NAME'}}",
            )
        nulls = self._column(member).is_null()  # type: ignore[union-attr]  # there is one
        self._mark(nulls, refusals.MISSING, member)
        return column

    def _mark(self, wrong: Any, refusal: refusals.Refusal, member: str) -> None:
        for row in np.flatnonzero(
            wrong.to_numpy(zero_copy_only=False) if isinstance(wrong, pa.Array) else wrong.to_numpy()
        ):
            self.bad.setdefault(int(row), (refusal, member))

    def _name(self, member: str) -> str:
        if member in self._mapping:
            return self._mapping[member]
        if member in ("at", "observed") and f"{member}_us" in self._table.column_names:
            return f"{member}_us"
        return member

    def _column(self, member: str) -> pa.ChunkedArray | None:
        name = self._name(member)
        if name not in self._table.column_names:
            return None
        column = self._table.column(name)
        return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column

    def _check_names(self, members: Sequence[str], nested: Sequence[str], *, strict: bool) -> None:
        names = self._table.column_names
        doubled = sorted({name for name in names if names.count(name) > 1})
        missing = sorted({column for column in self._mapping.values() if column not in names})
        strange = [
            member for member in self._mapping if member not in members and member.partition(".")[0] not in nested
        ]
        known = {*members, *nested, "at_us", "observed_us", *OURS}
        unknown = sorted(set(names) - known) if strict else []
        for found, what in (
            (doubled, "a column comes twice"),
            (missing, "a mapped column is not there"),
            (strange, "the mapping names a member that events do not have"),
            (unknown, "a column is no member of an event"),
        ):
            if found:
                raise errors.ColumnError(
                    "CAL-222",
                    what,
                    cause=", ".join(found[:5]),
                    fix="give a mapping of members to columns; with one, further columns are left alone",
                )


def _dictionary(value: Any, member: str) -> dict[str, Any]:
    match value:
        case None:
            return {}
        case str():
            found: dict[str, Any] = strict_json.READERS_BY_NAME[member](strict_json.loads(value.encode()), member)
            return found
        case list():
            pairs = dict(value)
            if len(pairs) < len(value):
                raise refusals.DUPLICATE_KEY.at(member)
            value = pairs
        case _:
            value = {name: held for name, held in value.items() if held is not None}
    checked: dict[str, Any] = strict_json.READERS_BY_NAME[member](value, member)
    return checked


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _wrong_type(member: str, kind: pa.DataType, wanted: str) -> errors.ColumnError:
    return errors.ColumnError(
        "CAL-223",
        f"the column for {member} has the wrong type",
        cause=f"it is {kind}, and {wanted} is needed",
        fix="cast it before; true and false are no numbers, and a time without a zone names no instant",
    )
