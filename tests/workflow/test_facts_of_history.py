"""What diagnosis learns from the registry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from calibrant.diagnosis import facts
from calibrant.streams import declaration
from calibrant.workflow import facts_of_history, ledger, people, promotions

STREAM = declaration.Stream("fraud", declaration.LabelContract(timedelta(days=1)))
DAY = 86_400_000_000


def known(office: Any) -> tuple[facts.History, Any]:
    with office.project.control_reader() as reader:
        return facts_of_history.gather(reader, office.project.contents(), STREAM, "production", now_us=office.now)


def test_before_anything_is_bound_there_is_no_champion(office: Any) -> None:
    """Drafts are counted, nothing serves, and the environment asks for its approvals."""
    office.draft(1)
    found, rule = known(office)
    assert (found.champion, rule, found.steps, found.drafted, found.approvals) == (None, None, (), 1, 1)


def test_champion_and_steps_are_those_of_the_binding(office: Any) -> None:
    """One untried and unexplained, one from shadow with a reason, and the way back."""
    one, two = office.signed(1), office.signed(2)
    office.promote(one)
    begun = office.now
    office.clock.advance(days=1)
    with office.open("otto") as (book, otto):
        promotions.shadow(book, office.project.contents(), "fraud", "production", two, by=otto, now_us=office.now)
    office.clock.advance(days=1)
    office.promote(two, reason="gains in shadow")
    found, rule = known(office)
    assert found.champion is not None
    assert (found.champion.name, found.champion.kind, found.champion.rows) == (two, "platt", 1_000)
    assert (found.champion.state, found.champion.signatures, found.champion.bound_us) == ("signed", 1, office.now)
    assert rule == office.drawn_up(2).calibrator
    assert [(one.action, one.tried, one.said) for one in found.steps] == [
        ("promote", False, False), ("assign", False, False), ("promote", True, True),
    ]  # fmt: skip
    assert all(one.by_person for one in found.steps)
    office.clock.advance(days=1)
    with office.open("otto") as (book, otto):
        promotions.rollback(book, "fraud/production", by=otto, reason="it hurts")
    after, _ = known(office)
    assert after.champion is not None
    assert (after.steps[-1].action, after.champion.name) == ("rollback", one)
    assert after.champion.bound_us == office.now > begun


def test_entries_without_a_checkpoint_are_counted_with_their_age(office: Any) -> None:
    """A ledger without the key of the log cannot sign: its entries wait for one that can."""
    assert known(office)[0].uncovered == 0
    with office.open() as (_, alice), office.project.open_control() as store:
        keyless = ledger.Ledger(store, office.project.audit_copy(), None, office.clock)
        people.enrol(keyless, "dora", by=alice, roles=["viewer"], owner=None)
        waiting, _ = known(office)
    assert (waiting.uncovered, waiting.uncovered_since_us) == (1, office.now)
