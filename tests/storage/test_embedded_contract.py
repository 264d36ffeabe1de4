"""The embedded store passes the public exams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calibrant.storage import embedded
from calibrant.storage.embedded.store import EmbeddedStore
from calibrant.testing.event_log_contract import EventLogContract
from calibrant.testing.kept_summaries_contract import KeptSummariesContract


class TestEmbeddedEventLog(EventLogContract):
    """Promises of the event log."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Iterator[EmbeddedStore]:
        """A new store in a new folder."""
        with embedded.open_store(tmp_path / "store") as store:
            yield store


class TestEmbeddedKeptSummaries(KeptSummariesContract):
    """Promises of kept summaries."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Iterator[EmbeddedStore]:
        """A new store in a new folder."""
        with embedded.open_store(tmp_path / "store") as store:
            yield store
