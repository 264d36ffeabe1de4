"""kill -9 at any moment: nothing acknowledged is lost, nothing is there twice, the restart is quick."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BATCHES = 60
SIZE = 20


def _run_and_kill(oracle: ModuleType, folder: Path, after: float, batches: int) -> list[str]:
    """Start the child, kill it some seconds after it opened the store; what it had said."""
    command = [sys.executable, str(oracle.CHILD), str(folder), str(batches), str(SIZE), "3", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        assert first.startswith("open"), first
        time.sleep(after)
        child.send_signal(signal.SIGKILL)
        return [first, *child.stdout.read().splitlines()]


def _kill_many(oracle: ModuleType, folder: Path, times: int, seed: int) -> None:
    """The same store is killed again and again; a new one is begun when the child got through."""
    rng = np.random.default_rng(seed)
    said: list[str] = []
    generation = 0
    for _ in range(times):
        said += _run_and_kill(oracle, folder / str(generation), float(rng.uniform(0, 0.4)), BATCHES)
        oracle.check(folder / str(generation), said, batches=BATCHES, size=SIZE)
        if any(line.startswith("done") for line in said):
            said, generation = [], generation + 1


def test_ten_kills(tmp_path: Path, oracle: ModuleType) -> None:
    """Ten kills at random moments."""
    _kill_many(oracle, tmp_path, 10, seed=1)


@pytest.mark.theory
def test_two_hundred_kills(tmp_path: Path, oracle: ModuleType) -> None:
    """Two hundred kills at random moments."""
    _kill_many(oracle, tmp_path, 200, seed=2)
