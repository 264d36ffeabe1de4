"""``calibrant doctor``: a healthy installation has nothing to mend, and each check finds what was done to one."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from calibrant import wiring
from calibrant.artifacts import provenance
from calibrant.registry import resources
from calibrant.storage.audit_copy import journal
from calibrant.streams import declaration
from calibrant.testing import made_up
from calibrant.workflow import doctor, people
from calibrant.workflow.doctor import files, findings

DAY = 86_400_000_000
CODE = provenance.Code("0.1.0", "3.11", "2", "1")
STREAM = declaration.Stream("fraud", declaration.LabelContract(timedelta(days=1)), owner="risk", runbook="wiki/fraud")


@pytest.fixture
def healthy(office: Any) -> Any:
    """Two admins, a champion, sealed and summarised events, a checkpoint over everything."""
    office.hire("dora", "admin")
    office.promote(office.signed(1))
    made = made_up.many_predictions(50, rng=np.random.default_rng(1))
    place = made.schema.get_field_index("at_us")
    at = made["at_us"].to_numpy() - made_up.START_US + office.now - 2 * DAY
    made = made.set_column(place, made.schema.field(place), pa.array(at))
    with office.project.open_store() as store:
        store.append_predictions("fraud", made, received_us=office.now)
        store.maintain(now_us=office.now)
        store.clean("fraud", store.dirty("fraud"), seq=store.last_seq("fraud"))
    return office


def seen(office: Any, **changes: Any) -> dict[str, list[str]]:
    """What was seen, by code."""
    project = office.project
    with project.control_reader() as control, project.open_reader() as events:
        disk = files.look_at_disk(project.folder, project.copy_folder(), server=False)
        place = doctor.Installation(
            project.folder, dataclasses.replace(disk, wanted=0, same_as_copy=False), control, events,
            project.contents(), project.audit_copy(), (STREAM,), CODE, True, office.now,
        )  # fmt: skip
        found = doctor.examine(dataclasses.replace(place, **changes))
    every: dict[str, list[str]] = {}
    for one in found:
        every.setdefault(one.check.code, []).append(one.seen)
    return every


def tamper(office: Any, statement: str, *values: object, file: str = "control.sqlite") -> None:
    """Change a database past Calibrant."""
    connection = sqlite3.connect(office.project.folder / file)
    with connection:
        connection.execute(statement, values)
    connection.close()


def test_a_healthy_installation(healthy: Any) -> None:
    """Nothing, not even a note."""
    assert seen(healthy) == seen(healthy, full=True) == {}


# ---------------------------------------------------------------- files


def test_a_key_that_others_can_read(healthy: Any) -> None:
    """Also by the group alone."""
    (healthy.project.folder / "keys" / "audit.key").chmod(0o640)
    assert list(seen(healthy)) == ["CAL-960"]


def test_what_others_can_change(healthy: Any) -> None:
    """The folder, the databases, the folder of keys."""
    bad = {".": 0o777, "keys": 0o755, "store": 0o703, "control.sqlite": 0o604, "audit-copy": 0o777}
    for name, mode in bad.items():
        path = healthy.project.folder / name
        before = path.stat().st_mode & 0o777
        path.chmod(mode)
        assert list(seen(healthy)) == ["CAL-961"], name
        path.chmod(before)


def test_room_on_the_disk(healthy: Any) -> None:
    """Less than is wanted; what is wanted is a gigabyte and a copy of the database."""
    assert list(seen(healthy, disk=findings.Disk(10, 11, False))) == ["CAL-962"]
    size = (healthy.project.folder / "store" / "events.sqlite").stat().st_size
    disk = files.look_at_disk(healthy.project.folder, healthy.project.copy_folder(), server=False)
    assert (disk.wanted, disk.same_as_copy) == ((1 << 30) + size, True)
    assert files.look_at_disk(Path("nowhere"), Path("nowhere"), server=True).same_as_copy is None


def test_a_key_that_is_not_here(healthy: Any) -> None:
    """Noted: another machine may sign."""
    (healthy.project.folder / "keys" / "audit.key").unlink()
    assert list(seen(healthy)) == ["CAL-986"]
    (healthy.project.folder / "keys" / "artifacts.key").unlink()
    (healthy.project.folder / "keys").rmdir()
    assert list(seen(healthy)) == ["CAL-986"]


# ---------------------------------------------------------------- decisions


def test_a_clock_behind(healthy: Any) -> None:
    """Before the newest entry; before the newest prediction. A second behind is nothing."""
    assert seen(healthy, now_us=healthy.now - 1_000_000) == {}
    found = seen(healthy, now_us=healthy.now - DAY)
    assert len(found["CAL-965"]) == 1
    assert len(seen(healthy, now_us=healthy.now - 3 * DAY)["CAL-965"]) == 2


def rewrite(office: Any, kind: str, name: str, **members: Any) -> None:
    """Another body for a resource, as somebody would write it into the tables; its digest is right."""
    with office.project.control_reader() as reader:
        one = reader.get(kind, name)
        assert one is not None
        body = {**(one.body or {}), **members}
    from calibrant.calibrators import canonical

    tamper(
        office, "UPDATE revisions SET body = ?, digest = ? WHERE kind = ? AND name = ? AND revision = ?",
        canonical.dumps(body), resources.digest(body), kind, name, one.revision,
    )  # fmt: skip


def test_a_champion_that_nobody_vouches_for(healthy: Any, again: Callable[[], None]) -> None:
    """Not signed, revoked, its signatures taken away, another artifact."""
    changes: tuple[dict[str, Any], ...] = (
        {"state": "sealed"},
        {"state": "revoked"},
        {"signatures": []},
        {"digest": "x"},
    )
    for change in changes:
        rewrite(healthy, "artifact", "fraud@1", **change)
        assert list(seen(healthy)) == ["CAL-966"], change
        again()


def test_a_champion_whose_key_was_revoked(healthy: Any) -> None:
    """It was good when it was promoted."""
    with healthy.open() as (book, admin):
        keyid = healthy.project.key("artifacts").public.keyid
        people.change_trust(book, lambda policy: policy.revoked(keyid, at_us=healthy.now), by=admin)
    assert "CAL-659" in seen(healthy)["CAL-966"][0]


def test_a_champion_that_expires(healthy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a week; a minute ago; long ago."""
    made = dataclasses.replace(healthy.drawn_up(2), expires_us=healthy.now + 30 * DAY)
    monkeypatch.setattr(healthy, "drawn_up", lambda *_, **__: made)
    healthy.promote(healthy.signed(2))
    assert list(seen(healthy)) == []
    assert list(seen(healthy, now_us=healthy.now + 23 * DAY)) == ["CAL-968"]
    assert list(seen(healthy, now_us=healthy.now + 30 * DAY + 60_000_000)) == ["CAL-967"]
    assert list(seen(healthy, now_us=healthy.now + 31 * DAY)) == ["CAL-967"]


