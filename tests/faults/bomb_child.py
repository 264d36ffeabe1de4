"""Ingests one file and says how much memory that took: ``python bomb_child.py FOLDER FILE``.

Prints items, refused items, the code of a refusal of the whole, MiB above the start, and seconds of CPU.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path

from calibrant import errors
from calibrant.storage import embedded
from calibrant.streams import declaration
from calibrant.testing import clocks, made_up
from calibrant.workflow import checkpoints, feeds, ingest

STREAM = declaration.Stream("s", declaration.LabelContract(timedelta(days=2)))


def megabytes(name: str) -> float:
    """A line of the kernel's account of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def main(folder: Path, name: str) -> None:
    clock = clocks.FakeClock(made_up.START_US)
    with embedded.open_store(folder / "store") as store:

        def take(path: Path) -> tuple[int, int, str]:
            kept = checkpoints.FolderOfCheckpoints(folder / "ingest")
            try:
                feed = feeds.open_feed(str(path), STREAM, "predictions")
                done = ingest.ingest(store, STREAM, feed, kind="predictions", time=clock, name=path.name, kept=kept)
            except errors.CalibrantError as error:
                return 0, 0, error.code
            return done.items, done.rejected, "-"

        take(folder / "warm.jsonl")
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        before, begun = megabytes("VmRSS"), time.process_time()
        items, rejected, code = take(folder / name)
        spent = time.process_time() - begun
        sys.stdout.write(f"{items} {rejected} {code} {megabytes('VmHWM') - before:.1f} {spent:.2f}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
