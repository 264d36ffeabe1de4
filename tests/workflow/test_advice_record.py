"""What a controller advised is evidence of what it did: the entry names it, and it can be read back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from calibrant import wiring
from calibrant.advice import advise, recommendation
from calibrant.audit import entries
from calibrant.calibrators import canonical
from calibrant.stats import results
from calibrant.streams import declaration, policies
from calibrant.workflow import advice_record, advising, controlling, watching

STREAM = declaration.Stream(
    "fraud",
    declaration.LabelContract(timedelta(days=1)),
    policies=policies.Policies(advice=policies.AdvicePolicy(mode="auto")),
)


def advised(told: recommendation.Recommendation) -> advising.Advised:
    """Advice that rests on a reading and on labels."""
    facts = advise.Facts(
        results.Estimate(0.04, 0.03, 0.05, 0.9, "m"), True, advise.Labels(7_000, 0.97, False, 500, 0.5), "sha256:1"
    )
    return advising.Advised(told, watching.begin(STREAM, champion="sha256:1"), facts, None, None)


BACK = advised(recommendation.Recommendation("roll_back", ("What served before would have lost less.",)))


def test_the_record_is_canonical_and_says_what_was_seen() -> None:
    """The same advice is the same bytes; the reading and the labels are in it."""
    data = advice_record.dumps(BACK, STREAM, "production", now_us=7)
    found = json.loads(data)
    assert canonical.dumps(found) == data
    assert found["departure"]["value"] == 0.04
    assert found["labels"] == {"pairs": 7_000, "coverage": 0.97}
    assert found["recommendation"]["action"] == "roll_back"
    assert (found["mode"], found["at_us"], found["alarms"]) == ("auto", 7, [])


def test_what_a_controller_does_names_what_it_was_advised(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that goes back leaves the advice behind its entry, and explain-decision tells it."""
    office.promote(office.signed(1))
    office.hire("robot", "operator", "proposer", owner="otto")
    monkeypatch.setattr(advising, "advise_now", lambda _store, _stream, watch, *_, **__: replace(BACK, watch=watch))
    with office.open("robot") as (book, robot), office.project.open_store() as events:
        seen = controlling.look(
            wiring.post(office.project, book, events, by=robot), STREAM, "production", now_us=office.now
        )
    assert seen.done
    assert seen.champion is None
    with office.project.control_reader() as reader:
        log = [entries.loads(one) for one in reader.entries()]
    entry = next(one for one in reversed(log) if one.action == "binding.rollback")
    found = advice_record.find(office.project.contents(), entry.evidence)
    assert found is not None
    assert found["recommendation"]["reasons"] == ["What served before would have lost less."]
    told = office.run("explain-decision", "fraud/production").out
    assert "Advised: go back to what served before. What served before would have lost less." in told
    assert "robot (a service that otto answers for)" in told


def test_other_evidence_is_no_advice(office: Any) -> None:
    """Bytes that are no JSON, JSON of another kind, and digests without bytes are passed over."""
    kept = office.project.contents()
    digests = [kept.put(b"\x00"), kept.put(b"[1]"), kept.put(b'{"schema":"other"}'), "sha256:" + "0" * 64]
    assert advice_record.find(kept, digests) is None