def test_bytes_that_are_gone(healthy: Any) -> None:
    """Missing, changed, and no place at all."""
    digest = healthy.status("fraud@1").digest.removeprefix("sha256:")
    path = healthy.project.folder / "contents" / digest[:2] / digest
    data = path.read_bytes()
    path.unlink()
    assert list(seen(healthy)) == ["CAL-969"]
    path.write_bytes(data + b" ")
    assert list(seen(healthy)) == ["CAL-969"]
    assert list(seen(healthy, contents=None)) == ["CAL-969"]


def test_other_versions(healthy: Any) -> None:
    """Named, both of them."""
    (told,) = seen(healthy, code=dataclasses.replace(CODE, numpy="3"))["CAL-984"]
    assert "numpy 2 (here 3)" in told


def test_keys_that_end(healthy: Any) -> None:
    """Within two weeks, by name and never by secret; ended ones are nobody's concern."""
    prefix = healthy.hire("temp", "viewer", days=7)
    (told,) = seen(healthy)["CAL-975"]
    assert prefix in told
    assert healthy.tokens["temp"].split("_")[2] not in told
    assert seen(healthy, now_us=healthy.now + 8 * DAY) == {}
    with healthy.open() as (book, admin):
        people.suspend(book, "temp", by=admin)
    assert list(seen(healthy)) == ["CAL-976"]
    with healthy.open() as (book, admin):
        people.revoke_key(book, prefix, by=admin)
    assert seen(healthy) == {}


def test_one_admin(healthy: Any) -> None:
    """Another one who is suspended does not count, nor does a service of the same person."""
    with healthy.open() as (book, admin):
        people.suspend(book, "dora", by=admin)
    healthy.hire("robot", "admin", owner="alice")
    assert seen(healthy)["CAL-977"] == ["alice"]


