"""Whoever changes the log past Calibrant, in the file with SQLite, is found, and the first bad entry is named."""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
import random
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from calibrant import advice, errors, registry, rollout, slo
from calibrant.artifacts import keys
from calibrant.audit import checkpoint, proof_file, tree, verification
from calibrant.calibrators import canonical
from calibrant.registry import principals, resources
from calibrant.storage.audit_copy import folder
from calibrant.storage.control import sqlite
from calibrant.testing import clocks
from calibrant.workflow import audit_log, ledger, objectives, people

ADMIN = principals.Principal("alice", "person", None, frozenset({"admin"}))
KEY = keys.generate()
SIGNER = checkpoint.Signer(checkpoint.origin_of(KEY.public), KEY)
ENTRIES = 40
#: Every attack with so many seeds at each push, and with a hundred each night.
SEEDS = [pytest.param(range(8)), pytest.param(range(8, 100), marks=pytest.mark.theory)]


@dataclass(frozen=True)
class Place:
    """A log on disk and its second place."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "control.sqlite"

    def verify(self, *, with_copy: bool = True, kept: Sequence[str] = ()) -> verification.Findings:
        copy = folder.FolderCopy(self.folder / "copy") if with_copy else None
        with sqlite.open_reader(self.file) as reader:
            return audit_log.verify(reader, copy, keys=[KEY.public], kept=kept)

    def rows(self, statement: str, *values: object) -> list[Any]:
        connection = sqlite3.connect(self.file)
        with connection:
            found = connection.execute(statement, values).fetchall()
        connection.close()
        return found

    def bodies(self) -> list[bytes]:
        return [row[0] for row in self.rows("SELECT body FROM entries ORDER BY idx")]

    def rewrite(self, bodies: Sequence[bytes], *, nodes: bool, signed: bool) -> None:
        """What somebody with the file can make of it; with ``nodes`` the whole tree too, ``signed`` with our key."""
        connection = sqlite3.connect(self.file)
        with connection:
            connection.execute("DELETE FROM entries")
            connection.executemany("INSERT INTO entries VALUES (?, ?)", list(enumerate(bodies)))
            if nodes:
                connection.execute("DELETE FROM nodes")
                made: dict[tuple[int, int], bytes] = {}
                for level, index, value in tree.append(0, [tree.leaf_hash(body) for body in bodies], made.__getitem__):
                    made[level, index] = value
                connection.executemany("INSERT INTO nodes VALUES (?, ?, ?)", [(*at, made[at]) for at in made])
            if signed:
                connection.execute("DELETE FROM checkpoints WHERE size > ?", (len(bodies),))
                for (size,) in connection.execute("SELECT size FROM checkpoints").fetchall():
                    root = tree.root(size, lambda *at: made[at])
                    note = SIGNER.note(size=size, root=root)
                    connection.execute("UPDATE checkpoints SET note = ? WHERE size = ?", (note, size))
        connection.close()


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A log of 40 entries about seven resources, with a checkpoint every ten or so."""
    place = Place(tmp_path_factory.mktemp("honest"))
    clock = clocks.FakeClock()
    with sqlite.open_store(place.file) as store:
        book = ledger.Ledger(store, folder.FolderCopy(place.folder / "copy"), SIGNER, clock)
        for number in range(ENTRIES):
            clock.advance(seconds=7)
            name = f"e{number % 7}"
            found = store.get("environment", name)
            revision = 0 if found is None else found.revision
            body = {"approvals": number}
            change = resources.Change("environment", name, revision, body, "environment.set", f"reason {number}")
            book.execute(ADMIN, resources.Command((change,)))
        book.checkpoint()
    return place


@pytest.fixture
def place(honest: Place, tmp_path: Path) -> Place:
    """A copy of it, to be tampered with."""
    shutil.copytree(honest.folder, tmp_path / "place")
    return Place(tmp_path / "place")


def edited(body: bytes, **other: object) -> bytes:
    """The same entry saying something else, in canonical form."""
    return canonical.dumps(json.loads(body) | other)


def edit(bodies: list[bytes], rng: random.Random) -> list[bytes]:
    """Somebody else did it, or another content came of it."""
    at = rng.randrange(len(bodies))
    digest = "sha256:" + hashlib.sha256(rng.randbytes(4)).hexdigest()
    other: dict[str, Any] = rng.choice(
        [
            {"actor": "mallory"},
            {"after": digest},
            {"action": "environment.unset"},
            {"reason": None},
            {"evidence": ["x"]},
        ]
    )
    return [*bodies[:at], edited(bodies[at], **other), *bodies[at + 1 :]]


def renumbered(bodies: Sequence[bytes], rng: random.Random) -> list[bytes]:
    """Half of the forgers see that entries say where they stand."""
    careful = rng.random() < 0.5
    return [edited(body, index=index) for index, body in enumerate(bodies)] if careful else list(bodies)


