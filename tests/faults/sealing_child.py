"""As ``ingest_child``, but files of the store have numbered names, so that a test can let their writes fail."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import sys
import uuid
from pathlib import Path

_spec = importlib.util.spec_from_file_location("ingest_child", Path(__file__).with_name("ingest_child.py"))
assert _spec is not None
assert _spec.loader is not None
ingest_child = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(ingest_child)

MOST = 400


def part_names() -> list[str]:
    """Where files that are being written may lie, below the folder of segments."""
    folder = hashlib.sha256(ingest_child.STREAM.encode()).hexdigest()[:32]
    names = [uuid.UUID(int=number).hex for number in range(MOST)]
    starts = (f"{folder}/predictions-", f"{folder}/labels-", "identities/")
    return [f"{start}{name}.part" for start in starts for name in names]


if __name__ == "__main__":
    numbers = itertools.count()
    uuid.uuid4 = lambda: uuid.UUID(int=next(numbers))
    ingest_child.main(sys.argv[1], *map(int, sys.argv[2:]))