def test_production_without_approval(healthy: Any) -> None:
    """Nobody is asked."""
    with healthy.open() as (book, admin):
        people.declare_environment(book, "production", approvals=0, by=admin)
    assert list(seen(healthy)) == ["CAL-978"]


# ---------------------------------------------------------------- the log


def unsigned(office: Any) -> None:
    """An entry that no checkpoint covers."""
    with office.project.open_control() as store:
        from calibrant.workflow import ledger

        book = ledger.Ledger(store, office.project.audit_copy(), None, office.clock)
        alice = people.principals.Principal("alice", "person", None, frozenset({"admin"}))
        people.declare_environment(book, "testing", approvals=1, by=alice)


def test_entries_without_a_checkpoint(healthy: Any) -> None:
    """For a minute it is as it should be."""
    unsigned(healthy)
    assert seen(healthy, now_us=healthy.now + 60_000_000) == {}
    assert list(seen(healthy, now_us=healthy.now + 61_000_000)) == ["CAL-970"]


@pytest.fixture
def again(healthy: Any) -> Callable[[], None]:
    """Puts back the control store and the journal as they were."""
    kept = {
        path: path.read_bytes()
        for path in (healthy.project.folder / name for name in ("control.sqlite", "audit-copy/journal.jsonl"))
    }

    def put_back() -> None:
        for path, data in kept.items():
            path.write_bytes(data)

    return put_back


def test_a_log_that_was_changed(healthy: Any, again: Callable[[], None]) -> None:
    """An entry, a hash of it, a hash above it, a checkpoint, a hash that is gone."""
    for statement in (
        "UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), 'installation', 'mallory') AS BLOB) WHERE idx = 3",
        "UPDATE nodes SET hash = zeroblob(32) WHERE level = 0 AND idx = 4",
        "UPDATE nodes SET hash = zeroblob(32) WHERE level = (SELECT MAX(level) FROM nodes)",
        "UPDATE checkpoints SET note = replace(note, 'calibrant', 'calibrand')",
        "DELETE FROM nodes WHERE level = 0 AND idx = 4",
    ):
        tamper(healthy, statement)
        assert "CAL-971" in seen(healthy), statement
        assert "CAL-971" in seen(healthy, full=True), statement
        again()
    assert seen(healthy) == {}


def test_a_hash_in_the_middle(healthy: Any) -> None:
    """No root is made of it any more: only who reads everything finds it."""
    tamper(healthy, "UPDATE nodes SET hash = zeroblob(32) WHERE level = 1 AND idx = 0")
    assert seen(healthy) == {}
    assert list(seen(healthy, full=True)) == ["CAL-971"]


def test_a_second_place_beside_the_first(healthy: Any) -> None:
    """On the same disk; elsewhere it is fine."""
    assert list(seen(healthy, disk=findings.Disk(1, 0, True))) == ["CAL-972"]


def test_a_second_place_that_is_gone(healthy: Any) -> None:
    """No journal, a journal with a gap, a folder that cannot be read."""
    path = healthy.project.folder / "audit-copy" / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[3:]))
    assert list(seen(healthy)) == ["CAL-973"]
    path.unlink()
    assert list(seen(healthy)) == ["CAL-973"]
    path.mkdir(mode=0o700)
    assert list(seen(healthy)) == ["CAL-973"]


def test_a_second_place_that_says_something_else(healthy: Any, again: Callable[[], None]) -> None:
    """Behind, another text, more than the log has."""
    path, size = healthy.project.folder / "audit-copy" / "journal.jsonl", healthy.size()
    data = path.read_bytes()
    for change in (
        b"".join(data.splitlines(keepends=True)[:5]),
        data.replace(b"alice", b"mallory"),
        data + journal.intent(size, [b"{}"], by="x") + journal.done(size + 1, by="x"),
    ):
        path.write_bytes(change)
        assert list(seen(healthy)) == ["CAL-974"]
        again()
    assert seen(healthy) == {}


# ---------------------------------------------------------------- streams


def test_declarations(healthy: Any) -> None:
    """No owner, no runbook; masking without a key."""
    bare = dataclasses.replace(STREAM, owner="", runbook=" ")
    assert seen(healthy, streams=(bare,)) == {"CAL-982": ["fraud has no owner and no runbook"]}
    masking = dataclasses.replace(STREAM, context=declaration.ContextPolicy(hmac=("account",)))
    assert seen(healthy, streams=(masking,)) == {}
    assert seen(healthy, streams=(masking,), masks=False) == {"CAL-983": ["fraud masks account"]}


