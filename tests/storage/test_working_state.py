"""Both control stores keep working state as promised."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from calibrant.storage.control import postgres as control_postgres
from calibrant.storage.control import sqlite as control_sqlite
from calibrant.storage.control import store
from calibrant.testing.working_state_contract import WorkingStateContract

_NUMBERS = itertools.count()


class _OneStore(WorkingStateContract):
    @pytest.fixture
    def control(self, state: store.SqlControlStore) -> store.SqlControlStore:
        """The same store."""
        return state


class TestSqliteWorkingState(_OneStore):
    """On one machine."""

    @pytest.fixture
    def state(self, tmp_path: Path) -> Iterator[store.SqlControlStore]:
        """A store in a new file."""
        with control_sqlite.open_store(tmp_path / "control.sqlite") as opened:
            yield opened


class TestPostgresWorkingState(_OneStore):
    """On a real server."""

    @pytest.fixture
    def state(self, postgres: str) -> Iterator[store.SqlControlStore]:
        """A store in a schema of its own."""
        with control_postgres.open_store(postgres, schema=f"working{next(_NUMBERS)}") as opened:
            yield opened
