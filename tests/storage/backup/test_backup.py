"""A backup restores to the same digests, whatever goes on while it is made, and no other file restores at all."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from calibrant import errors, wiring
from calibrant.storage.backup import archive, making, restoring
from calibrant.storage.embedded import runs
from calibrant.testing import made_up
from calibrant.workflow import audit_log, backup, people

DAY = 86_400_000_000
DECLARED = """\
apiVersion: calibrant/v1
kind: Stream
metadata: {name: fraud}
spec:
  labels: {horizon: 1d}
  cohorts: [{field: carrier}]
"""


def moved(table: pa.Table, by_us: int) -> pa.Table:
    """The same events at another time."""
    place = table.schema.get_field_index("at_us")
    return table.set_column(place, table.schema.field(place), pa.array(table["at_us"].to_numpy() + by_us))


def events(office: Any, n: int, *, first: int = 0) -> tuple[pa.Table, pa.Table]:
    """Predictions of four days that ended five days ago, with their labels."""
    rng = np.random.default_rng(first)
    made = made_up.many_predictions(n, first=first, rng=rng, days=4.0)
    by_us = office.now - made_up.START_US - 9 * DAY
    return moved(made, by_us), moved(made_up.many_labels(made, rng=rng), by_us)


@pytest.fixture
def filled(office: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Decisions, contents, sealed and hot events, runs in files, an orphan, a duplicate, an unfinished ingest."""
    monkeypatch.setattr(runs, "IN_FILE", 200)
    office.promote(office.signed(1), reason="first")
    office.promote(office.signed(2), reason="second")
    (office.project.folder / "streams").mkdir()
    (office.project.folder / "streams" / "fraud.yaml").write_text(DECLARED)
    (office.project.folder / "alerts.yaml").write_text("apiVersion: calibrant/v1\nkind: Alerts\n")
    (office.project.folder / "ingest").mkdir()
    (office.project.folder / "ingest" / ("0" * 32 + ".json")).write_text("{}")
    predictions, labels = events(office, 1_000)
    with office.project.open_store() as store:
        for start in range(0, 1_000, 250):
            store.append_predictions("fraud", predictions[start : start + 250], received_us=office.now)
        store.append_labels("fraud", labels, received_us=office.now)
        store.maintain(now_us=office.now)
        more, other = events(office, 50, first=2_000)
        store.append_predictions("fraud", more, received_us=office.now)
        store.append_predictions("fraud", more, received_us=office.now)
        store.append_labels("fraud", moved(other, 0)[:10], received_us=office.now)
        store.append_labels("fraud", events(office, 5, first=5_000)[1], received_us=office.now)
    assert list((office.project.folder / "store" / "segments").glob("*/*.parquet"))
    assert list((office.project.folder / "store" / "segments").glob("*/*.run"))
    return office


def installation(project: wiring.Project) -> making.Installation:
    return making.Installation(project.folder, project.contents(), project.copy_folder())


def made(office: Any, name: str = "saved.tar", **more: Any) -> Path:
    path = Path(name).resolve()
    making.make(installation(office.project), path, now_us=office.now, **({"with_keys": False} | more))
    return path


def digest(rows: object) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def state(project: wiring.Project) -> dict[str, Any]:
    """Everything that can be asked of an installation."""
    with project.control_reader() as control:
        found: dict[str, Any] = {"log": backup.log_of(control, project.audit_copy()), "notes": control.checkpoints()}
        for kind in audit_log.KINDS:
            for one in control.browse(kind):
                found[f"{kind}/{one.name}"] = [
                    (each.revision, each.digest, each.at_us, each.index) for each in control.history(kind, one.name)
                ]
        found["said"] = [line.said for line in audit_log.lines(control, audit_log.Wanted())]
    with project.open_reader() as reader:
        for stream in reader.streams():
            found[stream] = (reader.counts(stream), reader.dirty(stream), reader.damaged(stream))
            for name in ("predictions", "labels"):
                rows = made_up.rows(list(getattr(reader, name)(stream)))
                found[f"{stream} {name}"] = digest(sorted(rows, key=lambda row: row["seq"]))
            found[f"{stream} refused"] = (reader.quarantined(stream).to_pylist(), reader.rejected(stream).to_pylist())
    found["contents"] = sorted(project.contents().digests())
    found["declared"] = [project.stream(name) for name in project.declared()]
    found["ingest"] = sorted(path.read_bytes() for path in (project.folder / "ingest").glob("*"))
    return found


