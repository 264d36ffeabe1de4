"""The same events in any order, cut into any batches, sent one to five times: one state."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrant.storage import embedded
from calibrant.testing import made_up
from calibrant.testing.event_log_contract import LATER, append, state


def _events() -> list[Any]:
    """40 predictions over four days; labels with up to three revisions, 10 % orphans, 5 % very late."""
    told = [made_up.prediction(f"p{n}", days=n / 10, unit=f"u{n % 7}") for n in range(40)]
    said = [
        made_up.label(f"p{n}", days=n / 10 + (60 if n % 20 == 0 else 1), revision=revision, value=float(n % 2))
        for n in range(44)
        for revision in range(1 + n % 3)
    ]
    return [*told, *said]


def _permute(folder: Path, times: int) -> None:
    with embedded.open_store(folder) as store:
        append(store, "p0", _events(), received_us=1)
        want = state(store, "p0")
        assert want["counts"] == (40, 87, 8, 0)
        for seed in range(1, times + 1):
            rng = np.random.default_rng(seed)
            events = _events()
            events = [events[index] for index in rng.permutation(len(events))]
            while events:
                size = int(rng.integers(1, 60))
                part, events = events[:size], events[size:]
                kinds = sorted(part, key=lambda one: hasattr(one, "prediction"), reverse=bool(rng.random() < 0.5))
                append(store, f"p{seed}", kinds, received_us=1)
                if rng.random() < 0.05:
                    store.maintain(now_us=LATER)
            assert state(store, f"p{seed}") == want, f"seed {seed}"


def test_fifty_permutations(tmp_path: Path) -> None:
    """Fifty orders, one state."""
    _permute(tmp_path, 50)


@pytest.mark.theory
def test_five_hundred_permutations(tmp_path: Path) -> None:
    """Five hundred orders, one state."""
    _permute(tmp_path, 500)


def test_everything_is_sent_up_to_five_times(tmp_path: Path) -> None:
    """From four threads and across restarts: counts are exact."""
    rng = np.random.default_rng(9)
    batches = [made_up.many_predictions(25, first=25 * n, rng=rng) for n in range(12)]
    times = rng.integers(1, 6, 12)
    work = [batches[n] for n in range(12) for _ in range(times[n])]
    work = [work[index] for index in rng.permutation(len(work))]
    third = len(work) // 3
    accepted = duplicate = 0
    for part in (work[:third], work[third : 2 * third], work[2 * third :]):
        with embedded.open_store(tmp_path) as store, ThreadPoolExecutor(4) as pool:
            begin = threading.Barrier(4)

            def send(which: int, store: Any = store, part: Any = part, begin: Any = begin) -> list[Any]:
                begin.wait(30)
                return [store.append_predictions("s", one, received_us=1) for one in part[which::4]]

            for done in pool.map(send, range(4)):
                accepted += sum(one.accepted for one in done)
                duplicate += sum(one.duplicate for one in done)
            store.maintain(now_us=LATER)
    assert (accepted, duplicate) == (300, 25 * (len(work) - 12))
    with embedded.open_store(tmp_path) as store:
        counts = store.counts("s")
        assert (counts.predictions, counts.duplicates, counts.conflicting) == (300, duplicate, 0)
