"""The commands that decide, as people type them: what is refused with which code, and what is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

DAY = 86_400_000_000

# ---------------------------------------------------------------- four eyes


@pytest.fixture
def request_name(office: Any) -> str:
    """A request of alice for fraud@1, with fraud@2 beside it."""
    one = office.signed(1)
    office.signed(2)
    name = office.run("approval", "request", one, "production", "--json").json["name"]
    assert isinstance(name, str)
    return name


def refuses(office: Any, code: str, *command: str, by: str) -> None:
    """Exit code 2, the code, three lines, nothing on standard output, nothing changed."""
    size = office.size()
    ran = office.run(*command, by=by)
    assert (ran.code, ran.refusal, ran.out) == (2, code, ""), ran
    assert len(ran.err.splitlines()) == 3
    assert office.size() == size


def test_nobody_approves_their_own(office: Any, request_name: str) -> None:
    """Neither with the role approver, nor through a service, nor who drafted what another proposes."""
    office.run("people", "roles", "alice", "--role", "admin", "--role", "proposer", "--role", "approver")
    refuses(office, "CAL-904", "approval", "approve", request_name, by="alice")
    office.hire("robot", "approver", owner="alice")
    refuses(office, "CAL-904", "approval", "approve", request_name, by="robot")
    # otto proposes what alice drafted
    second = office.run("approval", "request", "fraud@2", "production", "--json", by="otto").json["name"]
    refuses(office, "CAL-904", "approval", "approve", second, by="alice")
    refuses(office, "CAL-904", "approval", "approve", second, by="robot")


def test_two_keys_of_one_person(office: Any, request_name: str) -> None:
    """A second key and a service of the same person are no second voice."""
    assert office.run("environment", "set", "production", "--approvals", "2").code == 0
    second = office.run("approval", "request", "fraud@2", "production", "--json").json["name"]
    assert office.run("approval", "approve", second, by="bob").code == 0
    office.tokens["bob again"] = office.run("people", "key", "issue", "bob", "--json").json["key"]
    office.hire("robot", "approver", owner="bob")
    refuses(office, "CAL-905", "approval", "approve", second, by="bob again")
    refuses(office, "CAL-905", "approval", "approve", second, by="robot")
    refuses(office, "CAL-920", "binding", "promote", "fraud@2", "production", "--request", second, by="otto")
    # approved when one voice was enough
    assert office.run("approval", "approve", request_name, by="carol").code == 0
    refuses(office, "CAL-930", "binding", "promote", "fraud@1", "production", "--request", request_name, by="otto")


def test_what_was_looked_at(office: Any, request_name: str) -> None:
    """An approver who names other digests than the request approves nothing; the first 12 digits are enough."""
    digest, evidence = office.status("fraud@1").digest, office.status("fraud@1").evidence
    other = office.status("fraud@2").digest
    refuses(office, "CAL-926", "approval", "approve", request_name, "--digest", other, by="bob")
    refuses(office, "CAL-926", "approval", "approve", request_name, "--evidence", other, by="bob")
    refuses(office, "CAL-948", "approval", "approve", request_name, "--digest", digest[:18], by="bob")
    ran = office.run(
        "approval", "approve", request_name, "--digest", digest[7:19], "--evidence", evidence, by="bob"
    )  # fmt: skip
    assert ran.code == 0, ran
    assert "approve   bob" in ran.out


def test_stale_replayed_and_expired_requests(office: Any, request_name: str) -> None:
    """For something else, used, too late, declined, withdrawn, or for a binding that has moved."""
    promote = ("binding", "promote", "fraud@1", "production", "--request")
    refuses(office, "CAL-930", *promote[:-1], by="otto")
    refuses(office, "CAL-941", *promote, "request-0", by="otto")
    refuses(office, "CAL-920", *promote, request_name, by="otto")
    assert office.run("approval", "approve", request_name, by="bob").code == 0
    refuses(
        office, "CAL-927", "binding", "promote", "fraud@2", "production", "--request", request_name, by="otto"
    )  # fmt: skip
    stale = office.approved("fraud@2")
    assert office.run(*promote, request_name, by="otto").code == 0
    refuses(office, "CAL-920", *promote, request_name, by="otto")
    refuses(office, "CAL-928", "binding", "promote", "fraud@2", "production", "--request", stale, by="otto")
    assert office.run("binding", "rollback", "fraud/production", by="otto").code == 0
    refuses(office, "CAL-920", *promote, request_name, by="otto")
    late = office.run("approval", "request", "fraud@2", "production", "--days", "1", "--json").json["name"]
    office.clock.us += DAY
    refuses(office, "CAL-929", "approval", "approve", late, by="bob")
    declined = office.run("approval", "request", "fraud@2", "production", "--json").json["name"]
    assert office.run("approval", "decline", declined, "--reason", "too few rows", by="bob").code == 0
    refuses(office, "CAL-920", "approval", "approve", declined, by="carol")
    withdrawn = office.run("approval", "request", "fraud@2", "production", "--json").json["name"]
    assert office.run("approval", "withdraw", withdrawn).code == 0
    refuses(office, "CAL-920", "approval", "approve", withdrawn, by="carol")
    assert [one["name"] for one in office.run("approval", "list", "--json").json["approvals"]] == [stale]
    assert "expired" in office.run("approval", "list", "--all").out
    assert len(office.run("approval", "list", "--all", "--json").json["approvals"]) == 5


def test_those_who_are_nobody(office: Any, request_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, a wrong one, a revoked one, an expired one, a suspended holder, a service of one: each with its code."""
    approve = ("approval", "approve", request_name)
    office.tokens |= {"none": "", "wrong": "cal_" + "0" * 12 + "_" + "0" * 64}
    refuses(office, "CAL-900", *approve, by="none")
    refuses(office, "CAL-902", *approve, by="wrong")
    prefix = office.hire("gone", "approver")
    assert office.run("people", "key", "revoke", prefix).code == 0
    refuses(office, "CAL-903", *approve, by="gone")
    office.hire("robot", "approver", owner="bob")
    assert office.run("people", "suspend", "bob").code == 0
    refuses(office, "CAL-906", *approve, by="bob")
    refuses(office, "CAL-906", *approve, by="robot")
    assert office.run("people", "reinstate", "bob").code == 0
    office.hire("short", "approver", days=1)
    office.clock.us += DAY
    refuses(office, "CAL-903", *approve, by="short")
    assert office.run(*approve, by="bob").code == 0


