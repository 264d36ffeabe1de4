"""Tables and files where they lie: the query runs there, and only the summary comes back.

An engine is whoever can answer a question about two tables; ``calibrant.integrations`` has one file for each.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import narwhals as nw
import pyarrow as pa

from calibrant import errors
from calibrant.calibrators.scales import Scale
from calibrant.joining import caps, collected, contract, expression, joined, sql
from calibrant.streams import declaration

#: What a mapping calls the columns, and what the expression calls them.
MEMBERS = {
    "predictions": {"id": "id", "at": "at_us", "score": "score", "model": "model", "weight": "weight"},
    "labels": {
        "prediction": "prediction", "at": "at_us", "value": "value", "source": "source", "revision": "revision",
        "weight": "weight", "propensity": "propensity",
    },
}  # fmt: skip
REQUIRED = {"predictions": ("id", "at", "score"), "labels": ("prediction", "at", "value")}


class Engine(Protocol):
    """Where the tables lie."""

    def columns(self, table: str) -> Mapping[str, bool]:
        """The columns of a table, or of files, and for each whether it holds whole numbers."""
        ...

    def answer(self, question: sql.Question, predictions: sql.Selected, labels: sql.Selected) -> pa.Table:
        """Put a question to the two tables, as the selections map them."""
        ...


def join(
    source: declaration.TableSource,
    *,
    engine: Engine,
    rule: declaration.LabelContract,
    as_of_us: int,
    cohorts: Sequence[declaration.CohortField] = (),
    kept: caps.Kept | None = None,
    scale: Scale = Scale(),
    target: declaration.Target = "probability",
    weighting: contract.Weighting = "plain",
    start_us: int | None = None,
    end_us: int | None = None,
    clocks: Mapping[str, sql.Clock] | None = None,
    unique_ids: bool = False,
) -> joined.Joined:
    """``reference.join`` of the tables of a source, done by its engine.

    Columns of times that hold whole numbers are microseconds unless ``clocks`` says otherwise, by member:
    ``{"labels.at": "s"}``. ``unique_ids`` leaves out the check that no prediction comes twice.

    Raises ColumnError when a column that is needed is not there.
    """
    fields = [one.field for one in cohorts]
    predictions, labels = selected(source, engine=engine, fields=fields, clocks=clocks or {})
    plan = expression.Plan(
        rule, as_of_us, (None,) * len(fields), scale, target, weighting, start_us, end_us, unique_ids
    )
    ask = functools.partial(_numbers, engine, predictions, labels)
    chosen: dict[str, tuple[str, ...] | None] = {}
    overflow: dict[str, int] = {}
    for place, one in enumerate(cohorts):
        chosen[one.field] = (
            kept[one.field] if kept is not None else _most_frequent(engine, predictions, labels, plan, place, one.cap)
        )
        overflow[one.field] = _overflow(ask, plan, place, chosen[one.field])
    plan = expression.Plan(
        rule, as_of_us, tuple(chosen[name] for name in fields), scale, target, weighting, start_us, end_us, unique_ids
    )
    groups = engine.answer(functools.partial(expression.summed, plan=plan), predictions, labels)
    future, every, invalid = ask(functools.partial(expression.totals, plan=plan))
    return collected.collect(
        groups, plan=plan, fields=fields, kept=chosen, overflow=overflow, totals=(future, every, invalid)
    )


def selected(
    source: declaration.TableSource,
    *,
    engine: Engine,
    fields: Sequence[str] = (),
    clocks: Mapping[str, sql.Clock] | None = None,
) -> tuple[sql.Selected, sql.Selected]:
    """The two selections of a source: mapped columns, and those that have the member's own name."""
    both = []
    for name, table in (("predictions", source.predictions), ("labels", source.labels)):
        present = engine.columns(table)
        found = dict(_found(name, source.columns, present, fields if name == "predictions" else ()))
        missing = [member for member in REQUIRED[name] if MEMBERS[name][member] not in found]
        if missing:
            raise errors.ColumnError(
                "CAL-214",
                f"{table} has no column for {name}.{missing[0]}",
                cause="its columns are " + ", ".join(list(present)[:40]),
                fix=f"map it under source.columns: {name}.{missing[0]}: NAME_OF_THE_COLUMN",
            )
        units: dict[str, sql.Clock] = {}
        for column in ("at_us", "received_us"):
            if column in found:
                told = (clocks or {}).get(f"{name}.{column.removesuffix('_us')}")
                units[column] = told or ("us" if present[found[column]] else "timestamp")
        both.append(sql.Selected(table, found, units))
    return both[0], both[1]


