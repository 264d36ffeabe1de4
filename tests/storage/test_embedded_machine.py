"""The embedded store against a dictionary."""

from __future__ import annotations

import tempfile

import pytest
from hypothesis import HealthCheck, settings

from calibrant.ports import event_log
from calibrant.storage import embedded
from calibrant.testing import event_log_machine


def _factory() -> event_log_machine.Subject:
    folder = tempfile.TemporaryDirectory(prefix="calibrant-machine-")

    def reopen(store: event_log.EventLog) -> event_log.EventLog:
        store.close()
        return embedded.open_store(folder.name)

    return event_log_machine.Subject(embedded.open_store(folder.name), reopen, folder.cleanup)


class TestQuickly(event_log_machine.machine(_factory).TestCase):
    """Any events, any order: a few runs."""

    settings = settings(
        max_examples=8, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )


@pytest.mark.theory
class TestThoroughly(event_log_machine.machine(_factory).TestCase):
    """Any events, any order: many runs."""

    settings = settings(
        max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