def delete(bodies: list[bytes], rng: random.Random) -> list[bytes]:
    """It never happened."""
    at = rng.randrange(len(bodies) - 1)
    return renumbered([*bodies[:at], *bodies[at + 1 :]], rng)


def reorder(bodies: list[bytes], rng: random.Random) -> list[bytes]:
    """It happened later."""
    one, two = rng.sample(range(len(bodies)), 2)
    changed = list(bodies)
    changed[one], changed[two] = changed[two], changed[one]
    return renumbered(changed, rng)


def insert(bodies: list[bytes], rng: random.Random) -> list[bytes]:
    """It was approved after all."""
    at = rng.randrange(len(bodies))
    extra = edited(bodies[at], actor="mallory", index=at)
    return renumbered([*bodies[:at], extra, *bodies[at:]], rng)


def truncate(bodies: list[bytes], rng: random.Random) -> list[bytes]:
    """The last ones never happened."""
    return bodies[: rng.randrange(len(bodies))]


def rewrite(bodies: list[bytes], rng: random.Random) -> list[bytes]:
    """Another history from some point on."""
    at = rng.randrange(len(bodies))
    return [*bodies[:at], *(edited(body, actor="mallory") for body in bodies[at:])]


ATTACKS = (edit, delete, reorder, insert, truncate, rewrite)


def first_difference(before: Sequence[bytes], after: Sequence[bytes]) -> int:
    """Where two logs part."""
    same = (index for index, (one, two) in enumerate(zip(before, after, strict=False)) if one != two)
    return next(same, min(len(before), len(after)))


def test_an_honest_log(honest: Place) -> None:
    """Nothing is found where nothing was done."""
    found = honest.verify()
    assert (found.problems, found.sound, found.first_bad()) == ({}, True, None)
    assert (found.entries, found.covered) == (ENTRIES, ENTRIES)
    assert found.checkpoints >= 4
    assert honest.verify(with_copy=False).sound


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("seeds", SEEDS)
def test_every_attack_is_found(honest: Place, tmp_path: Path, attack: Callable[..., list[bytes]], seeds: range) -> None:
    """100 of 100, with the exact first bad entry, whatever the forger has: the file, the tree, our signing key."""
    before = honest.bodies()
    place = Place(tmp_path)
    shutil.copytree(honest.folder / "copy", tmp_path / "copy")
    for seed in seeds:
        rng = random.Random(f"{attack.__name__} {seed}")
        shutil.copy(honest.file, place.file)
        after = attack(before, rng)
        nodes = attack is rewrite or rng.random() < 0.7
        place.rewrite(after, nodes=nodes, signed=nodes and (attack is rewrite or rng.random() < 0.5))
        found = place.verify()
        assert not found.sound, (attack, seed)
        assert found.first_bad() == first_difference(before, after), (attack, seed, found.problems)


@pytest.mark.parametrize("attack", [edit, delete, reorder, insert, truncate])
def test_without_a_second_place(honest: Place, tmp_path: Path, attack: Callable[..., list[bytes]]) -> None:
    """A forger without the key is found by the log's own checkpoints, which say between which entries to look."""
    before, place = honest.bodies(), Place(tmp_path)
    for seed in range(5):
        rng = random.Random(f"alone {attack.__name__} {seed}")
        shutil.copy(honest.file, place.file)
        after = attack(before, rng)
        place.rewrite(after, nodes=True, signed=False)
        found = place.verify(with_copy=False)
        bad = found.first_bad()
        assert bad is not None
        # it is the first that it can be: not after the first bad one, and within the same checkpoint
        assert bad <= first_difference(before, after) < bad + 12


def test_a_checkpoint_that_an_auditor_kept(place: Place) -> None:
    """A rewrite with the key and without a second place is found by anybody who kept an older checkpoint."""
    kept = place.rows("SELECT note FROM checkpoints WHERE size > 20 ORDER BY size")[0][0]
    size = checkpoint.parse(kept).size
    before = place.bodies()
    place.rewrite([*before[:5], *(edited(body, actor="mallory") for body in before[5:])], nodes=True, signed=True)
    assert place.verify(with_copy=False).problems.keys() <= {"resource"}
    problem = place.verify(with_copy=False, kept=[kept]).problems["checkpoint"]
    assert problem.index is not None
    assert problem.index <= 5 < size == problem.end


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.theory)])
def test_each_stored_hash(place: Place, every: int) -> None:
    """Every node changed or gone is found, and the entries that it covers are named."""
    for level, index, value in place.rows("SELECT level, idx, hash FROM nodes")[::every]:
        for other in (tree.leaf_hash(value), None):
            if other is None:
                place.rows("DELETE FROM nodes WHERE level = ? AND idx = ?", level, index)
            else:
                place.rows("UPDATE nodes SET hash = ? WHERE level = ? AND idx = ?", other, level, index)
            found = place.verify()
            assert found.problems["hash"].index == found.first_bad() == index << level
            assert found.problems["hash"].end == (index + 1) << level
            place.rows("INSERT OR REPLACE INTO nodes VALUES (?, ?, ?)", level, index, value)


