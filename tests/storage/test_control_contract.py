"""Both control stores pass the public exam."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from calibrant.ports import control_store
from calibrant.storage.control import postgres as control_postgres
from calibrant.storage.control import sqlite as control_sqlite
from calibrant.testing.control_store_contract import ControlStoreContract

_NUMBERS = itertools.count()


class TestSqliteControlStore(ControlStoreContract):
    """On one machine."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Iterator[control_store.ControlStore]:
        """A store in a new file."""
        with control_sqlite.open_store(tmp_path / "control.sqlite") as store:
            yield store


class TestPostgresControlStore(ControlStoreContract):
    """On a real server."""

    @pytest.fixture
    def opened(self, postgres: str) -> Iterator[control_store.ControlStore]:
        """A store in a schema of its own."""
        with control_postgres.open_store(postgres, schema=f"control{next(_NUMBERS)}") as store:
            yield store
