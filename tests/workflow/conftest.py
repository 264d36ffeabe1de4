"""A declared stream, a store on disk, a clock that obeys, and a few thousand made-up events."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from calibrant.storage import embedded
from calibrant.streams import declaration
from calibrant.testing import clocks, made_up
from calibrant.workflow import partitions

HORIZON = timedelta(days=2)


@pytest.fixture
def stream() -> declaration.Stream:
    """Two days of horizon, one cohort field."""
    return declaration.Stream(
        "s", declaration.LabelContract(HORIZON), cohorts=(declaration.CohortField("carrier", 10),), unit="account"
    )


@pytest.fixture
def clock() -> clocks.FakeClock:
    """Ten days after the first made-up event: everything has matured."""
    return clocks.FakeClock(made_up.START_US + 10 * made_up.DAY_US)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[partitions.Store]:
    """An empty embedded store."""
    with embedded.open_store(tmp_path / "store") as opened:
        yield opened


@dataclasses.dataclass(frozen=True)
class Events:
    """Two thousand predictions over four days, and a label for each a day later."""

    predictions: pa.Table
    labels: pa.Table


@pytest.fixture(scope="session")
def events() -> Events:
    rng = np.random.default_rng(5)
    made = made_up.many_predictions(2_000, rng=rng, days=4.0)
    return Events(made, made_up.many_labels(made, rng=rng))


@pytest.fixture
def filled(
    store: partitions.Store, stream: declaration.Stream, events: Events, clock: clocks.FakeClock
) -> partitions.Store:
    """The store with all events."""
    store.append_predictions(stream.name, events.predictions, received_us=clock.now_us())
    store.append_labels(stream.name, events.labels, received_us=clock.now_us())
    return store
