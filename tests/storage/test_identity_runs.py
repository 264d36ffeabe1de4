"""Runs of identities: found, merged, forgotten and mapped from files, like a dictionary would."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant import errors
from calibrant.ports import event_log
from calibrant.storage import documents, embedded, identities
from calibrant.storage.embedded import runs, sqlite
from calibrant.testing import made_up
from calibrant.testing.event_log_contract import LATER, append, ids

S = "s"


@pytest.fixture
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every merged run is large."""
    monkeypatch.setattr(runs, "IN_FILE", 30)
    monkeypatch.setattr(runs, "SETTLED", 400)


def test_many_batches_against_a_dictionary(tmp_path: Path, in_files: None) -> None:
    """Random identities, a third of them again: each is told apart after merges, settling and reopening."""
    rng = np.random.default_rng(4)
    known: set[str] = set()
    for _ in range(3):
        with embedded.open_store(tmp_path) as store:
            for _ in range(60):
                names = [f"id-{number}" for number in rng.integers(0, 1_500, 12)]
                fresh = set(names) - known
                sent = made_up.predictions(*(made_up.prediction(name) for name in names))
                found = store.append_predictions(S, sent, received_us=1)
                assert (found.accepted, found.duplicate) == (len(fresh), len(names) - len(fresh))
                known |= fresh
            assert ids(store.predictions(S)) == sorted(known)
    with sqlite3.connect(tmp_path / sqlite.FILE) as connection:
        levels = [level for (level,) in connection.execute("SELECT level FROM identity_runs")]
        files = {file for (file,) in connection.execute("SELECT file FROM identity_runs WHERE file IS NOT NULL")}
    connection.close()
    assert max(levels) == 99
    assert all(levels.count(level) < runs.MERGE_AT for level in set(levels) - {99})
    assert {f"identities/{path.name}" for path in (tmp_path / "segments/identities").iterdir()} == files


def test_erased_and_expired_identities_leave_the_files(tmp_path: Path, in_files: None) -> None:
    """Retention takes them out of every run; the others are still known."""
    with embedded.open_store(tmp_path) as store:
        for day in range(40):
            told = [made_up.prediction(f"p{day}-{n}", days=day, unit=f"u{n}") for n in range(5)]
            append(store, S, [*told, *(made_up.label(one.id, days=day, revision=r) for one in told for r in (0, 1))],
                   received_us=1)  # fmt: skip
        assert store.forget_before(S, made_up.START_US + 20 * made_up.DAY_US, now_us=LATER) == 20 * 15
        assert store.forget_unit(S, "u1") == 20
        rows = sqlite3.connect(tmp_path / sqlite.FILE)
        kept = dict(rows.execute("SELECT kind, SUM(n) FROM identity_runs GROUP BY kind").fetchall())
        rows.close()
        assert kept == {0: 20 * 4, 1: 20 * 4 * 2}
        again = made_up.predictions(*(made_up.prediction(f"p{day}-2", days=day, unit="u2") for day in range(20, 40)))
        assert store.append_predictions(S, again, received_us=2).duplicate == 20


def test_a_damaged_run_is_said(tmp_path: Path, in_files: None) -> None:
    """A file of identities that is cut short or missing refuses writes; reads do not need it."""
    with embedded.open_store(tmp_path) as store:
        for number in range(8):
            append(store, S, [made_up.prediction(f"p{number}-{n}") for n in range(5)], received_us=1)
    file = next((tmp_path / "segments/identities").iterdir())
    whole = file.read_bytes()
    for damage in (lambda: file.write_bytes(whole[:-16]), file.unlink):
        damage()
        with embedded.open_store(tmp_path) as store:
            with pytest.raises(errors.StoreDamagedError, match="CAL-854"):
                append(store, S, [made_up.prediction("new")], received_us=2)
            assert len(ids(store.predictions(S))) == 40


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30), st.integers(0, 3), st.integers(0, 3))
def test_neighbours_share_the_first_half(names: list[tuple[int, int]], high: int, low: int) -> None:
    """A run finds an identity among others with the same first half, and no other one."""
    words = np.array(sorted(set(names)), np.uint64).reshape(-1, 2)
    zero = np.zeros(len(words), np.int64)
    run = runs.of_columns(words[:, 0], words[:, 1], zero, zero, words)
    at = int(run.find(np.array([high], np.uint64), np.array([low], np.uint64))[0])
    assert (at >= 0) == ((high, low) in names)
    if at >= 0:
        assert (run.high[at], run.low[at]) == (high, low)


def test_identities_in_tables_are_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of schema version 4, as it was released, with events in it: each is still known, and the tables go."""
    from calibrant.storage.embedded import legacy_runs

    monkeypatch.setattr(legacy_runs, "BLOCK", 3)
    said = [made_up.label(f"p{n}", source=source, revision=r) for n in range(5) for source in ("", "x") for r in (0, 1)]
    told = [made_up.prediction(f"p{n}", days=n) for n in range(10)]
    _version_4(tmp_path, told, said)
    for _ in range(2):
        with embedded.open_store(tmp_path) as store:
            assert store.append_predictions(S, made_up.predictions(*told), received_us=9).duplicate == 10
            assert store.append_labels(S, made_up.labels(*said), received_us=9).duplicate == 20
            other = store.append_predictions(S, made_up.predictions(made_up.prediction("p3", score=0.9)), received_us=9)
            assert other.conflicting == 1
            append(store, S, [made_up.label("p9", days=20)], received_us=9)
            assert made_up.START_US + 9 * made_up.DAY_US in store.dirty(S)
    with sqlite3.connect(tmp_path / sqlite.FILE) as connection:
        left = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert not left & {"predictions_seen", "labels_seen"}


def _version_4(root: Path, told: list[made_up.Prediction], said: list[made_up.Label]) -> None:
    """What an ingest of that version left in the tables of identities."""
    with sqlite3.connect(root / sqlite.FILE) as connection:
        for script in documents.migrations("sqlite")[:4]:
            connection.executescript(script)
        connection.execute("PRAGMA user_version = 4")
        connection.execute(
            "INSERT INTO streams (stream_id, name, partition_us, last_seq, last_received_us) VALUES (1, ?, ?, 30, 5)",
            (S, event_log.DAY_US),
        )
        for seq, one in enumerate(told, 1):
            at = int(one.at.timestamp()) * 1_000_000
            row = (1, one.id, one.digest(), at - at % event_log.DAY_US, seq)
            connection.execute("INSERT INTO predictions_seen VALUES (?, ?, ?, ?, ?)", row)
        for seq, label in enumerate(said, 11):
            key: identities.LabelKey = (label.prediction, label.source, label.revision)
            connection.execute("INSERT INTO labels_seen VALUES (1, ?, ?, ?, ?, ?)", (*key, label.digest(), seq))
    connection.close()
