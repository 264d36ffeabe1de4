"""What must hold of a store after any accident: all that was acknowledged is there once, and nothing is there twice."""

from __future__ import annotations

import functools
import importlib.util
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from calibrant.ports import event_log
from calibrant.storage import embedded
from calibrant.testing import made_up

CHILD = Path(__file__).with_name("ingest_child.py")


def child(name: str = "ingest_child") -> ModuleType:
    """A child's module, for what it sends."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, CHILD.with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def check(folder: Path, lines: Iterable[str], *, batches: int, size: int, within: float = 5.0) -> int:
    """Open the store and compare it with what its writer said; how many predictions it holds."""
    acknowledged = {tuple(line.split()) for line in lines}
    begun = time.monotonic()
    with embedded.open_store(folder) as store:
        assert time.monotonic() - begun <= within, "restart took too long"
        return compare(store, acknowledged, batches=batches, size=size)


@functools.cache
def _sent(kind: str, number: int, size: int) -> tuple[list[str], list[bytes]]:
    """Names and digests of a batch that the child sends; the same for every image of one run."""
    table = child().batch(number, size) if kind == "ack" else child().labels(number, size)
    return table["id" if kind == "ack" else "prediction"].to_pylist(), table["digest"].to_pylist()


def compare(store: event_log.EventReader, said: set[tuple[str, ...]], *, batches: int, size: int) -> int:
    """The store holds every acknowledged batch, and of the others all or nothing; each event once and unchanged."""
    sent = child()
    told = {row["id"]: row["digest"] for row in made_up.rows(list(store.predictions(sent.STREAM)))}
    labelled = {row["prediction"]: row["digest"] for row in made_up.rows(list(store.labels(sent.STREAM)))}
    counts = store.counts(sent.STREAM)
    assert counts.predictions == len(told) == sum(t.num_rows for t in store.predictions(sent.STREAM))
    assert counts.labels == len(labelled) == sum(t.num_rows for t in store.labels(sent.STREAM))
    assert counts.conflicting == 0
    assert counts.orphans == len(set(labelled) - set(told))
    for number in range(batches):
        for kind, found in (("ack", told), ("lab", labelled)):
            names, digests = _sent(kind, number, size)
            there = [one in found for one in names]
            assert all(there) or (not any(there) and (kind, str(number)) not in said), f"{kind} {number} is lost"
            if all(there):
                assert [found.pop(one) for one in names] == digests
    assert not told, "events that nobody sent"
    assert not labelled, "labels that nobody sent"
    return counts.predictions
