"""The audit log: entries appended through the ledger, all of them verified, and proofs by size of the log."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import clock
from calibrant.artifacts import keys
from calibrant.audit import checkpoint, proof_file, proofs, tree
from calibrant.registry import principals, resources
from calibrant.workflow import audit_log, ledger

if TYPE_CHECKING:
    from benchmarks import data
    from calibrant.ports import control_store

ENTRIES = 100_000
#: Changes of one transaction: a commit costs what the disk takes to write, however many entries it has.
TOGETHER = 500
#: Things that are decided about, again and again.
NAMES = 5_000
TITLE = "The audit log"
ADMIN = principals.Principal("bench", "service", "bench", frozenset({"admin"}))


class Now:
    """A clock that moves on a little with each look."""

    us = 1_700_000_000_000_000

    def now_us(self) -> int:
        self.us += 1_000
        return self.us


def run(stream: data.Stream) -> Iterator[clock.Line]:  # noqa: ARG001  # the audit log has no scores
    from calibrant.storage.audit_copy import folder
    from calibrant.storage.control import sqlite

    key = keys.generate()
    with tempfile.TemporaryDirectory() as place:
        copy = folder.FolderCopy(Path(place) / "copy", seconds=30)
        with sqlite.open_store(Path(place) / "control.sqlite") as store:
            signer = checkpoint.Signer("bench.example/audit", key)
            book = ledger.Ledger(store, copy, signer, Now())
            spent, _ = clock.timed(lambda: append(book, 0, ENTRIES))
            yield clock.Line(
                f"{ENTRIES:,} entries appended, {TOGETHER} to a transaction, with the second place", spent,
                goal=clock.Goal("at_most", 60), note=f"{ENTRIES / spent:,.0f} entries a second, all of them durable",
            )  # fmt: skip
            single, _ = clock.timed(lambda: append(book, ENTRIES, 200, together=1))
            yield clock.Line("one change: durable in both places", single / 200, note="mostly four fsyncs of this disk")
            book.checkpoint()
            spent, found = clock.timed(lambda: audit_log.verify(store, copy, keys=[key.public]))
            yield clock.Line(
                f"{found.entries:,} entries verified from their content, with every stored hash and revision", spent,
                goal=clock.Goal("at_most", 60), agreement="sound" if found.sound else "NOT SOUND",
                note=f"{found.checkpoints} checkpoints, each with its signature",
            )  # fmt: skip
            yield from proved(store, key.public)
    yield from grown()


def append(book: ledger.Ledger, start: int, many: int, *, together: int = TOGETHER) -> None:
    """Change so many environments in turn, each with an entry of its own."""
    for first in range(start, start + many, together):
        changes = tuple(
            resources.Change(
                "environment", f"e{number % NAMES}", number // NAMES, {"approvals": number}, "environment.set"
            )
            for number in range(first, first + together)
        )
        book.execute(ADMIN, resources.Command(changes))


def proved(store: control_store.ControlStore, key: keys.PublicKey) -> Iterator[clock.Line]:
    """A proof of one entry of the whole log."""
    made = clock.median(lambda: audit_log.prove(store, ENTRIES // 3), times=50)
    data = proof_file.dumps(audit_log.prove(store, ENTRIES // 3))
    checked = clock.median(lambda: proof_file.check(proof_file.loads(data), [key]), times=50)
    yield clock.Line(f"proof of one of {store.size():,} entries made", made)
    yield clock.Line("the same checked, from its file and the public key", checked, note=f"{len(data):,} bytes")


def grown() -> Iterator[clock.Line]:
    """Proofs in trees of 10^2 to 10^6 leaves: they grow by the same few hashes for every factor of ten."""
    for power in range(2, 7):
        size = 10**power
        nodes: dict[tuple[int, int], bytes] = {}
        node = _reads(nodes)
        leaves = [tree.leaf_hash(b"%d" % number) for number in range(size)]
        for level, index, value in tree.append(0, leaves, node):
            nodes[level, index] = value
        index = size // 3
        path = proofs.inclusion(index, size, node)
        check = functools.partial(
            proofs.includes, leaves[index], index=index, size=size, proof=path,
            root=tree.root(size, node),
        )  # fmt: skip
        assert check()
        spent = clock.median(check, times=200)
        grows = proofs.consistency(size // 2 + 1, size, node)
        note = f"{len(path)} hashes; that it grew from half of it: {len(grows)} hashes"
        yield clock.Line(f"inclusion in a log of {size:,} entries checked", spent, note=note)


def _reads(nodes: dict[tuple[int, int], bytes]) -> tree.NodeOf:
    return lambda level, index: nodes[level, index]
