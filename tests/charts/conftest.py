"""Diagrams and evidence that the drawing tests share; computed once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from calibrant.decisions import costs
from calibrant.evidence import assess, reliability
from calibrant.stats import cohorts, summary

#: Names that somebody could put into a cohort column.
HOSTILE = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "'; alert(1); //",
    '=HYPERLINK("http://evil.test","x")',
    "\u202egnp.exe",
    "مرحبا",
    "{{ 7 * 7 }}",
    "</style></svg><b>",
)


@dataclass(frozen=True)
class Case:
    """A set of rows, what was computed of them, and their cohorts."""

    whole: summary.Summary
    found: reliability.Reliability
    after: reliability.Reliability
    rare: reliability.Reliability
    evidence: assess.Evidence
    cohorts: dict[str, reliability.Reliability]
    curve: costs.CostCurve
    names: tuple[str, ...] = HOSTILE


def diagram(scores, labels, **options) -> reliability.Reliability:
    """The diagram of rows, with few resamples."""
    rows = summary.summarise(scores, labels)
    found = reliability.reliability(rows, rng=np.random.default_rng(0), resamples=40, **options)
    assert isinstance(found, reliability.Reliability)
    return found


@pytest.fixture(scope="session")
def case() -> Case:
    """3,200 rows in eight cohorts with hostile names; scores too extreme, half of the cohorts shifted too."""
    rng = np.random.default_rng(11)
    x = rng.normal(-1.0, 1.2, 3200)
    group = np.arange(3200) % len(HOSTILE)
    truth = 1 / (1 + np.exp(-(0.6 * x - 0.2 + 0.8 * (group % 2))))
    scores, labels = 1 / (1 + np.exp(-x)), rng.random(3200) < truth
    order = sorted(range(len(HOSTILE)), key=lambda i: HOSTILE[i])
    place = np.argsort(order)
    stacked = summary.summarise(scores, labels, groups=place[group])
    stack = cohorts.Cohorts(("carrier",), tuple((HOSTILE[i],) for i in order), stacked)
    whole = summary.summarise(scores, labels)
    rare = rng.beta(0.4, 60.0, 20_000)
    return Case(
        whole=whole,
        found=diagram(
            scores, labels, smoothed=True, caption=reliability.Caption(0.99, "May", "2024-06-01", "sha256:ab")
        ),
        after=diagram(truth, labels),
        rare=diagram(rare, rng.random(20_000) < rare),
        evidence=assess.assess(whole, stack, about={"source": "rows.csv", "note": HOSTILE[0]}),
        cohorts={
            key[0]: diagram(scores[group == i], labels[group == i]) for i, key in zip(order, stack.keys, strict=True)
        },
        curve=costs.curve(whole, costs.Costs(false_positive=1, false_negative=3)),
    )
