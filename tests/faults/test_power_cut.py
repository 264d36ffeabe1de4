"""Power cuts: images of the disk that hold only what was fsynced lose nothing that was acknowledged.

kill -9 cannot show a missing fsync, because the kernel still writes what the dead process had handed over. Here the
calls of a whole run are recorded by strace and replayed to any moment between them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

BATCHES = 12
SIZE = 15


def _strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(["strace", "-e", "trace=none", "true"], capture_output=True, check=False)
    return tried.returncode == 0


needs_strace = pytest.mark.skipif(
    not _strace_works() and os.environ.get("CI") != "true", reason="strace is not there or not permitted"
)


@pytest.fixture(scope="module")
def recorded(disk: ModuleType, oracle: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """Where a child ingested, and all that it asked of the kernel meanwhile."""
    base = tmp_path_factory.mktemp("power")
    folder = base / "store"
    folder.mkdir()
    command = [sys.executable, str(oracle.CHILD), str(folder), str(BATCHES), str(SIZE), "3", "60"]
    return folder, disk.record(command, base / "trace")


def _cut(disk: ModuleType, oracle: ModuleType, recorded: tuple[Path, list[Any]], tmp: Path, images: int) -> None:
    """Check so many images: at each of some moments one of only what is safe, then such with some of what is not."""
    root, events = recorded
    rng = np.random.default_rng(4)
    first = next(index for index, event in enumerate(events) if event.data.startswith(b"open"))
    moments = [index for index, event in enumerate(events) if index > first and event.path.startswith(str(root))]
    chosen = rng.permutation(moments)[: images // 2].tolist()
    each = dict(zip(chosen, (len(part) for part in np.array_split(np.arange(images), len(chosen))), strict=True))
    replayed = disk.Disk(root)
    loaded = []
    for index, event in enumerate(events):
        for number in range(each.get(index, 0)):
            target = tmp / f"{index}-{number}"
            replayed.image(target, rng if number else None)
            loaded.append(oracle.check(target, replayed.said, batches=BATCHES, size=SIZE))
            shutil.rmtree(target)
        replayed.happen(event)
    assert "done 0" in replayed.said
    assert len(loaded) == images
    assert len(set(loaded)) > 3, "the images were all alike"


@needs_strace
def test_a_hundred_and_twenty_images(
    disk: ModuleType, oracle: ModuleType, recorded: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    """At sixty moments only what is safe, and that with some of what is not."""
    _cut(disk, oracle, recorded, tmp_path, 120)


@needs_strace
@pytest.mark.theory
def test_a_thousand_images(
    disk: ModuleType, oracle: ModuleType, recorded: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    """At up to five hundred moments."""
    _cut(disk, oracle, recorded, tmp_path, 1_000)


@needs_strace
def test_a_disk_without_fsync_is_found_out(
    disk: ModuleType, oracle: ModuleType, recorded: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    """The same images of a run whose fsyncs of data are left out lose acknowledged events: the test can fail."""
    root, events = recorded
    lying = [event for event in events if not (event.call == "sync" and event.path.endswith("-wal"))]
    with pytest.raises(AssertionError, match="is lost"):
        _cut(disk, oracle, (root, lying), tmp_path, 60)
