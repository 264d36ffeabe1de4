"""People, services, keys, environments, trust and forgotten words: each on record, by those who may."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibrant import errors, wiring
from calibrant.artifacts import keys, trust
from calibrant.audit import entries
from calibrant.registry import environments, principals
from calibrant.workflow import artifact_files, people

DAY = 86_400_000_000


def entries_of(office: Any) -> list[entries.Entry]:
    """The whole log."""
    with office.project.control_reader() as reader:
        return [entries.loads(data) for data in reader.entries()]


def test_it_begins_once_and_whole(office: Any) -> None:
    """Admin, key, trust and environments in one transaction; a second beginning changes nothing."""
    first = [(one.kind, one.name) for one in entries_of(office)[:6]]
    assert {kind for kind, _ in first} == {"installation", "principal", "key", "trust", "environment"}
    assert {name for kind, name in first if kind == "environment"} == {"production", "staging"}
    before = office.size()
    with office.project.ledger() as book, pytest.raises(errors.RefusedError, match="CAL-933"):
        people.begin(
            book, "mallory", roles=[], own_keys={}, expires_us=office.now + DAY, now_us=office.now,
            random=office.random,
        )  # fmt: skip
    assert office.size() == before
    assert office.sound()


def test_no_key_is_made_beside_a_beginning(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`people init` where the keys are elsewhere is refused before it makes any: they would sign what nobody trusts."""
    place = office.project.folder / "keys"
    place.rename(place.with_name("elsewhere"))
    assert office.run("people", "init", "mallory").refusal == "CAL-933"
    assert not place.exists()


def test_nothing_is_begun_by_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, office: Any) -> None:
    """An illegal name leaves an installation that can begin."""
    other = wiring.Project(tmp_path / "other")
    other.make_keys()
    with other.ledger() as book:
        for name in ("Al Ice", ""):
            with pytest.raises(errors.UsageError, match="CAL-940"):
                people.begin(
                    book, name, roles=[], own_keys=other.own_trust(owner="x", now_us=office.now),
                    expires_us=office.now + DAY, now_us=office.now, random=office.random,
                )  # fmt: skip
        assert book.reader.size() == 0


def test_services_have_owners(office: Any) -> None:
    """A person, who must be there and active, answers for a service; a name is given once."""
    with office.open() as (book, admin):
        robot = people.enrol(book, "robot", by=admin, roles=["operator"], owner="otto")
        assert (robot.type, robot.person) == ("service", "otto")
        with pytest.raises(errors.RefusedError, match="CAL-921"):
            people.enrol(book, "robot2", by=admin, roles=[], owner="robot")
        with pytest.raises(errors.UsageError, match="CAL-941"):
            people.enrol(book, "robot2", by=admin, roles=[], owner="nobody")
        with pytest.raises(errors.ConflictError, match="CAL-913"):
            people.enrol(book, "otto", by=admin, roles=["admin"])
        with pytest.raises(errors.UsageError, match="CAL-942"):
            people.enrol(book, "robot3", by=admin, roles=["emperor"])


def test_the_last_admin_stays(office: Any) -> None:
    """Neither suspended nor without the role, until there is another one."""
    with office.open() as (book, admin):
        for attempt in (
            lambda: people.suspend(book, "alice", by=admin),
            lambda: people.set_roles(book, "alice", ["viewer"], by=admin),
        ):
            with pytest.raises(errors.RefusedError, match="CAL-922"):
                attempt()
        people.set_roles(book, "bob", ["admin"], by=admin)
        people.set_roles(book, "alice", ["viewer"], by=admin)
        found = book.reader.get(principals.KIND, "alice")
        assert found is not None
        assert principals.read(found).roles == {"viewer"}


def test_keys_are_kept_as_hashes(office: Any) -> None:
    """Neither the token nor its secret is in any file of the project; a key lives a year at most."""
    secrets = [token.encode()[-64:] for token in office.tokens.values()]
    found = b"".join(path.read_bytes() for path in office.project.folder.rglob("*") if path.is_file())
    assert not [one for one in secrets if one in found]
    with office.open() as (book, admin):
        for days in (0, -1, 367):
            with pytest.raises(errors.UsageError, match="CAL-943"):
                people.issue(
                    book, "bob", by=admin, expires_us=office.now + days * DAY, now_us=office.now, random=office.random
                )
        with pytest.raises(errors.UsageError, match="CAL-941"):
            people.revoke_key(book, "0" * 12, by=admin)