def _found(
    name: str, mapped: Mapping[str, str], present: Mapping[str, bool], fields: Sequence[str]
) -> Iterator[tuple[str, str]]:
    members = {**MEMBERS[name], "received": "received_us"}
    cohorts = {f"cohorts.{field}": f"cohort_{place}" for place, field in enumerate(fields)}
    for member, column in {**members, **cohorts}.items():
        told = mapped.get(f"{name}.{member}")
        if told is not None and told not in present:
            raise errors.ColumnError(
                "CAL-215",
                f"there is no column {told!r}",
                cause=f"{name}.{member} is mapped to it; there are " + ", ".join(list(present)[:40]),
                fix="correct the mapping",
            )
        own = [told] if told is not None else [member.removeprefix("cohorts."), column]
        place = next((one for one in own if one in present), None)
        if place is not None:
            yield column, place
        elif member in cohorts:
            raise errors.ColumnError(
                "CAL-216",
                f"there is no column for the cohort field {member.removeprefix('cohorts.')!r}",
                cause="there are " + ", ".join(list(present)[:40]),
                fix=f"map it under source.columns: predictions.{member}: NAME_OF_THE_COLUMN",
            )


def mapped(frame: Any, selected: sql.Selected, names: Sequence[str]) -> Any:
    """The columns of a data frame under the expression's names and types: what ``sql.selection`` is for SQL."""
    found = nw.from_native(frame)
    schema = found.collect_schema()
    columns = []
    for name in names:
        kind = sql.KINDS.get(name, "VARCHAR")
        own = selected.columns.get(name)
        if name == "received_us" and own is None:
            own = selected.columns["at_us"] if "value" in selected.columns else None
            if own is None:
                columns.append(nw.lit(0).cast(nw.Int64).alias(name))
                continue
        if own is None:
            columns.append(nw.lit(None).cast(_dtype(kind)).alias(name))
        elif name in ("at_us", "received_us"):
            columns.append(_microseconds(nw.col(own), schema[own], selected.clocks.get(name)).alias(name))
        else:
            columns.append(nw.col(own).cast(_dtype(kind)).alias(name))
    return found.select(*columns)


def _microseconds(column: nw.Expr, kind: Any, clock: sql.Clock | None) -> nw.Expr:
    if isinstance(kind, nw.Datetime):
        return column.dt.timestamp("us").cast(nw.Int64)
    return column.cast(nw.Int64) * (1 if clock is None or clock == "timestamp" else sql.FACTOR[clock])


def _dtype(kind: str) -> Any:
    return {"BIGINT": nw.Int64, "DOUBLE": nw.Float64, "VARCHAR": nw.String}[kind]


def _numbers(
    engine: Engine, predictions: sql.Selected, labels: sql.Selected, question: sql.Question
) -> tuple[int, ...]:
    """A question whose answer is one row of whole numbers; a sum over no rows is 0."""
    row = engine.answer(question, predictions, labels)
    return tuple(int(row[name][0].as_py() or 0) for name in row.column_names)


def _most_frequent(
    engine: Engine, predictions: sql.Selected, labels: sql.Selected, plan: expression.Plan, place: int, cap: int
) -> tuple[str, ...] | None:
    field = plan.fields[place]

    def most(left: Any, _labels: Any) -> Any:
        counted = expression.frequencies(left, plan, place).filter(nw.col(field) != caps.OTHER)
        return counted.sort("n", field, descending=[True, False]).head(cap + 1)

    found = engine.answer(most, predictions, labels)
    values = found[field].to_pylist()
    return caps.most_frequent(zip(values, (int(n) for n in found["n"].to_pylist()), strict=True), cap)


def _overflow(ask: Any, plan: expression.Plan, place: int, kept: tuple[str, ...] | None) -> int:
    """Predictions whose value is not kept."""
    if kept is None:
        return 0
    field = plan.fields[place]
    (found,) = ask(
        lambda left, _labels: (
            expression.frequencies(left, plan, place)
            .filter(~nw.col(field).is_in([*kept, caps.OTHER]))
            .select(nw.col("n").sum())
        )
    )
    return int(found)
