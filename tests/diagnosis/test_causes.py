"""The order of causes, and the catalogue as a whole."""

from __future__ import annotations

import dataclasses
import re
from typing import get_args

import numpy as np
import pytest

from calibrant.cli import root
from calibrant.diagnosis import catalogue, causes, check, facts
from calibrant.evidence import drift
from calibrant.stats import summary as summaries

RNG = np.random.default_rng(2)


def finding(code: str) -> check.Finding:
    return check.Finding(catalogue.BY_CODE[code], "seen", {})


def compared(*, shift: float = 0.0, prior: float = 0.0) -> facts.Facts:
    """Drift from calibrated scores to scores that mean something else, or to another base rate."""
    scores = RNG.random(8_000)
    labels = RNG.random(8_000) < scores
    odds = scores / (1.0 - scores) * np.exp(shift)
    other = RNG.random(8_000) < odds / (1.0 + odds)
    kept = other | (RNG.random(8_000) < np.exp(-prior))
    found = drift.compare(
        summaries.summarise(scores, labels), summaries.summarise(scores[kept], other[kept]), replicates=20
    )
    return facts.Facts(drift=facts.Drift(found))


def test_what_makes_the_numbers_doubtful_comes_before_what_moved_them() -> None:
    """Telemetry before leakage before drift before age."""
    found = causes.rank(facts.Facts(), [finding(code) for code in ("CHK-501", "CHK-403", "CHK-106", "CHK-407")])
    assert [one.cause for one in found] == ["telemetry loss", "leakage", "concept drift", "staleness"]
    assert all(one.remedy for one in found)


def test_shifts_come_in_the_order_of_what_they_explain() -> None:
    """The shares add up to one, and the larger goes first."""
    both = [finding("CHK-401"), finding("CHK-403"), finding("CHK-402")]
    for known in (compared(shift=1.0), compared(prior=1.0)):
        found = causes.rank(known, both)
        shares = [one.explains for one in found]
        assert None not in shares
        assert shares == sorted(shares, reverse=True)  # type: ignore[type-var]
        assert sum(shares) == pytest.approx(1.0)  # type: ignore[arg-type]


def test_findings_of_one_cause_are_told_together() -> None:
    """Three checks, one cause, all their runbooks."""
    found = causes.rank(facts.Facts(), [finding("CHK-301"), finding("CHK-303"), finding("CHK-506")])
    assert [one.cause for one in found] == ["cohort misalignment"]
    assert found[0].to_dict()["checks"] == ["CHK-301", "CHK-303"]


def test_every_cause_has_a_place_and_a_remedy() -> None:
    """A new cause needs both."""
    placed = {*causes.DOUBTS, *causes.SHIFTS, *causes.LAST}
    assert placed == set(get_args(check.Cause)) == set(causes.REMEDIES)


def test_codes_and_names_are_used_once_and_each_check_is_complete() -> None:
    """About fifty that data decide, and questions for the rest; the family is that of the code."""
    assert len({one.code for one in catalogue.ALL}) == len({one.name for one in catalogue.ALL}) == len(catalogue.ALL)
    digits = dict(zip(catalogue.FAMILIES, "1234567", strict=True))
    for one in catalogue.ALL:
        assert re.fullmatch(rf"CHK-{digits[one.family]}\d\d", one.code)
        assert (one.decide is None) == (one.asks is not None)
        assert bool(one.needs) == (one.decide is not None)
        assert one.asks is None or one.asks.endswith("?")
        assert one.title
        assert one.why.endswith(".")
        assert one.fix.endswith((".", "it."))
    assert sum(one.decide is not None for one in catalogue.ALL) >= 50


def test_a_fix_names_commands_that_there_are() -> None:
    """What a page tells people to type exists."""
    for one in catalogue.ALL:
        for name in re.findall(r"calibrant ([a-z-]+)", f"{one.why} {one.fix}"):
            assert name in root.COMMANDS, f"{one.code} names calibrant {name}"


def test_without_facts_nothing_is_found_and_everything_is_said_to_be_unknown() -> None:
    """No data is no good news: it is told apart from looking and finding nothing."""
    looked = catalogue.look(facts.Facts())
    assert looked.findings == ()
    assert {one.code for one, _ in looked.unknown} == {one.code for one in catalogue.ALL if one.decide is not None}
    assert all(lacks == one.needs for one, lacks in looked.unknown)


def test_the_most_urgent_finding_comes_first(healthy: facts.Facts) -> None:
    """Pages before tickets before notes."""
    assert healthy.stream is not None
    assert healthy.history is not None
    assert healthy.history.champion is not None
    known = dataclasses.replace(
        healthy,
        stream=dataclasses.replace(healthy.stream, cohorts=(), owner=""),
        history=dataclasses.replace(
            healthy.history, champion=dataclasses.replace(healthy.history.champion, signatures=0)
        ),
    )
    assert [one.check.severity for one in catalogue.look(known).findings] == ["page", "ticket", "note"]
