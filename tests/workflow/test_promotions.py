"""Approval, promotion, rollback and revocation through the workflow: bytes are looked at, races lose, all is undone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibrant import errors
from calibrant.ports import control_store
from calibrant.registry import approvals, bindings
from calibrant.workflow import artifact_files, ledger, people, promotions

DAY = 86_400_000_000


def promoted(office: Any, artifact: str, request: str | None, *, by: str = "otto", **more: Any) -> promotions.Bound:
    with office.open(by) as (book, who):
        return promotions.promote(
            book, office.project.contents(), artifact, "production", by=who, now_us=office.now, request=request, **more
        )


def champion(office: Any, target: str = "fraud/production") -> str | None:
    with office.project.control_reader() as reader:
        found = promotions.bound(reader, target).binding.champion
    return None if found is None else found.artifact


def test_a_promotion_and_its_way_back(office: Any) -> None:
    """Approved, promoted, promoted over, rolled back twice: exactly what was there before, down to nothing."""
    one, two = office.signed(1), office.signed(2)
    office.promote(one, reason="first")
    office.promote(two)
    assert champion(office) == two
    with office.open("otto") as (book, otto):
        assert promotions.rollback(book, "fraud/production", by=otto).binding.champion.artifact == one
        assert promotions.rollback(book, "fraud/production", by=otto).binding == bindings.EMPTY
        with pytest.raises(errors.RefusedError, match="CAL-931"):
            promotions.rollback(book, "fraud/production", by=otto)
    assert office.sound()


def test_rollback_needs_no_bytes(office: Any) -> None:
    """With all contents gone, what served before is back."""
    one, two = office.signed(1), office.signed(2)
    office.promote(one)
    office.promote(two)
    for path in (office.project.folder / "contents").rglob("*"):
        if path.is_file():
            path.unlink()
    with office.open("otto") as (book, otto):
        promotions.rollback(book, "fraud/production", by=otto)
    assert champion(office) == one


def test_what_was_changed_on_the_disk_is_not_bound(office: Any) -> None:
    """One flipped bit in the artifact, its evidence or its signature, and the promotion is refused."""
    one = office.signed(1, evidence=b'{"verdict":"good"}\n')
    request, status, before = office.approved(one), office.status(one), office.size()
    for digest in (status.digest, status.evidence, status.signatures[0]):
        (path,) = [
            path for path in (office.project.folder / "contents").rglob("*") if path.name in digest and path.is_file()
            and path.read_bytes() and digest.endswith(path.name)
        ]  # fmt: skip
        data = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
        with pytest.raises(errors.CalibrantError, match="CAL-"):
            promoted(office, one, request)
        path.write_bytes(data)
    assert office.size() == before
    promoted(office, one, request)
    assert champion(office) == one


def test_an_untrusted_key_binds_nothing(office: Any) -> None:
    """After its key was revoked, an approved artifact is not bound any more; signed anew with another key, it is."""
    from calibrant.artifacts import keys, trust

    one = office.signed(1)
    request, new = office.approved(one), keys.generate()
    with office.open() as (book, admin):
        old = office.project.key("artifacts").public.keyid
        people.change_trust(book, lambda policy: policy.revoked(old, at_us=office.now), by=admin)
    with pytest.raises(errors.ArtifactError, match="CAL-659"):
        promoted(office, one, request)
    with office.open() as (book, admin):
        pem = new.public.pem.decode()
        people.change_trust(
            book,
            lambda policy: policy.with_key(trust.TrustedKey(pem, "otto", ("artifact",), office.now - DAY)),
            by=admin,
        )
    with office.open("otto") as (book, otto):
        artifact_files.sign(book, office.project.contents(), one, key=new, by=otto, now_us=office.now)
        # the artifact has changed since, but not what was approved
        promotions.promote(
            book, office.project.contents(), one, "production", by=otto, now_us=office.now, request=request
        )
    assert champion(office) == one


@pytest.mark.parametrize(
    ("meanwhile", "code"),
    [
        ("expires", "CAL-929"),
        ("other artifact", "CAL-927"),
        ("binding moved", "CAL-928"),
        ("more voices", "CAL-930"),
        ("no request", "CAL-930"),
        ("withdrawn", "CAL-920"),
        ("revoked", "CAL-920"),
        ("deprecated", "CAL-920"),
        ("other slot", "CAL-927"),
    ],
)
def test_an_approval_is_for_exactly_that(office: Any, meanwhile: str, code: str) -> None:
    """What happens between approval and promotion makes it void."""
    one, two = office.signed(1), office.signed(2)
    request = office.approved(one)
    artifact, slot, given = one, "champion", request
    if meanwhile == "expires":
        office.clock.us += promotions.WAITS_US
    elif meanwhile == "other artifact":
        artifact = two
    elif meanwhile == "other slot":
        slot = "challenger"
    elif meanwhile == "binding moved":
        office.promote(two)
    elif meanwhile == "no request":
        given = None
    elif meanwhile == "more voices":
        with office.open() as (book, admin):
            people.declare_environment(book, "production", approvals=2, by=admin)
    elif meanwhile == "withdrawn":
        with office.open() as (book, alice):
            promotions.withdraw(book, request, by=alice)
    with office.open("otto") as (book, otto):
        if meanwhile == "revoked":
            promotions.revoke(book, one, by=otto)
        elif meanwhile == "deprecated":
            artifact_files.deprecate(book, one, by=otto)
    before, bound_before = office.size(), champion(office)
    with pytest.raises(errors.RefusedError, match=code):
        promoted(office, artifact, given, slot=slot)
    assert (office.size(), champion(office)) == (before, bound_before)


def test_an_approval_is_used_once(office: Any) -> None:
    """The promotion uses it up in the same transaction; after a rollback it allows nothing."""
    one = office.signed(1)
    request = office.approved(one)
    promoted(office, one, request)
    with office.project.control_reader() as reader:
        found = reader.get(approvals.KIND, request)
        assert found is not None
        assert approvals.read(found).state == "used"
    with office.open("otto") as (book, otto):
        promotions.rollback(book, "fraud/production", by=otto)
    with pytest.raises(errors.RefusedError, match="CAL-920"):
        promoted(office, one, request)


def test_repeated_with_an_idempotency_key(office: Any) -> None:
    """The same request twice is one promotion, as long as nothing else happened; the log has it once."""
    one, two = office.signed(1), office.signed(2)
    request, before = office.approved(one), office.size()
    promoted(office, one, request, idempotency_key="k")
    assert office.size() == before + 2
    with pytest.raises(errors.RefusedError, match="CAL-920"):
        promoted(office, one, request, idempotency_key="k")
    with pytest.raises(errors.CalibrantError):
        promoted(office, two, request, idempotency_key="k")
    assert office.size() == before + 2


def test_revoking_takes_it_out_of_everything(office: Any) -> None:
    """Champion goes back to the newest that was not revoked, other slots are emptied, all in one transaction."""
    one, two, three = (office.signed(version) for version in (1, 2, 3))
    for artifact in (one, two, three):
        office.promote(artifact)
    office.promote(two, slot="challenger")
    with office.open("otto") as (book, otto):
        promotions.shadow(
            book, office.project.contents(), "fraud", "staging", two, by=otto, now_us=office.now
        )  # fmt: skip
        before = book.reader.size()
        changed = promotions.revoke(book, two, by=otto, reason="wrong labels")
        assert {one.name for one in changed} == {"fraud/production", "fraud/staging"}
        assert book.reader.size() == before + 3
        changed = promotions.revoke(book, three, by=otto)
        assert [bound.binding.champion.artifact for bound in changed if bound.binding.champion] == [one]
        # the revoked ones are passed over on the way back
        assert promotions.rollback(book, "fraud/production", by=otto).binding == bindings.EMPTY
        with pytest.raises(errors.RefusedError, match="CAL-920"):
            promotions.revoke(book, two, by=otto)
    assert office.sound()


def _racing(office: Any, monkeypatch: pytest.MonkeyPatch, first: Callable[[], Any], second: Callable[[], Any]) -> None:
    """``second`` decides on what it reads, then ``first`` happens, then ``second`` commits."""
    execute, done = ledger.Ledger.execute, []

    def late(self: ledger.Ledger, *arguments: Any, **more: Any) -> control_store.Committed:
        if not done:
            done.append(True)
            first()
        return execute(self, *arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr(ledger.Ledger, "execute", late)
        with pytest.raises(errors.ConflictError, match="CAL-911"):
            second()


def test_a_promotion_that_races_a_revocation_loses(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever commits second is refused: a revoked artifact is bound nowhere, also where nothing was bound before."""
    one = office.signed(1)
    request = office.approved(one)

    def revoke() -> None:
        with office.open("otto") as (book, otto):
            promotions.revoke(book, one, by=otto)

    _racing(office, monkeypatch, lambda: promoted(office, one, request), revoke)
    assert champion(office) == one
    two = office.signed(2)
    other = office.approved(two)

    def revoke_two() -> None:
        with office.open("otto") as (book, otto):
            promotions.revoke(book, two, by=otto)

    _racing(office, monkeypatch, revoke_two, lambda: promoted(office, two, other))
    assert champion(office) == one


