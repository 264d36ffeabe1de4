"""Many processes on one control store, and processes that are killed: nothing is lost, halved or doubled."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrant.ports import control_store
from calibrant.storage.control import postgres as control_postgres
from calibrant.storage.control import sqlite as control_sqlite
from calibrant.testing import commands

CHILD = Path(__file__).with_name("control_child.py")
NAME = "fraud/production"
_NUMBERS = itertools.count()


def _start(address: str, schema: str, moves: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(CHILD), address, schema, str(moves)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _acknowledged(lines: Iterable[str]) -> list[int]:
    return [int(line.split()[1]) for line in lines if line.startswith("ack ")]


def _agree(store: control_store.ControlStore, acknowledged: list[int]) -> int:
    """Binding, approval, entries and tree agree, and what was acknowledged is there once; how many moves there are."""
    commands.examine(store)
    bindings, approvals = (store.history(kind, NAME) for kind in ("binding", "approval"))
    assert [one.body for one in bindings] == [one.body for one in approvals]
    assert [one.body and one.body["n"] for one in bindings] == list(range(1, len(bindings) + 1))
    assert store.size() == 2 * len(bindings)
    assert len(set(acknowledged)) == len(acknowledged)
    assert set(acknowledged) <= {one.revision for one in bindings}
    return len(bindings)


def _eight(address: str, schema: str, moves: int) -> list[int]:
    children = [_start(address, schema, moves // 8) for _ in range(8)]
    said = [child.communicate(timeout=3_000)[0].splitlines() for child in children]
    assert [child.returncode for child in children] == [0] * 8
    assert all(lines[-1].startswith("done") for lines in said)
    return [revision for lines in said for revision in _acknowledged(lines)]


def _kill(address: str, schema: str, after: float) -> list[str]:
    with _start(address, schema, 1_000_000) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        time.sleep(after)
        child.send_signal(signal.SIGKILL)
        return child.stdout.read().splitlines()


@pytest.mark.parametrize("moves", [1_000, pytest.param(10_000, marks=pytest.mark.theory)])
def test_eight_processes_move_one_binding(tmp_path: Path, moves: int) -> None:
    """Compare and swap on SQLite: no lost update, the history complete, the entries without a gap."""
    file = str(tmp_path / "control.sqlite")
    acknowledged = _eight(file, "-", moves)
    with control_sqlite.open_store(file) as store:
        assert _agree(store, acknowledged) == len(acknowledged) == moves


@pytest.mark.parametrize("moves", [40, pytest.param(10_000, marks=pytest.mark.theory)])
def test_eight_processes_on_a_server(postgres: str, moves: int) -> None:
    """The same on PostgreSQL."""
    schema = f"moved{next(_NUMBERS)}"
    acknowledged = _eight(postgres, schema, moves)
    with control_postgres.open_store(postgres, schema=schema) as store:
        assert _agree(store, acknowledged) == len(acknowledged) == moves


@pytest.mark.parametrize("times", [10, pytest.param(50, marks=pytest.mark.theory)])
def test_kills_at_any_moment(tmp_path: Path, times: int) -> None:
    """kill -9 in the middle of promotions: binding, approval and audit agree, and what was acknowledged is there."""
    file, rng = str(tmp_path / "control.sqlite"), np.random.default_rng(times)
    acknowledged: list[int] = []
    for _ in range(times):
        acknowledged += _acknowledged(_kill(file, "-", float(rng.uniform(0, 0.15))))
        with control_sqlite.open_store(file) as store:
            assert _agree(store, acknowledged) >= len(acknowledged)
    assert acknowledged


@pytest.mark.parametrize("times", [3, pytest.param(30, marks=pytest.mark.theory)])
def test_a_server_stopped_in_the_middle(own_postgres: Any, times: int) -> None:
    """``pg_ctl stop -m immediate`` while two processes promote: the same, and they go on when it is back."""
    rng = np.random.default_rng(times)
    with control_postgres.open_store(own_postgres.address):
        pass  # the schema is there before the first stop
    children = [_start(own_postgres.address, "calibrant_control", 1_000_000) for _ in range(2)]
    said: list[str] = []
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "open\n"
        before = 0
        for _ in range(times):
            time.sleep(float(rng.uniform(0.3, 0.8)))
            own_postgres.stop()
            own_postgres.start()
            with control_postgres.open_store(own_postgres.address) as store:
                after = _agree(store, [])
            assert after >= before
            before = after
        time.sleep(1)
    finally:
        for child in children:
            child.kill()
            said += child.communicate()[0].splitlines()
    assert any(line == "err CAL-853" for line in said)
    assert {line.split()[0] for line in said} <= {"ack", "err"}
    with control_postgres.open_store(own_postgres.address) as store:
        assert _agree(store, _acknowledged(said)) > 0
