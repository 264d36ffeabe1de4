"""The ledger: who may, all or nothing, a second place that fails, checkpoints when due, and clocks that jump."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from calibrant import errors
from calibrant.artifacts import keys
from calibrant.audit import checkpoint, entries
from calibrant.ports import control_store
from calibrant.registry import principals, resources
from calibrant.storage.audit_copy import folder, limit
from calibrant.storage.control import sqlite
from calibrant.testing import clocks
from calibrant.workflow import audit_log, ledger

ADMIN = principals.Principal("alice", "person", None, frozenset({"admin"}))
VIEWER = principals.Principal("victor", "person", None, frozenset({"viewer"}))
KEY = keys.generate()
SIGNER = checkpoint.Signer("log.example/audit", KEY)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[control_store.ControlStore]:
    """An empty control store."""
    with sqlite.open_store(tmp_path / "control.sqlite") as opened:
        yield opened


@pytest.fixture
def clock() -> clocks.FakeClock:
    """A clock that obeys."""
    return clocks.FakeClock()


@pytest.fixture
def book(store: control_store.ControlStore, tmp_path: Path, clock: clocks.FakeClock) -> ledger.Ledger:
    """A ledger with a folder as its second place."""
    return ledger.Ledger(store, folder.FolderCopy(tmp_path / "copy"), SIGNER, clock)


def setting(reader: control_store.ControlReader, *names: str, approvals: int = 1) -> resources.Command:
    """A command that sets environments."""
    changes = []
    for name in names:
        found = reader.get("environment", name)
        revision = 0 if found is None else found.revision
        changes.append(
            resources.Change("environment", name, revision, {"approvals": approvals}, "environment.set", "because")
        )
    return resources.Command(tuple(changes))


def verified(book: ledger.Ledger, tmp_path: Path) -> bool:
    """Whether log, second place and resources agree."""
    return audit_log.verify(book.reader, folder.FolderCopy(tmp_path / "copy"), keys=[KEY.public]).sound


def test_a_command(book: ledger.Ledger, tmp_path: Path) -> None:
    """It happens, has its entries, and the second place knows that."""
    committed = book.execute(ADMIN, setting(book.reader, "a", "b"), request="r-1", origin="192.0.2.1")
    assert (committed.size, committed.repeated) == (2, False)
    first, second = [entries.loads(data) for data in book.reader.entries()]
    assert (first.actor, first.action, first.name, second.name) == ("alice", "environment.set", "a", "b")
    assert first.request == second.request == "r-1"
    copied = book.copy.read()
    assert (len(copied.leaves), copied.committed) == (2, 2)
    assert verified(book, tmp_path)


def test_the_policy_is_asked_for_each_change(book: ledger.Ledger) -> None:
    """A principal without the right changes nothing, not even the part that would be allowed."""
    with pytest.raises(errors.ForbiddenError, match="CAL-901"):
        book.execute(VIEWER, setting(book.reader, "a"))
    change = resources.Change("binding", "x/production", 0, {}, "binding.promote")
    with pytest.raises(errors.ForbiddenError, match=r"binding\.promote"):
        book.execute(ADMIN, resources.Command((*setting(book.reader, "a").changes, change)))
    undeclared = resources.Change("binding", "x/production", 0, {}, "binding.explode")
    with pytest.raises(errors.ForbiddenError, match=r"binding\.explode"):
        book.execute(ADMIN, resources.Command((undeclared,)))
    assert book.reader.size() == 0
    assert book.copy.read().leaves == ()


def test_repeated_with_a_key(book: ledger.Ledger, tmp_path: Path) -> None:
    """The same command again tells the second place nothing new."""
    command = setting(book.reader, "a")
    first = book.execute(ADMIN, command, idempotency_key="k")
    again = book.execute(ADMIN, command, idempotency_key="k")
    assert again.repeated
    assert (again.size, again.resources) == (first.size, first.resources)
    assert verified(book, tmp_path)


def test_a_conflict_leaves_the_place_to_the_next(book: ledger.Ledger, tmp_path: Path) -> None:
    """What was refused is in neither place."""
    stale = setting(book.reader, "a")
    book.execute(ADMIN, stale)
    with pytest.raises(errors.ConflictError, match="CAL-911"):
        book.execute(ADMIN, stale)
    book.execute(ADMIN, setting(book.reader, "a"))
    assert book.reader.size() == len(book.copy.read().leaves) == 2
    assert verified(book, tmp_path)


def test_a_hung_place_refuses_and_reads_go_on(
    store: control_store.ControlStore, clock: clocks.FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing changes while the second place hangs; everybody can read; afterwards it goes on."""
    book = ledger.Ledger(store, folder.FolderCopy(tmp_path / "copy", seconds=0.1), SIGNER, clock)
    book.execute(ADMIN, setting(store, "a"))
    gate, append = threading.Event(), folder.append

    def hanging(path: Path, line: bytes, *, create: bool = False) -> None:
        gate.wait(30)
        append(path, line, create=create)

    monkeypatch.setattr(folder, "append", hanging)
    for _ in range(3):
        with pytest.raises(errors.AuditCopyError, match="CAL-855"):
            book.execute(ADMIN, setting(store, "a", approvals=2))
        found = store.get("environment", "a")
        assert found is not None
        assert (found.body, store.size()) == ({"approvals": 1}, 1)
    gate.set()
    monkeypatch.undo()
    ledger.Ledger(store, folder.FolderCopy(tmp_path / "copy"), SIGNER, clock).execute(ADMIN, setting(store, "b"))
    assert verified(book, tmp_path)


def test_the_default_limit_is_within_two_seconds() -> None:
    """What a change may wait for the second place, with room for the store."""
    assert folder.SECONDS <= 1.75