def test_restored_is_equal(filled: Any) -> None:
    """Root, every revision, every word, every row, all contents, and the numbers of a check: the same."""
    before = state(filled.project)
    path = made(filled)
    restored = wiring.Project(Path("restored.d").resolve())
    manifest = restoring.restore(path, restored.folder)
    assert state(restored) == before == state(filled.project)
    assert before["log"].sound
    assert "kind: Alerts" in (restored.folder / "alerts.yaml").read_text()
    assert (manifest.log, dict(manifest.streams)) == (before["log"], {"fraud": before["fraud"][0]})
    places = ("calibrant.d", "restored.d")
    told = [filled.run("check", "--stream", "fraud", "--json", "--store", place) for place in places]
    assert told[0].out == told[1].out
    assert told[0].json["verdict"]
    checked = [filled.run("verify-summaries", "fraud", "--json", "--store", place).json for place in places]
    assert checked[0] == checked[1]
    assert checked[0]["checked"] > 0
    assert checked[0]["differences"] == []


def test_what_is_restored_goes_on(filled: Any) -> None:
    """It can be decided and ingested there; an event that was saved is a duplicate there too."""
    path = made(filled, with_keys=True)
    restoring.restore(path, Path("restored.d"))
    filled.project = wiring.Project(Path("restored.d").resolve())
    predictions, _ = events(filled, 1_000)
    with filled.project.open_store() as store:
        assert store.append_predictions("fraud", predictions, received_us=filled.now).duplicate == 1_000
    filled.promote(filled.signed(3))
    assert filled.sound()


def test_keys_are_only_in_it_on_request(filled: Any) -> None:
    """Without them nobody can sign with a stolen backup; with them the restored files are their owner's alone."""
    with archive.reading(made(filled)) as opened:
        names = {one.name: len(b"".join(one.chunks)) for one in archive.members(opened)}
    assert not any("key" in name for name in names)
    data = Path("saved.tar").read_bytes()
    for name in ("artifacts", "audit"):
        assert (filled.project.folder / "keys" / f"{name}.key").read_bytes() not in data
    restoring.restore(made(filled, "with.tgz", with_keys=True), Path("restored.d"))
    assert wiring.Project(Path("restored.d")).key("audit").public == filled.project.key("audit").public


def test_in_the_middle_of_work(filled: Any) -> None:
    """Taken while one thread ingests and another decides: consistent, and nothing acknowledged before is missing."""
    stop, acknowledged = threading.Event(), {"events": 0, "size": 0}
    failed: list[BaseException] = []

    def watched(work: Any) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  # the test fails with it below
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def ingest() -> None:
        with filled.project.open_store() as store:
            first = 10_000
            while not stop.is_set():
                predictions, labels = events(filled, 300, first=first)
                store.append_predictions("fraud", predictions, received_us=filled.now)
                store.append_labels("fraud", labels, received_us=filled.now)
                store.maintain(now_us=filled.now)
                acknowledged["events"], first = store.counts("fraud").predictions, first + 300

    def decide() -> None:
        approvals = 0
        while not stop.is_set():
            with filled.open() as (book, admin):
                people.declare_environment(book, "staging", approvals=approvals % 2, by=admin)
                acknowledged["size"], approvals = book.store.size(), approvals + 1

    threads = [watched(ingest), watched(decide)]
    try:
        for number in range(3):
            before = dict(acknowledged)
            path = made(filled, f"{number}.tar")
            restored = wiring.Project(Path(f"{number}.d").resolve())
            manifest = restoring.restore(path, restored.folder)
            assert manifest.damaged == ()
            assert manifest.log is not None
            assert manifest.log.sound
            assert manifest.log.size >= before["size"]
            assert manifest.streams["fraud"].predictions >= before["events"]
            assert state(restored)["log"] == manifest.log
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []
    assert acknowledged["events"] > 1_050


def rewritten(path: Path, change: Any) -> Path:
    """The same archive with other files in it."""
    with archive.reading(path) as opened:
        files = [(one.name, b"".join(one.chunks)) for one in archive.members(opened)]
    out = path.with_name("changed.tar")
    with archive.writing(out, at_us=0) as writer:
        for name, data in change(files):
            writer.add(name, io.BytesIO(data), size=len(data))
    return out