def test_environments(office: Any) -> None:
    """Made and changed; a number of approvals that nobody could gather is refused."""
    with office.open() as (book, admin):
        people.declare_environment(book, "canary", approvals=2, by=admin)
        people.declare_environment(book, "canary", approvals=0, by=admin)
        found = book.reader.get(environments.KIND, "canary")
        assert found is not None
        assert (environments.approvals(found), found.revision) == (0, 2)
        for wrong in (-1, 6):
            with pytest.raises(errors.UsageError, match="CAL-944"):
                people.declare_environment(book, "canary", approvals=wrong, by=admin)


def test_trust_is_changed_on_record(office: Any) -> None:
    """What is refused changes nothing; who may not is refused."""
    key = keys.generate()

    def more(policy: trust.TrustPolicy) -> trust.TrustPolicy:
        return policy.with_key(trust.TrustedKey(key.public.pem.decode(), "bob", ("artifact",), office.now))

    with office.open() as (book, admin):
        after = people.change_trust(book, more, by=admin, reason="a second signer")
        assert artifact_files.trust_policy(book.reader) == after
        with pytest.raises(errors.ArtifactError):
            people.change_trust(book, more, by=admin)
        with pytest.raises(errors.ArtifactError, match="CAL-657"):
            people.change_trust(book, lambda policy: policy.revoked("00", at_us=1), by=admin)
    with office.open("otto") as (book, otto), pytest.raises(errors.ForbiddenError, match="CAL-901"):
        people.change_trust(book, lambda policy: dataclasses.replace(policy, threshold=2), by=otto)
    assert [one.action for one in entries_of(office)].count("trust.set") == 2


def test_words_are_forgotten_on_record(office: Any) -> None:
    """The words go, the entry and the proof stay; once more says that there was nothing; the log is sound."""
    with office.open() as (book, admin):
        people.change_trust(book, lambda policy: dataclasses.replace(policy, threshold=1), by=admin, reason="said")
    commitment = entries_of(office)[-1].reason
    assert commitment is not None
    with office.open() as (book, admin):
        assert people.forget_words(book, commitment, by=admin)
        assert not people.forget_words(book, commitment, by=admin)
        assert book.reader.said(commitment) is None
        with pytest.raises(errors.UsageError, match="CAL-946"):
            people.forget_words(book, "sha256:0", by=admin)
    assert [one.action for one in entries_of(office)].count("words.erase") == 1
    assert office.sound()


def _everything(office: Any) -> dict[str, Callable[[Any, Any], Any]]:
    """One call of each function that changes people, by the action that it takes."""
    issue = {"expires_us": office.now + DAY, "now_us": office.now, "random": office.random}
    return {
        "principal.enrol": lambda book, by: people.enrol(book, "new", by=by, roles=[]),
        "principal.roles": lambda book, by: people.set_roles(book, "vera", ["viewer"], by=by),
        "principal.suspend": lambda book, by: people.suspend(book, "vera", by=by),
        "principal.reinstate": lambda book, by: people.reinstate(book, "vera", by=by),
        "key.issue": lambda book, by: people.issue(book, "vera", by=by, **issue),
        "environment.set": lambda book, by: people.declare_environment(book, "canary", approvals=1, by=by),
        "words.erase": lambda book, by: people.forget_words(book, "sha256:" + "0" * 64, by=by),
    }


def test_only_admins(office: Any) -> None:
    """Everybody else is refused, and nothing changes."""
    before = office.size()
    for name in ("bob", "otto", "vera"):
        with office.open(name) as (book, who):
            for attempt in _everything(office).values():
                with pytest.raises(errors.ForbiddenError, match="CAL-901"):
                    attempt(book, who)
    assert office.size() == before
