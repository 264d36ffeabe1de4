"""A disk that is full or fails: the batch is refused in words, nothing acknowledged is lost, and work goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from calibrant.storage import embedded
from calibrant.testing.event_log_contract import LATER

IN_CI = os.environ.get("CI") == "true"
BATCHES = 24
SIZE = 20


def _succeeds(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_mount = pytest.mark.skipif(
    not _succeeds("unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt") and not IN_CI,
    reason="a file system cannot be mounted in a user namespace",
)
needs_strace = pytest.mark.skipif(
    not _succeeds("strace", "-e", "trace=none", "true") and not IN_CI, reason="strace is not there or not permitted"
)


@needs_mount
def test_a_full_disk(tmp_path: Path) -> None:
    """A tmpfs of 6 MiB: refused with CAL-852, reads work, and after room is made the store goes on."""
    child = Path(__file__).with_name("full_disk_child.py")
    script = f'mount -t tmpfs -o size=6m tmpfs "{tmp_path}" && exec "{sys.executable}" "{child}" "{tmp_path}"'
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused 5")


@needs_strace
@pytest.mark.parametrize(
    "fault",
    [
        "fsync,fdatasync:error=EIO:when=25+13",
        "pwrite64:error=EIO:when=140+401",
        "fsync,fdatasync:error=EIO:when=30",
        "pwrite64:error=ENOSPC:when=140+403",
    ],
)
def test_calls_that_fail(tmp_path: Path, oracle: ModuleType, fault: str) -> None:
    """The kernel refuses some fsyncs or writes: each is reported, the batch is sent again, and counts once."""
    folder = tmp_path / "store"
    calls = fault.split(":")[0]
    command = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={fault}"]
    child = [sys.executable, str(oracle.CHILD), str(folder), str(BATCHES), str(SIZE), "4", "60"]
    done = subprocess.run([*command, *child], capture_output=True, text=True, check=False, timeout=120)
    lines = done.stdout.splitlines()
    assert lines[-1] == "done 0", done.stderr
    assert [line for line in lines if line.startswith("err CAL-85")], "no call failed"
    assert len([line for line in lines if line.startswith("ack")]) == BATCHES
    assert oracle.check(folder, lines, batches=BATCHES, size=SIZE) == BATCHES * SIZE


@needs_strace
@pytest.mark.parametrize("fault", ["EIO:when=3+7", "ENOSPC:when=2+9", "EIO:when=1"])
def test_sealing_that_fails(tmp_path: Path, oracle: ModuleType, fault: str) -> None:
    """Writes of segments and of large runs fail: hot events stay, nothing half-written is read, later sealing works."""
    folder = tmp_path / "store"
    child = oracle.child("sealing_child")
    paths = [f"-P{folder / 'segments' / name}" for name in child.part_names()]
    command = ["strace", "-f", "-o", "/dev/null", *paths, "-e", "trace=write", "-e", f"inject=write:error={fault}"]
    run = [sys.executable, child.__file__, str(folder), str(BATCHES), str(SIZE), "4", "60"]
    done = subprocess.run([*command, *run], capture_output=True, text=True, check=False, timeout=120)
    lines = done.stdout.splitlines()
    assert lines, done.stderr
    assert lines[-1] == "done 0", done.stderr
    told = [line for line in lines if line.startswith("err")]
    assert told, "no call failed"
    assert set(told) <= {"err CAL-852", "err CAL-853"}
    assert oracle.check(folder, lines, batches=BATCHES, size=SIZE) == BATCHES * SIZE
    with embedded.open_store(folder) as store:
        store.maintain(now_us=LATER)
        assert len(list((folder / "segments").glob("*/*.parquet"))) >= BATCHES
        said = {tuple(line.split()) for line in lines}
        assert oracle.compare(store, said, batches=BATCHES, size=SIZE) == BATCHES * SIZE
    assert not list((folder / "segments").glob("*/*.part"))