# ---------------------------------------------------------------- what is told


def test_who_was_live(office: Any) -> None:
    """One command: at 14:05 last Tuesday, by whom, approved by whom, on what evidence, why; also for programs."""
    one, two = office.signed(1), office.signed(2)
    office.promote(one, reason="first map")
    office.clock.us += DAY
    office.promote(two)
    at = "2023-11-15T14:05:00Z"
    ran = office.run("binding", "history", "fraud/production", "--at", at, by="vera")
    lines = ran.out.splitlines()
    assert lines[0] == "2023-11-14T22:13:20Z to 2023-11-15T22:13:20Z"
    assert one in lines[1]
    assert lines[2].startswith("  binding.promote by otto, audit entry ")
    assert lines[2].endswith(': "first map"')
    assert lines[3] == (
        f"  champion approved by bob (2023-11-14T22:13:20Z), on evidence {office.status(one).evidence[7:19]}"
    )
    (tenure,) = office.run("binding", "history", "fraud/production", "--at", at, "--json").json["tenures"]
    assert tenure["binding"]["champion"] == {"artifact": one, "digest": office.status(one).digest}
    assert tenure["approvers"] == [{"person": "bob", "principal": "bob", "at": "2023-11-14T22:13:20Z"}]
    before = office.run("binding", "history", "fraud/production", "--at", "2023-11-01")
    assert before.out == "nothing was bound: raw scores were served as they are\n"
    assert len(office.run("binding", "history", "fraud/production", "--json").json["tenures"]) == 2


def test_forgotten_words(office: Any) -> None:
    """They leave the history; the log stays sound."""
    office.promote(office.signed(1), reason="Ms Doe called")
    assert "Ms Doe" in office.run("binding", "history", "fraud/production").out
    office.run("people", "roles", "alice", "--role", "admin", "--role", "proposer", "--role", "auditor")
    entries = office.run("audit", "log", "binding/fraud/production", "--json").json["entries"]
    (commitment,) = {one["reason"] for one in entries}
    assert "erased" in office.run("people", "forget", commitment).out
    ran = office.run("binding", "history", "fraud/production")
    assert (ran.code, "Ms Doe" in ran.out, "binding.promote by otto" in ran.out) == (0, False, True)
    assert office.run("audit", "verify").code == 0
    assert "was not there" in office.run("people", "forget", commitment).out


