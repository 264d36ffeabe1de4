"""A process that ingests and says on standard output what was acknowledged; it is there to be killed.

    python ingest_child.py FOLDER BATCHES SIZE SEAL_EVERY CHECKPOINT_PAGES

Batches are the same in every run, so that a restart sends the same events again: ``ack N`` after predictions,
``lab N`` after labels, ``err CODE`` after a refusal by the store, whose batch is then sent again.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np
import pyarrow as pa

from calibrant import errors
from calibrant.storage import embedded
from calibrant.storage.embedded import runs, sqlite
from calibrant.testing import made_up

STREAM = "faults"
#: A batch covers half a day, so that partitions end on the way.
DAYS = 0.5


def batch(number: int, size: int) -> pa.Table:
    """Predictions of one batch: the same for the same number."""
    rng = np.random.default_rng(number)
    table = made_up.many_predictions(size, first=number * size, rng=rng, days=DAYS)
    at = table["at_us"].to_numpy() + round(number * DAYS * made_up.DAY_US)
    return table.set_column(1, table.schema.field("at_us"), pa.array(at))


def labels(number: int, size: int) -> pa.Table:
    """The labels of a batch."""
    return made_up.many_labels(batch(number, size), rng=np.random.default_rng(number))


def say(text: str) -> None:
    """One write, so that a line is whole or not there."""
    os.write(1, f"{text}\n".encode())


def main(folder: str, batches: int, size: int, seal_every: int, pages: int) -> None:
    sqlite.CHECKPOINT_PAGES = pages
    # merged runs of identities lie in files, as those of a large store do
    runs.IN_FILE = 4 * size
    begun = time.monotonic()
    with embedded.open_store(folder) as store:
        say(f"open {time.monotonic() - begun:.3f}")
        for number in range(batches):
            for kind, send in (("lab", store.append_labels), ("ack", store.append_predictions)):
                made = labels if kind == "lab" else batch
                for _ in range(50):
                    try:
                        send(STREAM, made(number, size), received_us=number)
                    except errors.StoreError as error:
                        say(f"err {error.code}")
                        time.sleep(0.02)
                    else:
                        say(f"{kind} {number}")
                        break
            if seal_every and number % seal_every == seal_every - 1:
                try:
                    store.maintain(now_us=made_up.START_US + round(number * DAYS * made_up.DAY_US))
                except errors.StoreError as error:
                    say(f"err {error.code}")
        say("done 0")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