def test_done_that_fails_does_not_undo(book: ledger.Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that was committed is not reported as refused; the next one makes up for it."""
    append = folder.append

    def only_intents(path: Path, line: bytes, *, create: bool = False) -> None:
        if b'"intend"' not in line:
            raise OSError(5, "Input/output error")
        append(path, line, create=create)

    monkeypatch.setattr(folder, "append", only_intents)
    assert book.execute(ADMIN, setting(book.reader, "a")).size == 1
    assert book.copy.read().committed == 0
    with pytest.raises(errors.AuditCopyError):
        book.copy.checkpoint(control_store.Checkpoint(1, "", 0))
    monkeypatch.undo()
    book.execute(ADMIN, setting(book.reader, "b"))
    assert book.copy.read().committed == 2


class Flaky(folder.FolderCopy):
    """A second place that fails one call in three, before or after it has kept what it was told."""

    rng = random.Random(7)

    def intend(self, index: int, entries: Sequence[bytes]) -> None:
        fails = self.rng.random()
        if fails < 1 / 6:
            raise limit.refused("made up")
        super().intend(index, entries)
        if fails < 1 / 3:
            raise limit.refused("made up")


@pytest.mark.parametrize("many", [60, pytest.param(1_000, marks=pytest.mark.theory)])
def test_changes_with_a_failing_place(
    store: control_store.ControlStore, clock: clocks.FakeClock, tmp_path: Path, many: int
) -> None:
    """No change without its entries in both places, none half done."""
    book, happened = ledger.Ledger(store, Flaky(tmp_path / "copy"), SIGNER, clock), 0
    for number in range(many):
        clock.advance(seconds=1)
        names = [f"e{number % 5}", f"f{number % 3}"]
        try:
            book.execute(ADMIN, setting(store, *names, approvals=number))
        except errors.AuditCopyError:
            assert store.size() == 2 * happened
        else:
            happened += 1
    assert 0.5 * many < happened < 0.8 * many
    assert store.size() == 2 * happened
    told = sum(len(store.history("environment", name)) for name in ("e0", "e1", "e2", "e3", "e4", "f0", "f1", "f2"))
    assert told == 2 * happened
    assert verified(book, tmp_path)


def test_checkpoints_are_made_when_due(
    book: ledger.Ledger, clock: clocks.FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first at once, then by time or by number, and never two of one size."""
    monkeypatch.setattr(ledger, "MOST_ENTRIES", 4)

    def sizes() -> list[int]:
        assert [one.size for one in book.copy.read().checkpoints] == [one.size for one in book.reader.checkpoints()]
        return [one.size for one in book.reader.checkpoints()]

    for name in "abcd":
        book.execute(ADMIN, setting(book.reader, name))
    assert sizes() == [1]
    book.execute(ADMIN, setting(book.reader, "e"))
    assert sizes() == [1, 5]
    clock.advance(seconds=60)
    book.execute(ADMIN, setting(book.reader, "f"))
    assert sizes() == [1, 5, 6]
    newest = book.checkpoint()
    assert newest is not None
    assert (newest.size, sizes()) == (6, [1, 5, 6])
    assert [checkpoint.verify(one.note, [KEY.public]).size for one in book.reader.checkpoints()] == sizes()


def test_a_clock_that_jumps(book: ledger.Ledger, clock: clocks.FakeClock, tmp_path: Path) -> None:
    """Entries and checkpoints never go back in time, and a checkpoint is due although the clock says otherwise."""
    for seconds in (0, -7_200, 3_600, -86_400, 10):
        clock.advance(seconds=seconds)
        book.execute(ADMIN, setting(book.reader, "a"))
    times = [entries.loads(data).at_us for data in book.reader.entries()]
    assert times == sorted(times)
    noted = [one.at_us for one in book.reader.checkpoints()]
    assert (noted, len(noted)) == (sorted(noted), 5)
    assert verified(book, tmp_path)


def test_nothing_to_sign_and_nothing_to_sign_with(
    store: control_store.ControlStore, book: ledger.Ledger, clock: clocks.FakeClock
) -> None:
    """An empty log has no checkpoint; without the key changes go on and checkpoints wait."""
    assert book.checkpoint() is None
    keyless = ledger.Ledger(store, book.copy, None, clock)
    assert keyless.execute(ADMIN, setting(store, "a")).size == 1
    assert keyless.checkpoint() is None
    newest = book.checkpoint()
    assert newest is not None
    assert newest.size == 1


def test_another_history_is_not_signed(store: control_store.ControlStore, book: ledger.Ledger, tmp_path: Path) -> None:
    """Whoever changed stored hashes gets no signature under them."""
    import sqlite3

    for name in "abc":
        book.execute(ADMIN, setting(store, name))
    connection = sqlite3.connect(tmp_path / "control.sqlite")
    with connection:
        connection.execute("UPDATE nodes SET hash = zeroblob(32) WHERE level = 0 AND idx = 0")
        connection.execute("UPDATE nodes SET hash = zeroblob(32) WHERE level = 1 AND idx = 0")
    connection.close()
    with pytest.raises(errors.StoreDamagedError, match="CAL-857"):
        book.checkpoint()


def test_words_are_erased(book: ledger.Ledger, tmp_path: Path) -> None:
    """The words go, the log stays sound."""
    book.execute(ADMIN, setting(book.reader, "a"))
    reason = entries.loads(next(book.reader.entries())).reason
    assert reason is not None
    assert book.erase([reason]) == 1
    (line,) = audit_log.lines(book.reader, audit_log.Wanted())
    assert line.said is None
    assert verified(book, tmp_path)
