"""The declaration of one stream as frozen values, checked when they are made."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from calibrant.calibrators.scales import Scale
from calibrant.streams import bounds
from calibrant.streams.bounds import Bounds, Problem
from calibrant.streams.policies import Policies

Target = Literal["probability", "rate"]
Conflicts = Literal["last_revision", "labeler_priority", "majority_vote", "reject"]
Partition = Literal["day", "hour"]
Engine = Literal[
    "bigquery", "clickhouse", "databricks", "duckdb", "files", "polars", "postgres", "snowflake", "spark", "trino"
]
CENTURY = timedelta(days=36_525)

#: What a table's columns can be mapped to: the members of events, and when a row reached the table (``received``);
#: ``cohorts.NAME`` and ``context.NAME`` come on top.
PREDICTION_COLUMNS = (
    "id", "at", "score", "model", "served", "artifact", "threshold", "decision", "arm", "unit", "weight", "trace",
    "received",
)  # fmt: skip
LABEL_COLUMNS = ("prediction", "value", "at", "observed", "source", "revision", "weight", "propensity", "received")


class _Checked:
    """A value that refuses to exist with a problem."""

    __slots__ = ()

    def __post_init__(self) -> None:
        refuse(self.problems())

    def problems(self) -> Iterator[Problem]:
        yield from bounds.problems(self)


def refuse(problems: Iterable[Problem]) -> None:
    """Raise the first problem, if there is one."""
    for problem in problems:
        raise problem.error()


@dataclass(frozen=True, slots=True)
class LabelContract(_Checked):
    """When an outcome is known, and what counts when there are several of them or none."""

    horizon: Annotated[
        timedelta, Bounds("A label counts when it is dated at most this long after its prediction.", longest=CENTURY)
    ]
    implicit_negative: Annotated[bool, Bounds("No label by the horizon means 0 (and is marked as such).")] = False
    terminal: Annotated[
        tuple[float, ...], Bounds("Label values that are final: they end the wait for the horizon.", items=16)
    ] = ()
    conflicts: Annotated[Conflicts, Bounds("Which label counts when one prediction has several.")] = "last_revision"
    priority: Annotated[
        tuple[str, ...], Bounds("Label sources, best first; for conflicts: labeler_priority.", items=100, most=200)
    ] = ()
    orphans: Annotated[
        timedelta, Bounds("How long a label may wait for its prediction to arrive.", longest=CENTURY)
    ] = timedelta(days=7)

    def problems(self) -> Iterator[Problem]:
        yield from bounds.problems(self)
        if self.conflicts == "labeler_priority" and not self.priority:
            yield Problem(
                "CAL-808",
                "an order of label sources is missing",
                path="priority",
                cause="conflicts is labeler_priority, which picks the first source of that order",
                fix="list the sources, best first",
            )
        if self.conflicts != "labeler_priority" and self.priority:
            yield Problem(
                "CAL-808",
                "the order of label sources has no effect",
                path="priority",
                cause="it is used for conflicts: labeler_priority alone",
                fix="choose that policy or remove the list",
            )
        yield from _twice("priority", self.priority, "source")


@dataclass(frozen=True, slots=True)
class CohortField(_Checked):
    """A cohort attribute that predictions carry; values past the cap are counted together as ``__other__``."""

    field: Annotated[str, Bounds("The attribute's name in the event's cohorts.", pattern=bounds.FIELD)]
    cap: Annotated[int, Bounds("The largest number of different values kept apart.", above=0, most=1_000_000)] = 1_000


@dataclass(frozen=True, slots=True)
class ContextPolicy(_Checked):
    """Which context members are kept: as they are, as a keyed hash, or not at all. What is not listed is dropped."""

    allow: Annotated[tuple[str, ...], Bounds("Kept as they are.", pattern=bounds.FIELD, items=64)] = ()
    hmac: Annotated[
        tuple[str, ...], Bounds("Kept as HMAC-SHA256 with your key: identifiers.", pattern=bounds.FIELD, items=64)
    ] = ()
    drop: Annotated[
        tuple[str, ...],
        Bounds("Dropped on purpose: says that somebody thought about it.", pattern=bounds.FIELD, items=64),
    ] = ()
    max_bytes: Annotated[int, Bounds("The largest size of the kept members as JSON.", above=0, most=2048)] = 2048

    def problems(self) -> Iterator[Problem]:
        yield from bounds.problems(self)
        seen: dict[str, str] = {}
        for name in ("allow", "hmac", "drop"):
            for index, member in enumerate(getattr(self, name)):
                if member in seen:
                    yield Problem(
                        "CAL-809",
                        "a context member is listed twice",
                        path=f"{name}[{index}]",
                        cause=f"{member!r} is already in {seen[member]}",
                        fix="keep it in one list",
                    )
                seen[member] = name


@dataclass(frozen=True, slots=True)
class Managed(_Checked):
    """Events come to Calibrant and are kept in its store."""

    type: ClassVar[str] = "managed"


@dataclass(frozen=True, slots=True)
class TableSource(_Checked):
    """Events already lie in tables or files of an engine; nothing is copied."""

    type: ClassVar[str] = "table"

    engine: Annotated[Engine, Bounds("Where the tables lie and the query runs.")]
    predictions: Annotated[str, Bounds("The table or file pattern that holds the predictions.", most=1000)]
    labels: Annotated[str, Bounds("The table or file pattern that holds the labels.", most=1000)]
    columns: Annotated[
        Mapping[str, str], Bounds("Event member -> column, where the names differ: predictions.score: p_fraud.")
    ] = field(default_factory=lambda: types.MappingProxyType({}))

    def __post_init__(self) -> None:
        refuse(self.problems())
        object.__setattr__(self, "columns", types.MappingProxyType(dict(self.columns)))

    def problems(self) -> Iterator[Problem]:
        yield from bounds.problems(self)
        for name in ("predictions", "labels"):
            if not getattr(self, name).strip():
                yield Problem(
                    "CAL-810", "the name of the table is empty", path=name, cause="nothing can be read", fix="name it"
                )
        if isinstance(self.columns, Mapping):
            yield from (problem for member, column in self.columns.items() for problem in _column(member, column))


@dataclass(frozen=True, slots=True)
class Stream(_Checked):
    """One flow of scores from one decision point."""

    name: Annotated[str, Bounds("Unique; also part of paths and addresses.", pattern=bounds.NAME)]
    labels: Annotated[LabelContract, Bounds("When an outcome is known.")]
    target: Annotated[Target, Bounds("What the score promises: the probability of an event, or a share in [0, 1].")] = (
        "probability"
    )
    scale: Annotated[Scale, Bounds("How raw scores are scaled: probability, percent, logit or unbounded:0,1.")] = (
        Scale()
    )
    cohorts: Annotated[tuple[CohortField, ...], Bounds("Groups that are looked at one by one.", items=32)] = ()
    unit: Annotated[
        str | None, Bounds("What a label attaches to: the context member that names it.", pattern=bounds.FIELD)
    ] = None
    context: Annotated[ContextPolicy, Bounds("What else of an event is kept.")] = ContextPolicy()
    retention: Annotated[timedelta | None, Bounds("Events older than this are deleted.", longest=CENTURY)] = None
    partition: Annotated[Partition, Bounds("The grain of time in which summaries are kept.")] = "day"
    sampling: Annotated[float, Bounds("The share of predictions that is sent at all.", above=0, most=1)] = 1.0
    owner: Annotated[str, Bounds("The team that answers for this stream.", most=200)] = ""
    runbook: Annotated[str, Bounds("What to do when it alarms: an address.", most=2000)] = ""
    description: Annotated[str, Bounds("What is decided with these scores.", most=4000)] = ""
    policies: Annotated[Policies, Bounds("What is done about it without asking.")] = Policies()
    source: Annotated[Managed | TableSource, Bounds("Where the events are.")] = Managed()

    def problems(self) -> Iterator[Problem]:
        yield from bounds.problems(self)
        yield from _twice("cohorts", [one.field for one in self.cohorts], "cohort field")
        for index, value in enumerate(self.labels.terminal):
            if not allowed_label(self.target, value):
                yield Problem(
                    "CAL-807",
                    "a terminal value that no label can have",
                    path=f"labels.terminal[{index}]",
                    cause=f"labels of a {self.target} are "
                    + ("0 or 1" if self.target == "probability" else "in [0, 1]"),
                    fix="give a value that labels have",
                )
        if self.retention is not None and self.retention < self.labels.horizon:
            yield Problem(
                "CAL-812",
                "predictions would be deleted before their labels can come",
                path="retention",
                cause=f"it is {self.retention}, and the label horizon is {self.labels.horizon}",
                fix="keep events longer than the horizon",
            )

    @property
    def cohort_fields(self) -> tuple[str, ...]:
        """The declared names, in order."""
        return tuple(one.field for one in self.cohorts)


def allowed_label(target: Target, value: float) -> bool:
    """Whether a label of this target can have the value."""
    return value in (0.0, 1.0) if target == "probability" else 0.0 <= value <= 1.0


def _twice(path: str, names: Iterable[str], word: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield Problem(
                "CAL-805",
                f"a {word} is listed twice",
                path=f"{path}[{index}]",
                cause=f"{name!r} came before",
                fix="keep one of them",
            )
        seen.add(name)


def _column(member: Any, column: Any) -> Iterator[Problem]:
    path = f"columns.{member}"
    if not (isinstance(member, str) and isinstance(column, str) and column):
        yield bounds.wrong_type(path, (str,), column)
        return
    table, _, rest = member.partition(".")
    known = {"predictions": PREDICTION_COLUMNS, "labels": LABEL_COLUMNS}.get(table, ())
    inner = table == "predictions" and rest.partition(".")[0] in ("cohorts", "context") and "." in rest
    if rest not in known and not inner:
        yield Problem(
            "CAL-810",
            "no such member of an event",
            path=path,
            cause="known are "
            + ", ".join(f"predictions.{name}" for name in (*PREDICTION_COLUMNS, "cohorts.NAME", "context.NAME"))
            + ", "
            + ", ".join(f"labels.{name}" for name in LABEL_COLUMNS),
            fix="name the event's member on the left and the table's column on the right",
        )
