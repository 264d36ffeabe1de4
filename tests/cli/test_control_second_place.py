"""A second place of the audit log that hangs, is full or is gone: changes are refused, everything else goes on."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from calibrant.calibrators import codec
from calibrant.calibrators.logistic import Platt


@contextlib.contextmanager
def hung(folder: Path) -> Iterator[None]:
    """The journal becomes a pipe that is full and that nobody reads: whoever writes waits for ever."""
    journal = folder / "journal.jsonl"
    whole = journal.read_bytes()
    journal.unlink()
    os.mkfifo(journal)
    pipe = os.open(journal, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, b"x" * 4_096)
    try:
        yield
    finally:
        journal.unlink()
        journal.write_bytes(whole)
        with contextlib.suppress(BlockingIOError):
            while os.read(pipe, 65_536):
                pass
        os.close(pipe)


@contextlib.contextmanager
def full(folder: Path) -> Iterator[None]:
    """The journal lies on a disk without space."""
    journal = folder / "journal.jsonl"
    whole = journal.read_bytes()
    journal.unlink()
    journal.symlink_to("/dev/full")
    try:
        yield
    finally:
        journal.unlink()
        journal.write_bytes(whole)


@contextlib.contextmanager
def gone(folder: Path) -> Iterator[None]:
    """The disk of the journal is not mounted."""
    folder.rename(folder.with_name("away"))
    folder.mkdir()
    try:
        yield
    finally:
        folder.rmdir()
        folder.with_name("away").rename(folder)


@pytest.mark.parametrize("failing", [hung, full, gone], ids=lambda way: way.__name__)
def test_a_second_place_that_fails(
    office: Any, failing: Callable[[Path], contextlib.AbstractContextManager[None]]
) -> None:
    """A promotion is refused in about two seconds and nothing changed; looking and applying go on; then it works."""
    request_name = office.approved(office.signed(1))
    promote = ("binding", "promote", "fraud@1", "production", "--request", request_name)
    Path("map.json").write_bytes(codec.dumps(codec.Document(Platt(1.1, -0.2), None, {})))
    Path("rows.csv").write_text("p\n0.25\n0.75\n")
    size = office.size()
    with failing(Path("calibrant.d/audit-copy")):
        begun = time.monotonic()
        ran = office.run(*promote, by="otto")
        waited = time.monotonic() - begun
        assert (ran.code, ran.refusal) == (2, "CAL-855"), ran
        assert "nothing was changed" in ran.err
        assert office.size() == size
        shown = office.run("binding", "show", "fraud/production", "--json")
        assert (shown.code, shown.json["revision"], shown.json["champion"]) == (0, 0, None)
        assert office.run("approval", "show", request_name, "--json").json["state"] == "approved"
        assert office.run("transform", "map.json", "rows.csv", "--score", "p", "-o", "out.csv").code == 0
    # the limit itself is 1.5 s; the rest is for a busy machine, and a promotion that waits for the place never ends
    assert waited < 20
    assert office.run(*promote, by="otto").code == 0
    assert office.sound()
