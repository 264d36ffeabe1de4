"""A healthy stream: events in a store, and everything that diagnosis knows of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from calibrant.diagnosis import facts
from calibrant.ports import event_log
from calibrant.storage import embedded
from calibrant.streams import declaration
from calibrant.testing import drift as injecting
from calibrant.testing import healthy as well
from calibrant.workflow import diagnosis, evidence_of_stream, facts_of_events

Gather = Callable[..., Any]


@pytest.fixture(scope="session")
def feed() -> injecting.Feed:
    """Twelve thousand calibrated predictions over ten days, each with a label half a day later."""
    return injecting.Feed.made(12_000, rng=np.random.default_rng(11), days=well.DAYS, delay_days=0.5)


@pytest.fixture(scope="session")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Gather:
    """The events alone, which is a tenth of the work."""

    def gathered(
        sent: injecting.Feed, *, stream: declaration.Stream = well.STREAM, now_us: int = well.NOW_US, refused: int = 0
    ) -> facts.Events:
        known = sent.labels.filter(sent.labels["at_us"].to_numpy() <= now_us)
        start_us, end_us = diagnosis.window(stream, now_us)
        with embedded.open_store(tmp_path_factory.mktemp("store")) as store:
            store.append_predictions(stream.name, sent.predictions, received_us=now_us)
            store.append_labels(stream.name, known, received_us=now_us)
            if refused:
                items = [event_log.RejectedItem("CAL-377", "score")] * refused
                store.reject(stream.name, items, received_us=now_us)
            matured = evidence_of_stream.matured(store, stream, now_us=now_us, start_us=start_us, end_us=end_us)
            return facts_of_events.gather(store, stream, matured, start_us=start_us, end_us=end_us, now_us=now_us)

    return gathered


@pytest.fixture(scope="session")
def gather(tmp_path_factory: pytest.TempPathFactory) -> Gather:
    """What is known of a stream after these events."""

    def gathered(
        sent: injecting.Feed, *, stream: declaration.Stream = well.STREAM, now_us: int = well.NOW_US
    ) -> facts.Facts:
        known = sent.labels.filter(sent.labels["at_us"].to_numpy() <= now_us)
        with embedded.open_store(tmp_path_factory.mktemp("store")) as store:
            store.append_predictions(stream.name, sent.predictions, received_us=now_us)
            store.append_labels(stream.name, known, received_us=now_us)
            return diagnosis.gather(store, stream, now_us=now_us, resamples=20)

    return gathered


@pytest.fixture(scope="session")
def healthy(gather: Gather, feed: injecting.Feed) -> facts.Facts:
    """Every section known, and nothing wrong in any of them."""
    found: facts.Facts = gather(feed)
    assert found.events is not None
    events = dataclasses.replace(
        found.events, served=found.events.join.predictions, decided=found.events.join.predictions
    )
    watching = facts.Watching(well.NOW_US, well.NOW_US - well.DAY_US // 100)
    return dataclasses.replace(found, events=events, history=well.history(), watching=watching)