def test_names_that_are_none(office: Any) -> None:
    """A misspelt environment is not one where nothing is bound; a binding has two parts."""
    office.promote(office.signed(1))
    for command in (("show",), ("history",), ("shadow",)):
        assert office.run("binding", *command, "fraud/prodction", by="otto").refusal == "CAL-941"
        assert office.run("binding", *command, "fraud", by="otto").refusal == "CAL-953"
    assert office.run("artifact", "show", "fraud@9").refusal == "CAL-941"
    assert office.run("approval", "show", "request-9").refusal == "CAL-941"
    assert office.run("trust", "retire", "00000000").refusal == "CAL-952"
    assert office.run("trust", "retire", "0000").refusal == "CAL-952"


def test_signed_twice_with_one_key(office: Any) -> None:
    """A second signature with the same key is refused, and the folder can still be exported and verified."""
    one = office.signed(1)
    refuses(office, "CAL-934", "artifact", "sign", one, by="otto")
    assert office.run("artifact", "export", one, "-o", "out").code == 0
    Path("trust.json").write_text(office.run("trust", "show", "--json").out)
    ran = office.run("artifact", "verify", "out", "--trust", "trust.json", "--json")
    assert (ran.code, ran.json["name"]) == (0, one)
    assert office.run("artifact", "verify", "out").refusal == "CAL-949"
    assert office.run("artifact", "verify", "out", "--trust", "no.json").refusal == "CAL-949"
    (Path("out") / "evidence.json").write_bytes(b'{"changed":1}\n')
    assert office.run("artifact", "verify", "out", "--trust", "trust.json").refusal == "CAL-653"


def test_a_viewer_makes_no_signature(office: Any) -> None:
    """Who may not draft, seal or sign leaves nothing behind, not even bytes that nobody refers to."""
    name = office.draft(1)
    assert office.run("artifact", "seal", name).code == 0
    before = set(office.project.contents().digests())
    assert office.run("artifact", "sign", name, by="vera").refusal == "CAL-901"
    assert set(office.project.contents().digests()) == before


def test_rotation(office: Any) -> None:
    """A new key is made and trusted, the old one retired: what it signed stays good, what it signs now does not."""
    one, second = office.signed(1), office.draft(2)
    keyid = office.run("trust", "keygen", "new.key").out.strip()
    assert Path("new.key").stat().st_mode & 0o077 == 0
    assert office.run("trust", "add", "new.key.pub", "--owner", "otto", "--reason", "rotation").code == 0
    old = office.project.key("artifacts").public.keyid
    office.clock.us += DAY
    assert office.run("trust", "retire", old[:12]).code == 0
    office.clock.us += DAY
    assert office.run("artifact", "verify", one).code == 0
    assert office.run("artifact", "seal", second).code == 0
    refuses(office, "CAL-660", "artifact", "sign", second, by="otto")
    assert office.run("artifact", "sign", second, "--key", "new.key", by="otto").code == 0
    shown = office.run("trust", "show").out
    assert keyid[:12] in shown
    assert office.run("trust", "revoke", old[:12]).code == 0
    refuses(office, "CAL-659", "artifact", "verify", one, by="vera")
    assert office.run("artifact", "verify", second).code == 0


def test_tables_and_json(office: Any, request_name: str) -> None:
    """Each reading command has a table for people and JSON for programs; no line of a table is folded."""
    office.promote(office.signed(3))
    for command in (
        "people list", "people roles", "environment list", "artifact list", "artifact show fraud@1",
        "artifact verify fraud@1", "approval list", f"approval show {request_name}", "binding list",
        "binding show fraud/production", "binding history fraud/production", "trust show",
    ):  # fmt: skip
        told = office.run(*command.split())
        assert told.code == 0, told
        assert told.out.strip()
        assert office.run(*command.split(), "--json").json["schema"].startswith("calibrant.")
    office.run("people", "roles", "otto", "--role", "operator")
    log = office.run("audit", "log", by="otto").out
    assert log.count("2023-11-14T22:13:20Z") == office.size()


def test_the_key_is_told_once(office: Any) -> None:
    """On standard output alone, so that it can go straight into a variable."""
    ran = office.run("people", "key", "issue", "bob", "--days", "1")
    assert ran.out.startswith("cal_")
    assert ran.out.count("\n") == 1
    assert ran.out.strip() not in ran.err
    office.tokens["bob"] = ran.out.strip()
    assert office.run("binding", "list", by="bob").code == 0
    body = office.run("people", "key", "issue", "bob", "--json").json
    assert body["expires"] == "2024-02-12T22:13:20Z"
