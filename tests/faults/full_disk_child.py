"""Fills a disk with events: ``python full_disk_child.py FOLDER``, where FOLDER lies on a small file system.

Until it is full, then reads, makes room, goes on, and compares the store with what was acknowledged.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path

from calibrant import errors
from calibrant.storage import embedded

_spec = importlib.util.spec_from_file_location("oracle", Path(__file__).with_name("oracle.py"))
assert _spec is not None
assert _spec.loader is not None
oracle = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(oracle)

SIZE = 200
MOST = 400


def main(folder: Path) -> None:
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(2_500_000))
    sent, said = oracle.child(), set()
    refused = 0
    with embedded.open_store(folder / "store") as store:
        number = 0
        while refused < 5:
            try:
                store.append_predictions(sent.STREAM, sent.batch(number, SIZE), received_us=number)
            except errors.StoreFullError:
                refused += 1
            else:
                assert refused == 0, "a full disk took a batch"
                said.add(("ack", str(number)))
                number += 1
                assert number < MOST, "the disk never filled"
        assert oracle.compare(store, said, batches=number + 1, size=SIZE) == number * SIZE
        with embedded.open_reader(folder / "store") as reader:
            oracle.compare(reader, said, batches=number + 1, size=SIZE)
        ballast.unlink()
        begun = time.monotonic()
        for more in range(number, number + 3):
            store.append_predictions(sent.STREAM, sent.batch(more, SIZE), received_us=more)
            said.add(("ack", str(more)))
        assert time.monotonic() - begun < 10, "recovery took too long"
    with embedded.open_store(folder / "store") as store:
        assert oracle.compare(store, said, batches=number + 3, size=SIZE) == (number + 3) * SIZE
    sys.stdout.write(f"refused {refused}, kept {number + 3} batches\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
