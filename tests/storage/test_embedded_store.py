"""What only the embedded store has: locks, files, versions of its schema, bytes that are really gone."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from calibrant import errors
from calibrant.ports import event_log
from calibrant.storage import documents, embedded
from calibrant.storage.embedded import segments, sqlite
from calibrant.testing import made_up
from calibrant.testing.event_log_contract import LATER, append, ids, state

S = "s"


def test_one_writer(tmp_path: Path) -> None:
    """A second writer is refused in words, here and in another process; the first one's end lets it in."""
    script = "import sys; from calibrant.storage import embedded; embedded.open_store(sys.argv[1]).close()"
    with embedded.open_store(tmp_path):
        with pytest.raises(errors.StoreBusyError, match="CAL-851"):
            embedded.open_store(tmp_path)
        other = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert "CAL-851" in other.stderr
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == 0


def test_readers_beside_a_writer(tmp_path: Path) -> None:
    """A reader sees each acknowledged batch, also after the writer closed, and cannot write."""
    with pytest.raises(errors.SourceError, match="CAL-111"):
        embedded.open_reader(tmp_path)
    with embedded.open_store(tmp_path) as store, embedded.open_reader(tmp_path) as reader:
        for number in range(3):
            append(store, S, [made_up.prediction(f"p{number}")], received_us=1)
            assert reader.counts(S).predictions == number + 1
            store.maintain(now_us=LATER)
            assert ids(reader.predictions(S)) == ids(store.predictions(S))
    with embedded.open_reader(tmp_path) as reader:
        assert reader.counts(S).predictions == 3
        assert not hasattr(reader, "append_predictions")


def test_a_consumer_may_stop_early(tmp_path: Path) -> None:
    """A read that is not finished holds no lock for ever, and the writer goes on meanwhile."""
    with embedded.open_store(tmp_path) as store:
        append(store, S, [made_up.prediction("a", unit="u"), made_up.prediction("b", days=1, unit="u")], received_us=1)
        store.maintain(now_us=LATER)
        tables = store.predictions(S)
        assert next(tables).num_rows == 1
        store.forget_unit(S, "u")
        assert len(list((tmp_path / "segments").glob("*/*.parquet"))) == 2
        assert next(tables).num_rows == 1
        tables.close()
        store.maintain(now_us=LATER)
        assert list((tmp_path / "segments").glob("*/*.parquet")) == []


