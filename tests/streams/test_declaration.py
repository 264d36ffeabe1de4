"""A declaration that makes no sense cannot be made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from calibrant import errors
from calibrant.streams.declaration import CohortField, ContextPolicy, LabelContract, Stream, TableSource

DAY = timedelta(days=1)
LABELS = LabelContract(DAY)


def stream(**members: Any) -> Stream:
    return Stream(**({"name": "s", "labels": LABELS} | members))


def test_a_name_and_a_horizon_are_enough() -> None:
    """Everything else has a default that hides no decision."""
    made = Stream("card-fraud", LabelContract(DAY))
    assert (made.labels.implicit_negative, made.labels.terminal, made.cohorts, made.unit) == (False, (), (), None)
    assert made.context.allow == ()


@pytest.mark.parametrize(
    ("make", "code", "path"),
    [
        *[(lambda name=name: stream(name=name), "CAL-801", "name") for name in
          ("", "A", "-a", "a/b", "a b", "a\n", "é", "x" * 64, "..", "a\x00")],
        (lambda: stream(name=7), "CAL-823", "name"),
        (lambda: LabelContract(timedelta(0)), "CAL-802", "horizon"),
        (lambda: LabelContract(-DAY), "CAL-802", "horizon"),
        (lambda: LabelContract(DAY * 40_000), "CAL-802", "horizon"),
        (lambda: LabelContract(90), "CAL-823", "horizon"),  # type: ignore[arg-type]
        (lambda: LabelContract(DAY, orphans=timedelta(0)), "CAL-802", "orphans"),
        (lambda: LabelContract(DAY, implicit_negative=1), "CAL-823", "implicit_negative"),  # type: ignore[arg-type]
        (lambda: LabelContract(DAY, conflicts="newest"), "CAL-804", "conflicts"),  # type: ignore[arg-type]
        (lambda: LabelContract(DAY, conflicts="labeler_priority"), "CAL-808", "priority"),
        (lambda: LabelContract(DAY, priority=("a",)), "CAL-808", "priority"),
        (lambda: LabelContract(DAY, conflicts="labeler_priority", priority=("a", "a")), "CAL-805", "priority[1]"),
        (lambda: LabelContract(DAY, terminal=(float("nan"),)), "CAL-803", "terminal[0]"),
        (lambda: LabelContract(DAY, terminal=[1]), "CAL-823", "terminal"),  # type: ignore[arg-type]
        (lambda: LabelContract(DAY, terminal=(True,)), "CAL-823", "terminal[0]"),
        (lambda: CohortField("country", 0), "CAL-803", "cap"),
        (lambda: CohortField("country", 2_000_000), "CAL-803", "cap"),
        (lambda: CohortField("a b"), "CAL-801", "field"),
        (lambda: ContextPolicy(allow=("a",), drop=("a",)), "CAL-809", "drop[0]"),
        (lambda: ContextPolicy(max_bytes=4096), "CAL-803", "max_bytes"),
        (lambda: stream(target="class"), "CAL-804", "target"),
        (lambda: stream(partition="week"), "CAL-804", "partition"),
        (lambda: stream(sampling=0.0), "CAL-803", "sampling"),
        (lambda: stream(sampling=1.5), "CAL-803", "sampling"),
        (lambda: stream(sampling=float("nan")), "CAL-803", "sampling"),
        (lambda: stream(owner="a\x1b[31m"), "CAL-811", "owner"),
        (lambda: stream(owner="x" * 201), "CAL-811", "owner"),
        (lambda: stream(labels=None), "CAL-823", "labels"),
        (lambda: stream(scale="probability"), "CAL-823", "scale"),
        (lambda: stream(cohorts=(CohortField("a"), CohortField("a"))), "CAL-805", "cohorts[1]"),
        (lambda: stream(labels=LabelContract(DAY, terminal=(0.5,))), "CAL-807", "labels.terminal[0]"),
        (lambda: stream(target="rate", labels=LabelContract(DAY, terminal=(1.5,))), "CAL-807", "labels.terminal[0]"),
        (lambda: stream(retention=DAY / 2), "CAL-812", "retention"),
        (lambda: TableSource("oracle", "p", "l"), "CAL-804", "engine"),  # type: ignore[arg-type]
        (lambda: TableSource("duckdb", " ", "l"), "CAL-810", "predictions"),
        (lambda: TableSource("duckdb", "p", "l", {"score": "p"}), "CAL-810", "columns.score"),
        (lambda: TableSource("duckdb", "p", "l", {"labels.score": "p"}), "CAL-810", "columns.labels.score"),
        (lambda: TableSource("duckdb", "p", "l", {"labels.value": 1}), "CAL-823", "columns.labels.value"),  # type: ignore[dict-item]
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_its_path(make: Callable[[], object], code: str, path: str) -> None:
    """One code and one path for each mistake."""
    with pytest.raises(errors.UsageError) as caught:
        make()
    assert caught.value.code == code
    assert caught.value.what.startswith(f"{path}: ")
    assert caught.value.fix


def test_a_declaration_cannot_be_changed_afterwards() -> None:
    """Frozen, also its mapping of columns."""
    source = TableSource("duckdb", "p", "l", {"predictions.score": "p_fraud", "predictions.cohorts.country": "land"})
    with pytest.raises(AttributeError):
        source.engine = "spark"  # type: ignore[misc]
    with pytest.raises(TypeError):
        source.columns["predictions.score"] = "x"  # type: ignore[index]
