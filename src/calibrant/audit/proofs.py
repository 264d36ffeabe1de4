"""Proofs about the log in O(log n) hashes: that an entry is in it, and that a longer log begins with a shorter one.

Making takes stored subtrees; checking takes bytes alone (RFC 9162, sections 2.1.3 and 2.1.4).
"""

from __future__ import annotations

from collections.abc import Sequence

from calibrant.audit import tree


def inclusion(index: int, size: int, node: tree.NodeOf) -> tuple[bytes, ...]:
    """The hashes that lead from leaf ``index`` to the root over ``size`` leaves; ValueError outside the log."""
    if not 0 <= index < size:
        raise ValueError("no such leaf")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _left(end - start)
        if index < middle:
            path.append(tree.span(middle, end, node))
            end = middle
        else:
            path.append(tree.span(start, middle, node))
            start = middle
    return tuple(reversed(path))


def consistency(old: int, size: int, node: tree.NodeOf) -> tuple[bytes, ...]:
    """The hashes that show that the log of ``size`` entries begins with the one of ``old``; ValueError if it cannot."""
    if not 0 <= old <= size:
        raise ValueError("a log cannot begin with a longer one")
    path: list[bytes] = []
    start, end = 0, size
    while 0 < old < end:
        middle = start + _left(end - start)
        if old <= middle:
            path.append(tree.span(middle, end, node))
            end = middle
        else:
            path.append(tree.span(start, middle, node))
            start = middle
    if start:  # the last piece is not the whole old log, whose root the checker has
        path.append(tree.span(start, end, node))
    return tuple(reversed(path))


def includes(leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof leads from a leaf hash to the root."""
    if not 0 <= index < size:
        return False
    at, last, value = index, size - 1, leaf
    for beside in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            value = tree.node_hash(beside, value)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            value = tree.node_hash(value, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and value == root


def extends(*, old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that the log of ``size`` entries and this root begins with the one of ``old`` entries."""
    if not 0 <= old <= size:
        return False
    if old in (0, size):
        return not proof and old_root == (tree.EMPTY if old == 0 else root) and (size > 0 or root == tree.EMPTY)
    if not proof:
        return False
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for beside in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = tree.node_hash(beside, before), tree.node_hash(beside, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = tree.node_hash(after, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == root


def _left(length: int) -> int:
    """The leaves of the left subtree: the largest power of two below the length."""
    return 1 << (length - 1).bit_length() - 1