def test_what_the_store_holds(place: Place) -> None:
    """A content that no entry tells of, in any revision, and a resource that nobody made."""
    body = canonical.dumps({"approvals": 0})
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    place.rows("UPDATE revisions SET body = ?, digest = ? WHERE idx = 15", body, digest)
    assert place.verify().first_bad() == 15
    place.rows("UPDATE revisions SET body = ? WHERE idx = 3", body)
    assert place.verify().first_bad() == 3


def test_a_resource_that_nobody_made(place: Place) -> None:
    """Put into the tables past the log."""
    body = canonical.dumps({"principal": "mallory"})
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    place.rows("INSERT INTO revisions VALUES ('key', 'abc', 1, ?, ?, 0, 999)", body, digest)
    place.rows("INSERT INTO resources VALUES ('key', 'abc', 1)")
    assert "no entry tells of it" in place.verify().problems["resource"].text


def test_a_head_that_points_back(place: Place) -> None:
    """What is current is what the last entry says, not an earlier revision."""
    place.rows("UPDATE resources SET revision = 2 WHERE name = 'e3'")
    assert "resource" in place.verify().problems


def test_checkpoints_that_are_forged_or_gone(place: Place) -> None:
    """A note of another key is no checkpoint; one that is missing was exported."""
    other = checkpoint.Signer(SIGNER.origin, keys.generate())
    size = place.rows("SELECT size FROM checkpoints ORDER BY size")[1][0]
    place.rows("UPDATE checkpoints SET note = ? WHERE size = ?", other.note(size=size, root=tree.EMPTY), size)
    assert "cannot be trusted" in place.verify().problems["checkpoint"].text
    place.rows("DELETE FROM checkpoints WHERE size = ?", size)
    assert "is gone" in place.verify().problems["checkpoint"].text


def test_a_second_place_that_was_emptied(place: Place) -> None:
    """Whoever removes the second place has not hidden anything: it was never told of any entry."""
    shutil.rmtree(place.folder / "copy")
    found = place.verify()
    assert found.problems["copy"].index == 0


def test_proofs(place: Place, tmp_path: Path) -> None:
    """Every entry is proved by a file alone, and no spoilt file proves anything."""
    with sqlite.open_reader(place.file) as reader:
        every = [audit_log.prove(reader, index) for index in range(ENTRIES)]
        with pytest.raises(errors.UsageError, match="CAL-888"):
            audit_log.prove(reader, ENTRIES)
    for index, proof in enumerate(every):
        assert proof_file.loads(proof_file.dumps(proof)) == proof
        entry, said = proof_file.check(proof, [KEY.public])
        assert (entry.index, said.size) == (index, ENTRIES)
    data = proof_file.dumps(every[5])
    for at in range(0, len(data), 3):
        spoilt = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(errors.ArtifactError):
            proof_file.check(proof_file.loads(spoilt), [KEY.public])
    with pytest.raises(errors.ArtifactError, match="CAL-632"):
        proof_file.check(every[5], [keys.generate().public])


def test_an_entry_that_no_checkpoint_covers(place: Place) -> None:
    """There is nothing signed yet that a proof could lead to."""
    newest = place.rows("SELECT size FROM checkpoints ORDER BY size DESC LIMIT 1")[0][0]
    place.rows("DELETE FROM checkpoints WHERE size = ?", newest)
    with (
        sqlite.open_reader(place.file) as reader,
        pytest.raises(errors.UsageError, match="CAL-889"),
    ):
        audit_log.prove(reader, newest - 1)


def test_lines(honest: Place) -> None:
    """The entries that are asked for, with the words that were said."""
    with sqlite.open_reader(honest.file) as reader:
        every = list(audit_log.lines(reader, audit_log.Wanted()))
        assert [line.entry.index for line in every] == list(range(ENTRIES))
        assert [line.said for line in every] == [f"reason {number}" for number in range(ENTRIES)]
        start, end = every[3].entry.at_us, every[9].entry.at_us

        def shown(**wanted: Any) -> list[int]:
            return [line.entry.index for line in audit_log.lines(reader, audit_log.Wanted(**wanted))]

        assert shown(since_us=start, until_us=end) == list(range(3, 9))
        assert shown(subject="environment/e2") == list(range(2, ENTRIES, 7))
        assert shown(actor="bob") == shown(action="binding.promote") == shown(subject="fraud") == []
        assert len(shown(actor="alice", action="environment.set")) == ENTRIES


def test_every_kind_is_looked_for() -> None:
    """A kind of resource that a room of rules declares is compared although no entry tells of one."""
    found = [
        importlib.import_module(one.name)
        for room in (advice, registry, rollout, slo)
        for one in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")
    ]
    declared = {one.KIND for one in found if hasattr(one, "KIND")} | {people.INSTALLATION, objectives.KIND}
    assert declared == set(audit_log.KINDS)
