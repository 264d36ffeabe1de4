"""A folder as the second place: the exam, torn lines, lost lines, full, hung and gone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calibrant import errors
from calibrant.ports import audit_copy
from calibrant.storage.audit_copy import folder, limit
from calibrant.testing import audit_copy_contract as contract

LIMIT = 0.05


class TestFolder(contract.AuditCopyContract):
    """The exam."""

    @pytest.fixture
    def opens(self, tmp_path: Path) -> Callable[[], audit_copy.AuditCopy]:
        return lambda: folder.FolderCopy(tmp_path / "copy")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The journal of a copy that knows one committed entry."""
    copy = folder.FolderCopy(tmp_path)
    copy.intend(0, [contract.ONE])
    copy.done(1)
    return tmp_path / folder.JOURNAL


def test_torn_lines(journal: Path) -> None:
    """Wherever the power was cut, what was acknowledged is known, and the next line is not lost in the torn one."""
    before = journal.read_bytes()
    folder.FolderCopy(journal.parent).intend(1, [contract.TWO])
    line = journal.read_bytes()[len(before) :]
    for length in range(len(line)):
        journal.write_bytes(before + line[:length])
        copy = folder.FolderCopy(journal.parent)
        assert copy.read().committed == 1
        copy.intend(1, [contract.THREE])
        copy.done(2)
        found = copy.read()
        assert (found.leaves, found.committed) == (contract.leaves(contract.ONE, contract.THREE), 2)


def test_lost_lines(journal: Path) -> None:
    """A copy that lost an entry says so instead of agreeing with anything."""
    copy = folder.FolderCopy(journal.parent)
    for index in (1, 2):
        copy.intend(index, [contract.TWO])
        copy.done(index + 1)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(line for line in lines if b'"intend": 1' not in line))
    with pytest.raises(errors.StoreDamagedError, match="CAL-856"):
        folder.FolderCopy(journal.parent).read()


def test_lines_of_another_kind(journal: Path) -> None:
    """What a later version may add is passed over."""
    with journal.open("ab") as lines:
        lines.write(b'{"something": "else"}\n[1]\n\xff\n')
    assert folder.FolderCopy(journal.parent).read().committed == 1


def test_a_full_place(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room: refused; the part of a line that fitted does no harm once there is room again."""
    write, room = os.write, 20

    def full(handle: int, data: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(28, "No space left on device")
        kept, room = write(handle, data[:room]), 0
        return kept

    copy = folder.FolderCopy(journal.parent)
    monkeypatch.setattr(folder.os, "write", full)
    for _ in range(3):
        with pytest.raises(errors.AuditCopyError, match="No space left"):
            copy.intend(1, [contract.TWO])
    monkeypatch.undo()
    assert copy.read() == audit_copy.Copied(contract.leaves(contract.ONE), 1, ())
    copy.intend(1, [contract.THREE])
    assert copy.read().leaves == contract.leaves(contract.ONE, contract.THREE)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A file system that hangs until the gate opens."""
    opened, write = threading.Event(), os.write

    def hanging(handle: int, data: bytes) -> int:
        opened.wait(30)
        return write(handle, data)

    monkeypatch.setattr(folder.os, "write", hanging)
    yield opened
    opened.set()


def test_a_hung_place(journal: Path, gate: threading.Event) -> None:
    """It is waited for once; while it hangs everything is refused at once; afterwards it works."""
    copy = folder.FolderCopy(journal.parent, seconds=LIMIT)
    with pytest.raises(errors.AuditCopyError, match="did not answer"):
        copy.intend(1, [contract.TWO])
    for _ in range(100):
        with pytest.raises(errors.AuditCopyError, match="still hangs"):
            copy.intend(1, [contract.TWO])
    gate.set()
    patient = folder.FolderCopy(journal.parent)
    patient.intend(1, [contract.THREE])
    patient.done(2)
    assert patient.read().leaves[:2] == contract.leaves(contract.ONE, contract.THREE)


def test_calls_that_wait_behind_a_hung_one_never_happen(gate: threading.Event) -> None:
    """What was refused before it began is called off."""
    limited, happened = limit.Limit(LIMIT), []

    def hang() -> None:
        with pytest.raises(errors.AuditCopyError):
            limited.call(gate.wait)

    waiting = threading.Thread(target=hang)
    waiting.start()
    with pytest.raises(errors.AuditCopyError):
        limited.call(lambda: happened.append(1))
    waiting.join()
    gate.set()
    assert limit.Limit(5).call(lambda: 7) == 7
    assert happened == []


def test_a_pipe_that_nobody_reads(tmp_path: Path) -> None:
    """Something else than a file is refused, in time."""
    os.mkfifo(tmp_path / folder.JOURNAL)
    copy = folder.FolderCopy(tmp_path, seconds=LIMIT)
    with pytest.raises(errors.AuditCopyError):
        copy.intend(0, [contract.ONE])


def test_a_place_that_is_gone(journal: Path) -> None:
    """A disk that is not mounted any more is not taken for a new, empty place."""
    copy = folder.FolderCopy(journal.parent)
    journal.rename(journal.with_suffix(".away"))
    for tell in (lambda: copy.intend(1, [contract.TWO]), lambda: copy.done(1), lambda: copy.checkpoint(contract.NOTE)):
        with pytest.raises(errors.AuditCopyError, match="No such file"):
            tell()
    assert not journal.exists()


def test_a_programming_error_is_not_hidden() -> None:
    """What is neither the system's nor ours is raised where it was asked for."""
    with pytest.raises(ZeroDivisionError):
        limit.Limit(5).call(lambda: 1 // 0)
