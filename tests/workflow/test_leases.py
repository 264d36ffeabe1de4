"""Leases on a real control store: one holder, the end by the clock, and fencing of whoever slept through it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from calibrant import errors
from calibrant.registry import environments, principals
from calibrant.storage.audit_copy import folder
from calibrant.storage.control import sqlite, store
from calibrant.testing import clocks
from calibrant.workflow import leases
from calibrant.workflow import ledger as ledgers

ROOT = principals.Principal("root", "person", None, frozenset({"admin"}))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[store.SqlControlStore]:
    """A control store in a new file."""
    with sqlite.open_store(tmp_path / "control.sqlite") as opened:
        yield opened


def test_one_holds_it_until_its_end(state: store.SqlControlStore) -> None:
    """Others get it at its end and not before; the holder renews it."""
    first = leases.take(state, "fraud", holder="a", now_us=0, lasts_us=100)
    assert first is not None
    assert leases.take(state, "fraud", holder="b", now_us=99, lasts_us=100) is None
    renewed = leases.take(state, "fraud", holder="a", now_us=50, lasts_us=100)
    assert renewed is not None
    assert (renewed.revision, renewed.expires_us) == (first.revision + 1, 150)
    assert leases.take(state, "fraud", holder="b", now_us=149, lasts_us=100) is None
    assert leases.take(state, "fraud", holder="b", now_us=150, lasts_us=100) is not None
    assert leases.take(state, "churn", holder="b", now_us=0) is not None


def test_a_released_lease_is_free_and_a_lost_one_is_told(state: store.SqlControlStore) -> None:
    """Nobody waits for the end of a lease that was given back."""
    mine = leases.take(state, "fraud", holder="a", now_us=0)
    assert mine is not None
    assert leases.release(state, mine)
    theirs = leases.take(state, "fraud", holder="b", now_us=1)
    assert theirs is not None
    assert not leases.release(state, mine)


def test_who_slept_through_its_lease_cannot_act(state: store.SqlControlStore, tmp_path: Path) -> None:
    """The command of the sleeper is refused by the store; that of the new holder goes through."""
    ledger = ledgers.Ledger(state, folder.FolderCopy(tmp_path / "copy"), None, clocks.FakeClock(1))
    sleeper = leases.take(state, "fraud", holder="a", now_us=0, lasts_us=10)
    awake = leases.take(state, "fraud", holder="b", now_us=10, lasts_us=10)
    assert sleeper is not None
    assert awake is not None
    command = environments.declare(None, "staging", approvals=0)
    with pytest.raises(errors.ConflictError, match="CAL-914"):
        replace(ledger, fence=(sleeper.requirement(),)).execute(ROOT, command)
    assert state.size() == 0
    replace(ledger, fence=(awake.requirement(),)).execute(ROOT, command)
    assert state.size() == 1


def contend(path: Path, name: str, won: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    """Take leases until each is somebody's."""
    with sqlite.open_store(path) as state:
        won.put([number for number in range(20) if leases.take(state, f"s{number}", holder=name, now_us=0)])


def test_no_lease_has_two_holders(state: store.SqlControlStore, tmp_path: Path) -> None:
    """Four processes take twenty leases at once: each lease goes to one of them."""
    context = multiprocessing.get_context("spawn")
    won = context.Queue()
    rivals = [
        context.Process(target=contend, args=(tmp_path / "control.sqlite", f"c{number}", won)) for number in range(4)
    ]
    for one in rivals:
        one.start()
    taken = [number for _ in rivals for number in won.get(timeout=60)]
    for one in rivals:
        one.join()
    assert sorted(taken) == list(range(20))
