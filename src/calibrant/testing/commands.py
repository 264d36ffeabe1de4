"""Made-up changes and commands, and what must be true of a control store after any of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calibrant.audit import entries, tree
from calibrant.ports import control_store
from calibrant.registry import resources

ALICE = control_store.Author("alice", origin="192.0.2.7", request="r-1")


def change(name: str = "fraud/production", expected: int = 0, **more: Any) -> resources.Change:
    """A change of a binding; ``body`` is what it is changed to."""
    given = {"kind": "binding", "body": {"champion": expected}, "action": "binding.promote"} | more
    return resources.Change(name=name, expected=expected, **given)


def command(*changes: resources.Change, requires: Sequence[resources.Requirement] = ()) -> resources.Command:
    """A command of these changes."""
    return resources.Command(tuple(changes), tuple(requires))


def examine(store: control_store.ControlReader) -> list[entries.Entry]:
    """The log agrees with itself, its tree and the resources; its entries."""
    with store.snapshot() as view:
        held = list(view.entries())
        said = [entries.loads(one) for one in held]
        assert view.size() == len(said)
        assert [one.index for one in said] == list(range(len(said)))
        assert [one.at_us for one in said] == sorted(one.at_us for one in said)
        grown = tree.append(0, [tree.leaf_hash(one) for one in held], _never)
        assert all(view.node(level, index) == value for level, index, value in grown)
        newest: dict[tuple[str, str], list[entries.Entry]] = {}
        for one in said:
            newest.setdefault((one.kind, one.name), []).append(one)
        for (kind, name), several in newest.items():
            kept = view.history(kind, name)
            assert [(one.revision, one.index, one.digest, one.at_us) for one in kept] == [
                (one.revision, one.index, one.after, one.at_us) for one in several
            ]
            assert [one.revision for one in kept] == list(range(1, len(kept) + 1))
            assert [one.before for one in several] == [None, *(one.after for one in several[:-1])]
            assert view.get(kind, name) == kept[-1]
    return said


def _never(level: int, index: int) -> bytes:
    raise AssertionError(f"node {index} of level {level} is not older than the log")
