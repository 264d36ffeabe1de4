"""The bytes of artifacts: versions, parents, drafts drawn up anew, sealing and signing what was sealed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calibrant import errors
from calibrant.artifacts import document, folder, keys, trust
from calibrant.workflow import artifact_files, people

DAY = 86_400_000_000


def test_versions_and_parents(office: Any) -> None:
    """Versions only grow; the parent is the newest that was signed and not revoked."""
    from calibrant.workflow import promotions

    with office.open() as (book, _):
        assert artifact_files.next_version(book.reader, "fraud") == 1
        assert artifact_files.parent_of(book.reader, "fraud") is None
    one, two = office.signed(1), office.signed(2)
    office.draft(3)
    with office.open("otto") as (book, otto):
        assert artifact_files.next_version(book.reader, "fraud") == 4
        assert artifact_files.next_version(book.reader, "frau") == 1
        assert artifact_files.parent_of(book.reader, "fraud") == office.status(two).digest
        promotions.revoke(book, two, by=otto)
        assert artifact_files.parent_of(book.reader, "fraud") == office.status(one).digest
        artifact_files.deprecate(book, one, by=otto)
        assert artifact_files.parent_of(book.reader, "fraud") == office.status(one).digest


def test_a_draft_can_be_drawn_up_anew(office: Any) -> None:
    """Until it is sealed; then the bytes are what they are."""
    first = office.status(office.draft(1)).digest
    office.clock.us += DAY
    name = office.draft(1)
    assert office.status(name).digest != first
    with office.open() as (book, alice):
        sealed = artifact_files.seal(book, office.project.contents(), name, by=alice, now_us=office.now)
        with pytest.raises(errors.RefusedError, match="CAL-920"):
            artifact_files.seal(book, office.project.contents(), name, by=alice, now_us=office.now)
    assert document.loads(office.project.contents().get(sealed.digest)).sealed_at_us == office.now
    with pytest.raises(errors.RefusedError, match="CAL-920"):
        office.draft(1)
    assert office.status(name) == sealed


def test_a_draft_names_its_evidence(office: Any) -> None:
    """No other, none where it names one, none that it does not name."""
    for named, given in ((b"{}\n", b"[]\n"), (b"{}\n", None), (None, b"{}\n")):
        made = office.drawn_up(1, evidence=named)
        with office.open() as (book, alice), pytest.raises(errors.UsageError, match="CAL-947"):
            artifact_files.draft(book, office.project.contents(), made, evidence=given, by=alice)


def test_only_what_is_sealed_is_signed(office: Any) -> None:
    """Not a draft; not with a key that nobody trusts, that is for checkpoints, or whose time is over."""
    name, kept = office.draft(1), office.project.contents()

    def sign(key: keys.PrivateKey) -> None:
        with office.open("otto") as (book, otto):
            artifact_files.sign(book, kept, name, key=key, by=otto, now_us=office.now)

    with pytest.raises(errors.RefusedError, match="CAL-920"):
        sign(office.project.key("artifacts"))
    with office.open() as (book, alice):
        artifact_files.seal(book, kept, name, by=alice, now_us=office.now)
    with pytest.raises(errors.ArtifactError, match="CAL-657"):
        sign(keys.generate())
    with pytest.raises(errors.ArtifactError, match="CAL-658"):
        sign(office.project.key("audit"))
    assert office.status(name).state == "sealed"
    sign(office.project.key("artifacts"))
    assert office.status(name).state == "signed"
    with pytest.raises(errors.RefusedError, match="CAL-934"):
        sign(office.project.key("artifacts"))


def test_two_owners(office: Any, tmp_path: Path) -> None:
    """Where the policy wants two, one signature binds nothing and both do; the folder carries both."""
    import dataclasses

    second = keys.generate("ecdsa-p256")
    pem = second.public.pem.decode()
    with office.open() as (book, admin):
        people.change_trust(
            book,
            lambda policy: dataclasses.replace(
                policy.with_key(trust.TrustedKey(pem, "otto", ("artifact",), 0)), threshold=2
            ),
            by=admin,
        )
    name, kept = office.signed(1), office.project.contents()
    with office.project.control_reader() as reader, pytest.raises(errors.ArtifactError, match="CAL-661"):
        artifact_files.verified(reader, kept, office.status(name), now_us=office.now)
    with office.open("otto") as (book, otto):
        artifact_files.sign(book, kept, name, key=second, by=otto, now_us=office.now)
        found = artifact_files.verified(book.reader, kept, office.status(name), now_us=office.now)
        assert set(found.owners) == {"alice", "otto"}
        artifact_files.export(book.reader, kept, office.status(name), tmp_path / "out")
    assert len(folder.read(tmp_path / "out").signatures) == 2


def test_unsigned_artifacts_stay_here(office: Any, tmp_path: Path) -> None:
    """A draft is neither verified nor exported."""
    name = office.draft(1)
    with office.project.control_reader() as reader:
        status = office.status(name)
        with pytest.raises(errors.RefusedError, match="CAL-920"):
            artifact_files.verified(reader, office.project.contents(), status, now_us=office.now)
        with pytest.raises(errors.RefusedError, match="CAL-920"):
            artifact_files.export(reader, office.project.contents(), status, tmp_path / "out")
    assert not (tmp_path / "out").exists()
