"""The Merkle tree over the log (RFC 9162, section 2.1): leaves, nodes, roots.

A *complete subtree* is one over 2^level leaves that start at a multiple of 2^level. It is named (level, index), never
changes once it is there, and is what a store keeps; every root and every proof is made from O(log n) of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

#: The hash of a complete subtree: (level, index) -> 32 bytes.
NodeOf: TypeAlias = Callable[[int, int], bytes]
#: The level, index and hash of the complete subtree over the leaves [index * 2^level, (index + 1) * 2^level).
Node: TypeAlias = tuple[int, int, bytes]

#: Bytes of a hash.
WIDTH: Final = 32
#: The root of a log without entries.
EMPTY: Final = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry).

    >>> leaf_hash(b"").hex()[:16]
    '6e340b9cffb37a98'
    """
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def append(size: int, leaves: Sequence[bytes], node: NodeOf) -> tuple[Node, ...]:
    """The complete subtrees that appear when leaf hashes are put behind ``size`` leaves, leaves (level 0) among them.

    ``node`` is asked only for subtrees that were complete before.
    """
    made: dict[tuple[int, int], bytes] = {}
    for offset, leaf in enumerate(leaves):
        level, index, value = 0, size + offset, leaf
        made[level, index] = value
        while index & 1:
            beside = (level, index - 1)
            value = node_hash(made[beside] if beside in made else node(*beside), value)
            level, index = level + 1, index >> 1
            made[level, index] = value
    return tuple((level, index, value) for (level, index), value in made.items())


def peaks(size: int) -> Iterator[tuple[int, int]]:
    """The largest complete subtrees side by side that cover ``size`` leaves: (level, index), from the left.

    >>> list(peaks(7))
    [(2, 0), (1, 2), (0, 6)]
    """
    start = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            yield level, start >> level
            start += 1 << level


def root(size: int, node: NodeOf) -> bytes:
    """The root over the first ``size`` leaves."""
    return span(0, size, node) if size else EMPTY


def span(start: int, end: int, node: NodeOf) -> bytes:
    """The hash over the leaves [start, end), at least one.

    ``start`` is a multiple of a power of two that is not below the length, as it is for every subtree that the RFC's
    recursion meets.
    """
    value: bytes | None = None
    for level, index in reversed(list(peaks(end - start))):
        found = node(level, index + (start >> level))
        value = found if value is None else node_hash(found, value)
    if value is None:
        raise ValueError("no leaves")
    return value