def without_list(files: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return files[:-1]


def edited(files: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(name, data.replace(b"fraud", b"frauds") if name.startswith("streams") else data) for name, data in files]


def with_more(files: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [("streams/other.yaml", b""), *files]


def twice(files: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [files[0], *files]


def other_list(files: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [*files[:-1], (files[-1][0], files[-1][1].replace(b"backup/1", b"backup/2"))]


def other_root(files: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    told = json.loads(files[-1][1])
    return [*files[:-1], (files[-1][0], files[-1][1].replace(told["log"]["root"].encode(), b"0" * 64))]


BAD = {
    "no list": (without_list, "CAL-124"),
    "edited": (edited, "CAL-126"),
    "more": (with_more, "CAL-126"),
    "less": (lambda files: files[1:], "CAL-126"),
    "twice": (twice, "CAL-124"),
    "other schema": (other_list, "CAL-127"),
    "no manifest": (lambda files: [*files[:-1], (files[-1][0], b"[]")], "CAL-127"),
    "other root": (other_root, "CAL-128"),
}


def test_another_archive_is_refused(filled: Any) -> None:
    """Well-formed archives that are not what was saved: refused, and there is no folder afterwards."""
    path = made(filled)
    for change, code in BAD.values():
        with pytest.raises(errors.SourceError, match=code):
            restoring.restore(rewritten(path, change), Path("restored.d"))
        assert sorted(one.name for one in Path().iterdir()) == ["calibrant.d", "changed.tar", "saved.tar"]


def test_flipped_bits_are_refused(filled: Any) -> None:
    """Anywhere in the archive, at forty places."""
    path = made(filled)
    data = path.read_bytes()
    for place in np.random.default_rng(1).integers(0, len(data), 40):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(errors.SourceError, match=r"CAL-12[4-7]"):
            making.check(path)
    with pytest.raises(errors.SourceError, match=r"CAL-12[4-7]"):
        restoring.restore(path, Path("restored.d"))
    assert not Path("restored.d").exists()


def test_nothing_is_overwritten(filled: Any) -> None:
    """Neither an archive nor a folder that has something in it; an empty one is taken."""
    path = made(filled)
    with pytest.raises(errors.UsageError, match="CAL-418"):
        made(filled)
    with pytest.raises(errors.UsageError, match="CAL-419"):
        restoring.restore(path, filled.project.folder)
    Path("link").symlink_to("elsewhere")
    with pytest.raises(errors.UsageError, match="CAL-419"):
        restoring.restore(path, Path("link"))
    Path("empty").mkdir()
    restoring.restore(path, Path("empty"))
    with pytest.raises(errors.SourceError, match="CAL-110"):
        made(filled, "nowhere/saved.tar")


def test_damage_of_the_installation_is_told(filled: Any) -> None:
    """A changed segment, a changed content and one that is gone do not stop a backup; it and its restoration tell."""
    segment = next((filled.project.folder / "store" / "segments").glob("*/*.parquet"))
    segment.write_bytes(segment.read_bytes()[:-1] + b"?")
    content = filled.project.folder / "contents"
    (lost,) = [one for one in content.glob("*/*") if one.read_bytes() == b"{}\n"]
    lost.chmod(0o600)
    lost.write_bytes(b"[]\n")
    gone = filled.status("fraud@1").signatures[0]
    (content / gone[7:9] / gone[7:]).unlink()
    manifest = making.make(installation(filled.project), Path("saved.tar"), with_keys=False, now_us=filled.now)
    assert sorted(one.split()[0] for one in manifest.damaged) == ["content", "content", "segment"]
    assert f"content {gone}" in manifest.damaged
    assert restoring.restore(Path("saved.tar"), Path("restored.d")).damaged == manifest.damaged
    assert filled.run("backup", "again.tar").code == 1
    assert filled.run("restore", "again.tar", "--to", "again.d").code == 1


def test_an_older_schema_is_saved_as_it_is(filled: Any) -> None:
    """The archive has the schema that was there; restoring brings it up."""
    from calibrant.storage.control import migrations, sqlite

    opened = sqlite.ControlSqlite(filled.project.folder / "control.sqlite")
    newest = len(migrations.steps("sqlite"))
    opened.migrate(newest - 1)
    opened.close()
    path = made(filled)
    connection = sqlite3.connect(filled.project.folder / "control.sqlite")
    assert connection.execute("PRAGMA user_version").fetchone()[0] == newest - 1
    connection.close()
    restoring.restore(path, Path("restored.d"))
    with wiring.Project(Path("restored.d")).control_reader() as reader:
        assert reader.schema_version() == newest


def test_commands(filled: Any) -> None:
    """Backup, check and restore as they are typed; a server's store is refused and pg_dump named."""
    ran = filled.run("backup", "saved.tar.gz")
    assert (ran.code, "private keys: not in it" in ran.out) == (0, True)
    assert filled.run("backup", "--check", "saved.tar.gz").code == 0
    ran = filled.run("restore", "saved.tar.gz", "--to", "restored.d", "--json")
    assert (ran.code, ran.json["schema"]) == (0, "calibrant.backup/1")
    assert filled.run("audit", "verify", "--store", "restored.d").code == 0
    ran = filled.run("backup", "other.tar", "--store", "postgresql://nowhere/db")
    assert (ran.code, ran.refusal) == (2, "CAL-416")
    assert "pg_dump" in ran.err
    assert filled.run("backup", "other.tar", "--store", "empty.d").refusal == "CAL-111"
    counts = filled.run("backup", "--check", "saved.tar.gz", "--json").json["streams"]["fraud"]
    assert counts["predictions"] == 1_050
