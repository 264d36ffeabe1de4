"""The PostgreSQL store passes the same public exams, on a real server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from calibrant import errors
from calibrant.ports import event_log
from calibrant.storage import postgres as postgres_store
from calibrant.storage import sql_store
from calibrant.testing import event_log_machine, made_up
from calibrant.testing.event_log_contract import EventLogContract
from calibrant.testing.kept_summaries_contract import KeptSummariesContract

_NUMBERS = itertools.count()


@pytest.fixture
def opened(postgres: str) -> Iterator[sql_store.SqlStore]:
    """A store in a schema of its own."""
    with postgres_store.open_store(postgres, schema=f"s{next(_NUMBERS)}") as store:
        yield store


class TestPostgresEventLog(EventLogContract):
    """Promises of the event log."""

    @pytest.fixture
    def opened(self, postgres: str) -> Iterator[sql_store.SqlStore]:
        """A store in a schema of its own."""
        with postgres_store.open_store(postgres, schema=f"s{next(_NUMBERS)}") as store:
            yield store


class TestPostgresKeptSummaries(KeptSummariesContract):
    """Promises of kept summaries."""

    @pytest.fixture
    def opened(self, postgres: str) -> Iterator[sql_store.SqlStore]:
        """A store in a schema of its own."""
        with postgres_store.open_store(postgres, schema=f"s{next(_NUMBERS)}") as store:
            yield store


def test_two_writers_take_turns(postgres: str) -> None:
    """Two stores on one schema: each event counts once, numbers are given once."""
    schema = f"s{next(_NUMBERS)}"
    with (
        postgres_store.open_store(postgres, schema=schema) as one,
        postgres_store.open_store(postgres, schema=schema) as two,
    ):
        for number in range(6):
            sent = made_up.predictions(made_up.prediction(f"p{number}"), made_up.prediction(f"q{number}"))
            assert one.append_predictions("s", sent, received_us=1).accepted == 2
            assert two.append_predictions("s", sent, received_us=1).duplicate == 2
        rows = made_up.rows(list(two.predictions("s")))
        assert len({row["seq"] for row in rows}) == len(rows) == 12


def test_a_server_that_is_away(postgres: str) -> None:
    """Said as a fault of the store, without the address."""
    nowhere = postgres.replace("port=", "port=1 options=")
    with pytest.raises(errors.StoreFaultError, match="CAL-853") as caught:
        postgres_store.open_store("host=127.0.0.1 port=1 user=secretive")
    assert "secretive" not in str(caught.value)
    assert nowhere


def test_schema_names_are_plain(postgres: str) -> None:
    """Nothing else gets into a statement."""
    for name in ("a b", 'x"y', "S", "", "a;b", "é"):
        with pytest.raises(errors.UsageError, match="CAL-866"):
            postgres_store.open_store(postgres, schema=name)


def test_any_order_against_a_dictionary(postgres: str) -> None:
    """The state machine, a few runs."""

    def factory() -> event_log_machine.Subject:
        schema = f"s{next(_NUMBERS)}"

        def reopen(store: event_log.EventLog) -> event_log.EventLog:
            store.close()
            return postgres_store.open_store(postgres, schema=schema)

        return event_log_machine.Subject(postgres_store.open_store(postgres, schema=schema), reopen, lambda: None)

    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        event_log_machine.machine(factory),
        settings=settings(
            max_examples=3, stateful_step_count=10, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
