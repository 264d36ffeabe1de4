"""The tree against the RFC's recursive definition, and the reference vectors of Certificate Transparency."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.audit import tree

#: The leaves and roots that the reference implementation of RFC 6962 is tested with.
LEAVES = tuple(
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
)
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def nodes_of(entries: list[bytes], *, steps: list[int] | None = None) -> dict[tuple[int, int], bytes]:
    """The stored subtrees of a log, appended in batches of these lengths (each alone without them)."""
    kept: dict[tuple[int, int], bytes] = {}
    leaves = [tree.leaf_hash(entry) for entry in entries]
    start = 0
    for length in [*(steps or []), *[1] * len(leaves)]:
        for level, index, value in tree.append(start, leaves[start : start + length], lambda *key: kept[key]):
            assert (level, index) not in kept
            kept[level, index] = value
        start = min(start + length, len(leaves))
    return kept


def recursive_root(entries: list[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1, word for word."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1 << (len(entries) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + recursive_root(entries[:k]) + recursive_root(entries[k:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_reference_roots(size: int) -> None:
    """The roots of the reference vectors, and of the empty tree."""
    nodes = nodes_of(list(LEAVES))
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" if size == 0 else ROOTS[size - 1]
    assert tree.root(size, lambda *key: nodes[key]).hex() == expected


@given(st.lists(st.binary(max_size=4), max_size=70), st.lists(st.integers(0, 20), max_size=8))
def test_any_root_of_any_log(entries: list[bytes], steps: list[int]) -> None:
    """Every prefix has the root of the definition, however the entries came in batches."""
    nodes = nodes_of(entries, steps=steps)
    for size in range(len(entries) + 1):
        assert tree.root(size, lambda *key: nodes[key]) == recursive_root(entries[:size])


@given(st.integers(0, 3000))
def test_stored_subtrees(size: int) -> None:
    """A log of n entries has 2n minus its ones in binary complete subtrees, and asks for none that is not there."""
    assert len(nodes_of([b""] * min(size, 300))) == 2 * min(size, 300) - min(size, 300).bit_count()
    assert sum(1 << level for level, _ in tree.peaks(size)) == size


def test_no_leaves_have_no_hash() -> None:
    """A span needs a leaf."""
    with pytest.raises(ValueError, match="no leaves"):
        tree.span(4, 4, lambda *_: b"")
