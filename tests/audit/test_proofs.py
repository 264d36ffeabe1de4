"""Proofs against the RFC's recursive definition, an independent library, and every way to spoil them."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.audit import proofs, tree

SIZES = st.integers(1, 70)


def h(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(leaves: list[bytes]) -> int:
    return 1 << (len(leaves) - 1).bit_length() - 1


def mth(leaves: list[bytes]) -> bytes:
    """The definition's root, over leaf hashes."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else hashlib.sha256().digest()
    k = split(leaves)
    return h(mth(leaves[:k]), mth(leaves[k:]))


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(leaves)
    return [*path(m, leaves[:k]), mth(leaves[k:])] if m < k else [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of section 2.1.4.1."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(leaves)
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


class Log:
    """Leaf hashes of made up entries and their stored subtrees."""

    def __init__(self, size: int) -> None:
        self.leaves = [tree.leaf_hash(str(number).encode()) for number in range(size)]
        self.nodes = {(level, index): value for level, index, value in tree.append(0, self.leaves, self.node)}
        self.asked = 0

    def node(self, level: int, index: int) -> bytes:
        self.asked += 1
        return self.nodes[level, index]


LOG = Log(70)


@given(SIZES, st.data())
def test_inclusion_is_the_definition(size: int, data: st.DataObject) -> None:
    """The proof of any leaf in any prefix is the definition's, and checks."""
    index = data.draw(st.integers(0, size - 1))
    proof = proofs.inclusion(index, size, LOG.node)
    assert list(proof) == path(index, LOG.leaves[:size])
    assert proofs.includes(
        LOG.leaves[index], index=index, size=size, proof=proof, root=mth(LOG.leaves[:size])
    )  # fmt: skip


@given(SIZES, st.data())
def test_consistency_is_the_definition(size: int, data: st.DataObject) -> None:
    """The proof between any two prefixes is the definition's, and checks."""
    old = data.draw(st.integers(1, size))
    proof = proofs.consistency(old, size, LOG.node)
    assert list(proof) == subproof(old, LOG.leaves[:size], True)
    roots = {"old_root": mth(LOG.leaves[:old]), "root": mth(LOG.leaves[:size])}
    assert proofs.extends(old=old, size=size, proof=proof, **roots)


@given(SIZES, st.data())
def test_spoilt_inclusion(size: int, data: st.DataObject) -> None:
    """Another leaf, place, size, root or hash, one too many or too few: none checks."""
    index = data.draw(st.integers(0, size - 1))
    proof, root, leaf = proofs.inclusion(index, size, LOG.node), mth(LOG.leaves[:size]), LOG.leaves[index]

    def holds(**other: object) -> bool:
        told = {"index": index, "size": size, "proof": proof, "root": root} | other
        return proofs.includes(bytes(told.pop("leaf", leaf)), **told)  # type: ignore[arg-type,call-overload]

    other = data.draw(st.integers(-2, size + 2).filter(lambda at: at != index))
    assert holds()
    assert not holds(index=other)
    assert not holds(leaf=tree.leaf_hash(b"another"))
    assert not holds(root=tree.leaf_hash(b"another"))
    assert not holds(proof=(*proof, root))
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        bit = data.draw(st.integers(0, 255))
        flipped = (int.from_bytes(proof[at]) ^ 1 << bit).to_bytes(32)
        assert not holds(proof=(*proof[:at], flipped, *proof[at + 1 :]))
        assert not holds(proof=proof[:-1])
        assert not holds(proof=proof[1:])


@given(SIZES, st.data())
def test_spoilt_consistency(size: int, data: st.DataObject) -> None:
    """A log that does not begin with the older one is never proved to."""
    old = data.draw(st.integers(1, size))
    proof = proofs.consistency(old, size, LOG.node)
    told = {"old": old, "old_root": mth(LOG.leaves[:old]), "size": size, "root": mth(LOG.leaves[:size])}
    bad = tree.leaf_hash(b"another")
    assert proofs.extends(**told, proof=proof)
    assert not proofs.extends(**told | {"old_root": bad}, proof=proof)
    assert not proofs.extends(**told | {"root": bad}, proof=proof)
    assert not proofs.extends(**told | {"old": size + 1}, proof=proof)
    assert not proofs.extends(**told, proof=(*proof, bad))
    for at in range(len(proof)):
        assert not proofs.extends(**told, proof=(*proof[:at], bad, *proof[at + 1 :]))
        assert not proofs.extends(**told, proof=(*proof[:at], *proof[at + 1 :]))


def test_the_empty_log() -> None:
    """Every log begins with the empty one, and nothing is in it."""
    root = mth(LOG.leaves[:5])
    assert proofs.consistency(0, 5, LOG.node) == ()
    assert proofs.extends(old=0, old_root=tree.EMPTY, size=5, root=root, proof=())
    assert proofs.extends(old=0, old_root=tree.EMPTY, size=0, root=tree.EMPTY, proof=())
    assert not proofs.extends(old=0, old_root=root, size=5, root=root, proof=())
    assert not proofs.extends(old=0, old_root=tree.EMPTY, size=0, root=root, proof=())
    with pytest.raises(ValueError, match="no such leaf"):
        proofs.inclusion(0, 0, LOG.node)
    with pytest.raises(ValueError, match="longer"):
        proofs.consistency(6, 5, LOG.node)


def test_work_grows_with_the_logarithm() -> None:
    """A million times the entries take a few more hashes, not a million times as many."""
    for size in (10, 1_000, 1_000_000, 1_000_000_007):
        asked = 0

        def node(level: int, index: int) -> bytes:
            nonlocal asked
            asked += 1
            return tree.leaf_hash(b"%d %d" % (level, index))

        for index in (0, size // 3, size - 1):
            asked = 0
            assert len(proofs.inclusion(index, size, node)) <= size.bit_length()
            assert asked <= 2 * size.bit_length()
            asked = 0
            assert len(proofs.consistency(index, size, node)) <= size.bit_length() + 1
            assert asked <= 2 * size.bit_length()


def test_reference_proofs() -> None:
    """The proofs of the reference vectors of RFC 6962's first implementation."""
    entries = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
    leaves = [tree.leaf_hash(bytes.fromhex(text)) for text in entries]
    nodes = {(level, index): value for level, index, value in tree.append(0, leaves, lambda *_: b"")}
    found = [value.hex()[:8] for value in proofs.inclusion(5, 8, lambda *key: nodes[key])]
    assert found == ["bc1a0643", "ca854ea1", "d37ee418"]
    found = [value.hex()[:8] for value in proofs.inclusion(1, 5, lambda *key: nodes[key])]
    assert found == ["6e340b9c", "5f083f0a", "bc1a0643"]
    found = [value.hex()[:8] for value in proofs.consistency(6, 8, lambda *key: nodes[key])]
    assert found == ["0ebc5d34", "ca854ea1", "d37ee418"]


def test_another_implementation_agrees() -> None:
    """pymerkle, which has the same topology, makes the same roots and proofs."""
    pymerkle = pytest.importorskip("pymerkle", reason="pymerkle is a development extra")
    other = pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(70):
        other.append_entry(str(number).encode())
    for size in (1, 2, 7, 8, 33, 70):
        assert other.get_root(size) == tree.root(size, LOG.node)
        for index in {0, size // 2, size - 1}:
            # its proofs hold the leaf too, and are in the order of the leaves
            theirs = [bytes.fromhex(value) for value in other.prove_inclusion(index + 1, size).serialize()["path"]]
            assert sorted(theirs) == sorted([LOG.leaves[index], *proofs.inclusion(index, size, LOG.node)])