def test_paths_are_hashes(tmp_path: Path) -> None:
    """No part of a stream's name is in a path."""
    with embedded.open_store(tmp_path / "x") as store:
        append(store, "secret-name", [made_up.prediction("../../up")], received_us=1)
        store.maintain(now_us=LATER)
    names = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")]
    assert not [name for name in names if "secret" in name or "up" in name.split("/")]
    assert [name for name in names if name.endswith(".parquet")]
    assert (tmp_path / "x" / sqlite.FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("sealed", [False, True])
def test_erased_bytes_are_gone(tmp_path: Path, sealed: bool) -> None:
    """After the erasure no file of the store holds the unit, the id or the context of its events."""
    told = [
        made_up.prediction(f"id-of-{word}-{n}", unit=f"unit-{word}", days=n / 10, context={"k": f"context-{word}"})
        for n in range(20)
        for word in ("victim", "other")
    ]
    with embedded.open_store(tmp_path) as store:
        for one in told:
            append(store, S, [one, made_up.label(one.id, source=f"source-{one.unit}")], received_us=1)
        if sealed:
            store.maintain(now_us=LATER)
        assert store.forget_unit(S, "unit-victim") == 20
        assert store.counts(S).predictions == 20
        held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"id-of-other" in held
    assert b"victim" not in held


def test_what_a_crash_left_is_removed(tmp_path: Path) -> None:
    """A half-written part and a whole segment that no row names go when the store is opened; known ones stay."""
    with embedded.open_store(tmp_path) as store:
        append(store, S, [made_up.prediction("a")], received_us=1)
        store.maintain(now_us=LATER)
    known = next((tmp_path / "segments").glob("*/*.parquet"))
    (known.parent / "labels-0.part").write_bytes(b"half")
    (known.parent / "labels-1.parquet").write_bytes(known.read_bytes())
    with embedded.open_store(tmp_path) as store:
        assert ids(store.predictions(S)) == ["a"]
    assert list(known.parent.iterdir()) == [known]


def test_a_crash_while_sealing_counts_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The segment is written and the transaction fails: the hot rows are still the only ones."""
    with embedded.open_store(tmp_path) as store:
        append(store, S, [made_up.prediction("a"), made_up.label("a")], received_us=1)
        before = state(store)
        written = segments.Segments.write

        def fail(self: segments.Segments, stream: str, table: pa.Table, kind: str) -> tuple[str, None, str]:
            written(self, stream, table, kind)
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(segments.Segments, "write", fail)
        with pytest.raises(OSError, match="Input/output"):
            store.maintain(now_us=LATER)
        assert state(store) == before
        monkeypatch.undo()
        store.maintain(now_us=LATER)
        assert state(store) == before


def test_a_damaged_segment_is_said(tmp_path: Path) -> None:
    """A segment that is cut short or missing is an error with a code, not fewer rows."""
    with embedded.open_store(tmp_path) as store:
        append(store, S, [made_up.prediction("a")], received_us=1)
        store.maintain(now_us=LATER)
        known = next((tmp_path / "segments").glob("*/*.parquet"))
        known.write_bytes(known.read_bytes()[:-9])
        with pytest.raises(errors.StoreDamagedError, match="CAL-854"):
            list(store.predictions(S))
        known.unlink()
        with pytest.raises(errors.StoreDamagedError, match="CAL-854"):
            list(store.predictions(S))


def test_a_flipped_byte_is_named(tmp_path: Path) -> None:
    """Anywhere in a segment: the check names the file, and a read gives the right rows or an error with a code."""
    with embedded.open_store(tmp_path) as store:
        append(store, S, [*(made_up.prediction(f"p{n}", days=n / 99) for n in range(50)), made_up.label("p1")],
               received_us=1)  # fmt: skip
        assert store.damaged(S) == ()
        store.maintain(now_us=LATER)
        assert store.damaged(S) == store.damaged("never") == ()
        right = pa.concat_tables(store.predictions(S))
        known = next((tmp_path / "segments").glob("*/predictions-*.parquet"))
        whole = known.read_bytes()
        refused = 0
        for place in range(4, len(whole), 83):
            known.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
            assert store.damaged(S) == (f"segment {known.parent.name}/{known.name}",)
            try:
                read = pa.concat_tables(store.predictions(S))
                read.validate(full=True)
                same = read.equals(right)
            except errors.StoreDamagedError:
                refused += 1
            else:
                assert same, f"byte {place}"
        assert refused > 9
        known.unlink()
        assert len(store.damaged(S)) == 1


@pytest.mark.parametrize("version", range(1, len(documents.migrations("sqlite"))))
def test_every_earlier_version_is_brought_up(tmp_path: Path, version: int) -> None:
    """A store that was made by an earlier schema keeps its events and passes on."""
    opened = sqlite.SqliteDatabase(tmp_path, writes=True)
    opened.sealed.prepare()
    opened.migrate(upto=version)
    with opened.write() as session:
        session.run("add_stream", name=S, partition_us=event_log.DAY_US, received_us=5)
    opened.close()
    with pytest.raises(errors.UsageError, match="CAL-865"):
        embedded.open_reader(tmp_path).streams()
    with embedded.open_store(tmp_path) as store:
        assert store.streams() == (S,)
        append(store, S, [made_up.label("a"), made_up.prediction("a", unit="u")], received_us=1)
        assert [row["received_us"] for row in made_up.rows(list(store.predictions(S)))] == [5]
        assert store.forget_unit(S, "u") == 1


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    """A store of a later Calibrant is neither read nor changed."""
    embedded.open_store(tmp_path).close()
    with sqlite3.connect(tmp_path / sqlite.FILE) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    for attempt in (lambda: embedded.open_store(tmp_path), lambda: embedded.open_reader(tmp_path).streams()):
        with pytest.raises(errors.UsageError, match="CAL-865"):
            attempt()


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    """A file of another kind in the place of the database."""
    (tmp_path / sqlite.FILE).write_bytes(b"something else " * 100)
    with pytest.raises(errors.StoreDamagedError, match="CAL-854"):
        embedded.open_store(tmp_path)


def test_large_pieces_go_through_in_parts(tmp_path: Path) -> None:
    """A segment of several row groups is read in several tables, a window of it exactly."""
    table = made_up.many_predictions(150_000, rng=np.random.default_rng(1))
    with embedded.open_store(tmp_path) as store:
        assert store.append_predictions(S, table, received_us=1).accepted == 150_000
        store.maintain(now_us=LATER)
        assert len(list(store.predictions(S, columns=["id"]))) == 2
        middle = {"start_us": made_up.START_US + made_up.DAY_US // 4, "end_us": made_up.START_US + made_up.DAY_US // 2}
        assert sum(part.num_rows for part in store.predictions(S, columns=["score"], **middle)) == 37_500


def test_the_users_own_failures_stay_what_they_are(tmp_path: Path) -> None:
    """An error of the code that reads within a snapshot is not taken for one of the disk."""
    with embedded.open_store(tmp_path) as store, pytest.raises(FileNotFoundError), store.snapshot():
        raise FileNotFoundError("mine")


def test_a_reader_beside_the_making_of_a_store_finds_none_or_a_whole_one(tmp_path: Path) -> None:
    """Whatever moment it comes in, it meets CAL-111 or an empty store, never half of one."""
    seen: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            for number in range(8):
                try:
                    with embedded.open_reader(tmp_path / str(number)) as reader:
                        seen.add(f"{reader.streams()}")
                except errors.SourceError as error:
                    seen.add(error.code)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(8):
        embedded.open_store(tmp_path / str(number)).close()
    with embedded.open_reader(tmp_path / "7") as last:
        assert last.streams() == ()
    ended.set()
    reader.join()
    assert seen <= {"CAL-111", "()"}