def test_events_that_wait(healthy: Any) -> None:
    """A label without its prediction; a partition that changed."""
    at = made_up.labels(made_up.label("nobody"))
    with healthy.project.open_store() as store:
        store.append_labels("fraud", at, received_us=healthy.now)
    assert list(seen(healthy)) == ["CAL-981"]
    with healthy.project.open_store() as store:
        store.append_predictions("other", made_up.predictions(made_up.prediction("p")), received_us=healthy.now)
    assert "CAL-980" in seen(healthy)


def test_a_damaged_segment(healthy: Any) -> None:
    """Found where every byte is read."""
    segment = next((healthy.project.folder / "store" / "segments").glob("*/*.parquet"))
    segment.write_bytes(segment.read_bytes()[:-1] + b"?")
    assert seen(healthy) == {}
    assert list(seen(healthy, full=True)) == ["CAL-979"]


# ---------------------------------------------------------------- the command


def test_the_command(healthy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings of a fresh installation, exit codes, JSON; no key is needed and no secret is shown."""
    ran = healthy.run("doctor", "--json")
    codes = {one["code"] for one in ran.json["findings"]}
    assert codes - {"CAL-962"} == {"CAL-972", "CAL-984"}
    assert (ran.code, ran.json["not_looked_at"]) == (1, [])
    assert all(one["why"] and one["fix"] and one["seen"] for one in ran.json["findings"])
    monkeypatch.delenv(wiring.TOKEN_VARIABLE)
    monkeypatch.setattr(files, "look_at_disk", lambda *_, **__: findings.Disk(1, 0, False))
    from calibrant import cli

    assert cli.invoke(["doctor", "--full"]) == 0
    assert not any(token.split("_")[2] in ran.out for token in healthy.tokens.values())
    ran = healthy.run("doctor", "--store", "nowhere")
    assert (ran.code, ran.refusal) == (2, "CAL-129")


def test_nothing_decided_and_nothing_ingested(healthy: Any) -> None:
    """An empty folder has nothing wrong with it; what was not looked at is said."""
    Path("new.d").mkdir(mode=0o700)
    ran = healthy.run("doctor", "--store", "new.d")
    assert "not looked at: decisions" in ran.out
    assert not (Path("new.d") / "contents").exists()


def test_other_schemas(healthy: Any) -> None:
    """Of decisions and of events, ahead or behind; the rest is looked at all the same."""
    tamper(healthy, "PRAGMA user_version = 99")
    tamper(healthy, "PRAGMA user_version = 1", file="store/events.sqlite")
    codes = [one["code"] for one in healthy.run("doctor", "--json").json["findings"]]
    assert {"CAL-963", "CAL-964"} <= set(codes)


def test_what_cannot_be_read(healthy: Any) -> None:
    """A control store that is no database, and a declaration that is none."""
    (healthy.project.folder / "control.sqlite").write_bytes(b"no database" * 1_000)
    (healthy.project.folder / "streams").mkdir()
    (healthy.project.folder / "streams" / "fraud.yaml").write_text("kind: [")
    found = healthy.run("doctor", "--json").json
    assert {"CAL-985", "CAL-987"} <= {one["code"] for one in found["findings"]}
    assert found["not_looked_at"] == ["decisions"]


def test_damage_that_one_look_meets_stops_no_other(healthy: Any) -> None:
    """A principal whose content is not that of its digest, and a stream that nobody answers for: both are told."""
    tamper(healthy, "UPDATE revisions SET body = CAST('{}' AS BLOB) WHERE kind = 'principal' AND name = 'dora'")
    found = seen(healthy, streams=(dataclasses.replace(STREAM, owner=""),))
    assert list(found) == ["CAL-982", "CAL-987"]
    assert "dora" in found["CAL-987"][0]


def test_files_of_somebody_else(healthy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that this user may not read is told, and is no crash."""

    def locked(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(wiring.Project, "open_reader", locked)
    found = healthy.run("doctor", "--json").json
    assert [one["seen"] for one in found["findings"] if one["code"] == "CAL-987"] == ["events: Permission denied"]


def test_every_check_has_a_test() -> None:
    """Each code of the checks is named in this file."""
    text = Path(__file__).read_text(encoding="utf-8")
    checks = [one for one in vars(findings).values() if isinstance(one, findings.Check)]
    assert len({one.code for one in checks}) == len(checks) >= 25
    assert [one.code for one in checks if f'"{one.code}"' not in text] == []
