"""From a token to who is acting: keys that are unknown, ended or wrong, and holders that are suspended."""

from __future__ import annotations

from typing import Any

import pytest

from calibrant import errors
from calibrant.registry import keys
from calibrant.workflow import access, people

DAY = 86_400_000_000


def refused(office: Any, token: str, code: str) -> errors.ForbiddenError:
    """The refusal, which never repeats the secret."""
    with office.project.control_reader() as reader, pytest.raises(errors.ForbiddenError, match=code) as found:
        access.authenticate(reader, token, now_us=office.now)
    assert len(token) < 64 or token[-64:] not in str(found.value)
    return found.value


def test_a_token_names_its_holder(office: Any) -> None:
    """With the roles that the holder has now, whatever they were when the key was issued."""
    with office.project.control_reader() as reader:
        found = access.authenticate(reader, office.tokens["bob"] + "\n", now_us=office.now)
    assert (found.name, found.person, found.roles) == ("bob", "bob", {"approver"})
    with office.open() as (book, admin):
        people.set_roles(book, "bob", ["viewer"], by=admin)
    with office.open("bob") as (_, bob):
        assert bob.roles == {"viewer"}


def test_tokens_that_prove_nobody(office: Any) -> None:
    """Empty, misspelt, of another key, with one wrong digit, and those of nobody."""
    token = office.tokens["bob"]
    last = "0" if token[-1] != "0" else "1"
    for wrong in ("", "bob", token.upper(), token[:-1], token[:-1] + last, "cal_" + "0" * 12 + "_" + token[-64:]):
        refused(office, wrong, "CAL-902")
    prefix_of_alice = keys.parse(office.tokens["alice"]).prefix
    refused(office, f"cal_{prefix_of_alice}_{token[-64:]}", "CAL-902")


def test_a_key_ends(office: Any) -> None:
    """By its time, to the microsecond, and when it is revoked; other keys of the same person go on."""
    prefix = office.hire("dora", "viewer", days=1)
    office.clock.us += DAY - 1
    with office.open("dora") as (_, dora):
        assert dora.name == "dora"
    office.clock.us += 1
    assert "expired" in refused(office, office.tokens["dora"], "CAL-903").cause
    with office.open() as (book, admin):
        second = people.issue(
            book, "dora", by=admin, expires_us=office.now + DAY, now_us=office.now, random=office.random
        )
        third = people.issue(
            book, "dora", by=admin, expires_us=office.now + DAY, now_us=office.now, random=office.random
        )
        people.revoke_key(book, second.prefix, by=admin)
        assert access.authenticate(book.reader, third.token, now_us=office.now).name == "dora"
    assert "revoked" in refused(office, second.token, "CAL-903").cause
    assert len({prefix, second.prefix, third.prefix}) == 3


def test_who_is_suspended_is_nobody(office: Any) -> None:
    """With all keys, and with all services; until reinstated."""
    office.hire("robot", "operator", owner="otto")
    with office.open() as (book, admin):
        people.suspend(book, "otto", by=admin)
    for name in ("otto", "robot"):
        assert name in refused(office, office.tokens[name], "CAL-906").what
    with office.open() as (book, admin):
        people.reinstate(book, "otto", by=admin)
        people.suspend(book, "robot", by=admin)
    refused(office, office.tokens["robot"], "CAL-906")
    with office.open("otto") as (_, otto):
        assert otto.name == "otto"
