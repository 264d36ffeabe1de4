"""Who an alert is. Invariant 17: labels hold no values and no times."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant import errors
from calibrant.slo import budgets, labels, members, readings, slices
from calibrant.streams import burn_rules

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
COHORTS = st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=3).map(lambda found: tuple(sorted(found.items())))


@given(COHORTS)
def test_the_name_of_a_member_is_its_own(cohort: members.Member) -> None:
    """Whatever its values hold: commas, equals signs, line breaks."""
    name = members.write(cohort)
    assert members.read(name) == cohort
    assert re.fullmatch(r"[ -~]*", name)
    assert (name == members.ALL) == (cohort == ())


@given(COHORTS, COHORTS)
def test_a_parent_says_less(one: members.Member, other: members.Member) -> None:
    """Nobody is its own parent, and no two are each other's."""
    assert not members.is_parent(one, one)
    assert not (members.is_parent(one, other) and members.is_parent(other, one))
    assert members.is_parent((), one) == bool(one)


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 1), st.integers(0, 10**6)), min_size=28, max_size=28),
    st.integers(0, 2**50),
)
def test_whatever_was_measured_and_when_the_labels_are_the_same(rows: list[Any], at_us: int) -> None:
    """Invariant 17: made from arbitrary slices at an arbitrary time, the identities are a fixed set."""
    counted = np.array([[one for one, *_ in rows]] * 2)
    bad = counted & np.array([[one for _, one, *_ in rows]] * 2)
    value = np.array([[one for *_, one, _ in rows]] * 2)
    n = np.array([[one for *_, one in rows]] * 2)
    names = (members.WHOLE, (("carrier", "AA"),))
    found = slices.Slices(names, np.arange(28) + at_us, 1, n, n, value, value, counted, bad)
    statuses = budgets.statuses(found, burn_rules.standard(28), objective=0.95, coverage=0.8)
    made = [
        one.labels
        for one in readings.of_objective(
            statuses, stream="fraud", runbook="https://example.org", snapshot=labels.Snapshot(at_us)
        )
    ]
    assert made == [
        *(labels.Labels(readings.BURN, severity, "fraud", "burn", cohort)
          for cohort in ("all", "carrier=AA") for severity in ("page", "ticket")),
        labels.Labels(readings.COVERAGE, "ticket", "fraud", "coverage"),
    ]  # fmt: skip
    assert len({one.fingerprint for one in made}) == len(made)


@pytest.mark.parametrize(
    "more",
    [
        {"alertname": "Burn 14.4"}, {"alertname": "burn2026"}, {"alertname": ""}, {"severity": "critical"},
        {"kind": "value"}, {"stream": "Fraud"}, {"stream": "a b"}, {"slo": "0.95 %"}, {"cohort": "carrier"},
        {"cohort": "b=1,a=2"}, {"cohort": ""}, {"cohort": "a=\n"},
    ],
)  # fmt: skip
def test_labels_are_of_a_closed_form(more: dict[str, str], named: Callable[..., labels.Labels]) -> None:
    """A number in the name, another severity, a cohort that is spelt in another way: refused."""
    with pytest.raises(errors.UsageError, match="CAL-991"):
        named(**more)


def test_an_alert_has_a_runbook(named: Callable[..., labels.Labels]) -> None:
    """Always, and its annotations cannot be changed behind its back."""
    with pytest.raises(errors.UsageError, match="CAL-991"):
        labels.Reading(named(), "bad", {"summary": "off"})
    made = labels.Reading(named(), "bad", {"runbook_url": "https://example.org"})
    with pytest.raises(TypeError):
        made.annotations["summary"] = "other"  # type: ignore[index]


def test_a_reading_of_another_watch() -> None:
    """Labels that do not arrive: pipeline, with what the catalogue says where the stream has no runbook."""
    found = readings.of_watch("LabelsNotArriving", "bad", "none for 3 days", stream="fraud", runbook="")
    assert (found.labels.kind, found.labels.slo, found.labels.cohort) == ("pipeline", "pipeline", "all")
    assert found.annotations["runbook_url"] == "urn:calibrant:runbook:LabelsNotArriving"


def test_the_kinds_of_labels_are_written_in_one_order(named: Callable[..., labels.Labels]) -> None:
    """And hashed to a name that this release may not change."""
    assert tuple(named().to_dict()) == labels.NAMES
    assert named().fingerprint == "b05248a1e776bd832da5"