def test_a_rollback_that_races_a_revocation_loses(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is restored is still good when it is restored."""
    one, two = office.signed(1), office.signed(2)
    office.promote(one)
    office.promote(two)

    def revoke() -> None:
        with office.open("otto") as (book, otto):
            promotions.revoke(book, one, by=otto)

    def rollback() -> None:
        with office.open("otto") as (book, otto):
            promotions.rollback(book, "fraud/production", by=otto)

    _racing(office, monkeypatch, revoke, rollback)
    assert champion(office) == two
    rollback()
    assert champion(office) is None


def test_shadow_needs_a_place(office: Any) -> None:
    """Of the same stream, in an environment that there is; without an artifact it stops."""
    one, other = office.signed(1), office.signed(1, stream="triage")
    with office.open("otto") as (book, otto):

        def shadow(stream: str, environment: str, artifact: str | None) -> bindings.Binding:
            return promotions.shadow(
                book, office.project.contents(), stream, environment, artifact, by=otto, now_us=office.now
            ).binding

        found = shadow("fraud", "production", one)
        assert found.shadow is not None
        assert found.shadow.artifact == one
        assert shadow("fraud", "production", None).shadow is None
        with pytest.raises(errors.RefusedError, match="CAL-932"):
            shadow("fraud", "production", other)
        with pytest.raises(errors.UsageError, match="CAL-941"):
            shadow("fraud", "prodction", one)


def test_two_voices(office: Any) -> None:
    """Where two must agree, one is not enough, and the proposer's service is the proposer."""
    with office.open() as (book, admin):
        people.declare_environment(book, "production", approvals=2, by=admin)
    office.hire("robot", "approver", owner="alice")
    office.hire("second", "approver", owner="bob")
    one = office.signed(1)
    request = office.approved(one)
    with pytest.raises(errors.RefusedError, match="CAL-920"):
        promoted(office, one, request)
    digest, evidence = office.status(one).digest, office.status(one).evidence
    for name, code in (("robot", "CAL-904"), ("second", "CAL-905"), ("bob", "CAL-905")):
        with office.open(name) as (book, who), pytest.raises(errors.ForbiddenError, match=code):
            promotions.decide(
                book, request, "approve", by=who, digest=digest, evidence=evidence, now_us=office.now
            )  # fmt: skip
    with office.open("carol") as (book, carol):
        promotions.decide(book, request, "approve", by=carol, digest=digest, evidence=evidence, now_us=office.now)
    promoted(office, one, request)
    assert champion(office) == one


def test_nothing_without_evidence_is_asked_for(office: Any) -> None:
    """A draft without a proof can be sealed and signed, and nobody can approve it."""
    one = office.signed(1, evidence=None)
    with office.open() as (book, alice), pytest.raises(errors.RefusedError, match="CAL-925"):
        promotions.ask(book, one, "production", by=alice, request="r", now_us=office.now)


def test_a_content_of_another_version_is_noticed(office: Any) -> None:
    """A registry that names the bytes of another artifact is refused when they are looked at."""
    one = office.signed(1)
    status = dataclasses.replace(office.status(one), version=2)
    with office.project.control_reader() as reader, pytest.raises(errors.ArtifactError, match="CAL-674"):
        promotions.demand_verified(reader, office.project.contents(), status, now_us=office.now)


def test_exported_and_verified_elsewhere(office: Any, tmp_path: Path) -> None:
    """The folder of a promoted artifact verifies with the trust policy alone."""
    from calibrant.artifacts import folder, verify

    one = office.signed(1)
    with office.project.control_reader() as reader:
        artifact_files.export(reader, office.project.contents(), office.status(one), tmp_path / "out")
        policy = artifact_files.trust_policy(reader)
    read = folder.read(tmp_path / "out")
    found = verify.verify(read.files, read.signatures, trust=policy, now_us=office.now)
    assert found.digest == office.status(one).digest
