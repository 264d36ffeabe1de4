"""Who was live when: before, exactly at and after each change, who approved it, and what was said while it is kept."""

from __future__ import annotations

from typing import Any

from calibrant.registry import bindings
from calibrant.workflow import history, people, promotions

HOUR = 3_600_000_000


def live(office: Any, at_us: int) -> history.Tenure | None:
    with office.project.control_reader() as reader:
        return history.at(reader, "fraud/production", at_us)


def tenures(office: Any) -> tuple[history.Tenure, ...]:
    with office.project.control_reader() as reader:
        return history.tenures(reader, "fraud/production")


def artifact_of(found: history.Tenure | None) -> str | None:
    return None if found is None or found.binding.champion is None else found.binding.champion.artifact


def test_before_at_and_after(office: Any) -> None:
    """To the microsecond: a change counts from its own moment on."""
    one, two = office.signed(1, evidence=b'{"n":1}\n'), office.signed(2, evidence=b'{"n":2}\n')
    assert tenures(office) == ()
    moments = []
    for artifact in (one, two):
        office.clock.us += HOUR
        office.promote(artifact, reason=f"because of {artifact}")
        moments.append(office.now)
    office.clock.us += HOUR
    with office.open("otto") as (book, otto):
        promotions.rollback(book, "fraud/production", by=otto, reason="alarms doubled")
    first, second = moments
    assert live(office, first - 1) is None
    assert [artifact_of(live(office, us)) for us in (first, second - 1, second, office.now - 1, office.now)] == [
        one, one, two, two, one,
    ]  # fmt: skip
    found = tenures(office)
    assert [one.until_us for one in found] == [second, office.now, None]
    assert [(one.action, one.actor, one.said) for one in found] == [
        ("binding.promote", "otto", f"because of {one}"),
        ("binding.promote", "otto", f"because of {two}"),
        ("binding.rollback", "otto", "alarms doubled"),
    ]
    assert [one.evidence for one in found] == [office.status(name).evidence for name in (one, two, one)]


def test_a_champion_stays_approved(office: Any) -> None:
    """While other slots change, and when it comes back; who approved a challenger did not approve the champion."""
    one, two, three = (office.signed(version) for version in (1, 2, 3))
    office.promote(one)
    request = office.approved(two, by="carol", slot="challenger")
    with office.open("otto") as (book, otto):
        kept = office.project.contents()
        promotions.promote(
            book, kept, two, "production", by=otto, now_us=office.now, request=request, slot="challenger"
        )  # fmt: skip
        promotions.shadow(book, kept, "fraud", "production", three, by=otto, now_us=office.now)
    office.promote(three)
    with office.open("otto") as (book, otto):
        promotions.rollback(book, "fraud/production", by=otto)
    found = tenures(office)
    assert [artifact_of(tenure) for tenure in found] == [one, one, one, three, one]
    assert {each.person for tenure in found for each in tenure.approvers} == {"bob"}
    assert all(len(tenure.approvers) == 1 for tenure in found)


def test_an_environment_that_asks_nobody(office: Any) -> None:
    """There is nobody who approved, and nothing is made up."""
    one = office.signed(1)
    with office.open("otto") as (book, otto):
        promotions.promote(book, office.project.contents(), one, "staging", by=otto, now_us=office.now)
        (found,) = history.tenures(book.reader, "fraud/staging")
    assert (found.approvers, artifact_of(found)) == ((), one)


def test_erased_words_are_gone(office: Any) -> None:
    """From history and everywhere; who, when, what and the proof of it stay."""
    office.promote(office.signed(1), reason="the regulator called Ms Doe")
    with office.open() as (book, admin):
        (found,) = history.tenures(book.reader, "fraud/production")
        assert found.said == "the regulator called Ms Doe"
        body = next(iter(book.reader.entries(found.index, found.index + 1)))
        assert b"Doe" not in body
        from calibrant.audit import entries

        reason = entries.loads(body).reason
        assert reason is not None
        people.forget_words(book, reason, by=admin)
        (after,) = history.tenures(book.reader, "fraud/production")
    assert after.said is None
    assert (after.actor, after.index, after.approvers) == (found.actor, found.index, found.approvers)
    assert office.sound()
    whole = b"".join(path.read_bytes() for path in office.project.folder.rglob("*") if path.is_file())
    assert b"Ms Doe" not in whole


def test_nothing_was_bound(office: Any) -> None:
    """A rollback to nothing is a tenure of nothing."""
    office.promote(office.signed(1))
    with office.open("otto") as (book, otto):
        promotions.rollback(book, "fraud/production", by=otto)
    last = tenures(office)[-1]
    assert (last.binding, last.approvers, last.evidence) == (bindings.EMPTY, (), None)
