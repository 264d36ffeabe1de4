"""Durable ingest into a store that holds millions: each batch is on the disk before the next one is sent."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import clock, data
from calibrant.storage import embedded
from calibrant.storage.embedded.store import EmbeddedStore
from calibrant.testing import made_up

STORED = 3_000_000
BATCH = 1_000
#: Enough for every kind of merge of identities but the largest, and for several checkpoints of the database.
BATCHES = 600
BLOCK = 250_000
TITLE = f"Ingest of batches of {BATCH:,} events, with {STORED:,} stored"
#: 50,000 events a second.
GOAL = clock.Goal("at_most", BATCH / 50_000)


def run(stream: data.Stream) -> Iterator[clock.Line]:
    """The stream of scores is not used: ingest is about identities and the disk."""
    del stream
    for ids in ("ordered", "random"):
        rng = np.random.default_rng(7)
        here = tempfile.TemporaryDirectory(prefix="calibrant-ingest-", dir=Path.cwd())  # /tmp may lie in memory
        with here as folder, embedded.open_store(folder) as store:
            fill(store, rng, random_ids=ids == "random")
            yield predictions(store, rng, Path(folder), random_ids=ids == "random")


def fill(store: EmbeddedStore, rng: np.random.Generator, *, random_ids: bool) -> None:
    for first in range(0, STORED, BLOCK):
        sent = made_up.many_predictions(BLOCK, first=first, rng=rng, random_ids=random_ids)
        store.append_predictions("stream", sent, received_us=1)


def predictions(store: EmbeddedStore, rng: np.random.Generator, folder: Path, *, random_ids: bool) -> clock.Line:
    """The mean over all batches, so that checkpoints and merges count; beside it one fsync of the same bytes."""
    sent = made_up.many_predictions(BATCH * BATCHES, first=STORED, rng=rng, random_ids=random_ids)
    batches = [sent.slice(start, BATCH) for start in range(0, sent.num_rows, BATCH)]
    took = [clock.once(lambda one=one: store.append_predictions("stream", one, received_us=2)) for one in batches]
    ours, floor = sum(took) / BATCHES, bare(batches[:100], folder)
    held = store.counts("stream").predictions
    names = "random" if random_ids else "ordered"
    return clock.Line(
        f"a batch of predictions with {names} ids, fsynced", ours, "Arrow file appended to and fsynced", floor, GOAL,
        agreement="" if held == STORED + sent.num_rows else f"{held:,} events are stored: WRONG",
        note=f"{BATCH / ours:,.0f} events a second, checkpoints and merges included; the slowest batch took "
        f"{clock.seconds(max(took))}. The peer only appends bytes: no identity is checked, nothing can be found",
    )  # fmt: skip


def bare(batches: list[pa.Table], folder: Path) -> float:
    """Appending a batch to a file and one fsync: what durability costs on this disk."""
    begun = time.perf_counter()
    with (folder / "bare").open("wb") as file:
        for one in batches:
            with pa.ipc.new_stream(file, one.schema) as writer:
                writer.write_table(one)
            file.flush()
            os.fsync(file.fileno())
    return (time.perf_counter() - begun) / len(batches)
