"""The exam of a control store. Subclass it and give it a store:

    class TestMyStore(ControlStoreContract):
        @pytest.fixture
        def opened(self, tmp_path):
            with my_store(tmp_path) as store:
                yield store

Every test carries the number of the promise in ``calibrant.ports.control_store`` that it examines.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from calibrant import errors
from calibrant.audit import entries, tree
from calibrant.ports import control_store
from calibrant.registry import resources
from calibrant.testing import commands

ALICE = commands.ALICE
change, command, examine = commands.change, commands.command, commands.examine


class ControlStoreContract:
    """Promises 1 to 7, for a store that the fixture ``opened`` gives."""

    @pytest.fixture
    def opened(self) -> control_store.ControlStore:
        """An empty store; overwrite this."""
        pytest.fail("overwrite the fixture `opened`: it gives an empty store of yours")

    def test_an_empty_store_has_nothing(self, opened: control_store.ControlStore) -> None:
        """1: no entry, no resource, no checkpoint."""
        assert opened.size() == 0
        assert list(opened.entries()) == []
        assert opened.get("binding", "x") is opened.at("binding", "x", 0) is None
        assert opened.history("binding", "x") == opened.browse("binding") == ()
        assert opened.checkpoints() == ()
        assert opened.newest_checkpoint() is None
        assert opened.said("sha256:" + "0" * 64) is None
        assert opened.schema_version() >= 1

    # ------------------------------------------------------------ 1 together

    def test_changes_and_entries_come_together(self, opened: control_store.ControlStore) -> None:
        """1: each change has its revision and its entry, with the same digest, time and index."""
        changes = (
            change("a", body={"n": [1, 2.5, None], "ü": "ß", "empty": {}}, evidence=("sha256:aa", "sha256:bb")),
            change("b", kind="artifact", body={}, action="artifact.seal"),
        )
        done = opened.commit(command(*changes), author=ALICE, at_us=5)
        assert (done.size, done.repeated) == (2, False)
        assert [(one.kind, one.name, one.revision, one.index, one.at_us) for one in done.resources] == [
            ("binding", "a", 1, 0, 5),
            ("artifact", "b", 1, 1, 5),
        ]
        assert opened.get("binding", "a") == done.resources[0]
        assert done.resources[0].body == changes[0].body
        first, second = examine(opened)
        assert (first.actor, first.action, first.request, first.evidence) == (
            "alice",
            "binding.promote",
            "r-1",
            ("sha256:aa", "sha256:bb"),
        )
        assert (first.before, first.after) == (None, resources.digest(changes[0].body or {}))
        assert (second.kind, second.action, second.evidence) == ("artifact", "artifact.seal", ())

    def test_a_refused_part_undoes_the_whole(self, opened: control_store.ControlStore) -> None:
        """1: the changes before the one that is refused did not happen."""
        with pytest.raises(errors.ConflictError):
            opened.commit(command(change("a"), change("b", reason="words"), change("c", 3)), author=ALICE, at_us=1)
        assert (opened.size(), opened.browse("binding")) == (0, ())

    def test_what_cannot_be_recorded_is_refused(self, opened: control_store.ControlStore) -> None:
        """1: what has no exact JSON form, or no name that every database keeps, never becomes a traceback."""
        deep: Any = []
        for _ in range(100_000):
            deep = [deep]
        bodies: list[Any] = [{"x": float("nan")}, {"x": 2**60}, {"x": {1, 2}}, {"x": "\ud800"}, {"x": deep}]
        for body in bodies:
            with pytest.raises(errors.UsageError, match="CAL-882"):
                opened.commit(command(change(body=body)), author=ALICE, at_us=1)
        for name in ("", "a\0b", "\udfff"):
            with pytest.raises(errors.UsageError, match="CAL-882"):
                opened.commit(command(change(name)), author=ALICE, at_us=1)
        with pytest.raises(errors.UsageError, match="CAL-882"):
            opened.commit(command(change(reason="\ud800")), author=ALICE, at_us=1)
        assert opened.size() == 0

    def test_names_are_only_text(self, opened: control_store.ControlStore) -> None:
        """1: quotes, patterns and signs of any script are kept as they are."""
        names = ["'; DROP TABLE entries; --", "%s %(x)s %", "a_b", "ключ", "😀", ":id", "?", "\\", '"', " "]
        opened.commit(command(*(change(name, body={"name": name}) for name in names)), author=ALICE, at_us=1)
        assert [one.name for one in opened.browse("binding")] == sorted(names)
        assert [one.body for one in opened.browse("binding")] == [{"name": name} for name in sorted(names)]
        assert opened.browse("binding", prefix="a%") == opened.browse("binding", prefix="?_") == ()

    # ------------------------------------------------------------ 2 compare and swap

    def test_only_the_current_revision_can_be_changed(self, opened: control_store.ControlStore) -> None:
        """2: an older one, a newer one and one that is there already are refused, by name and revision."""
        opened.commit(command(change()), author=ALICE, at_us=1)
        opened.commit(command(change(expected=1)), author=ALICE, at_us=2)
        for expected in (0, 1, 3):
            with pytest.raises(errors.ConflictError, match=r"CAL-911: binding 'fraud/production' has revision 2"):
                opened.commit(command(change(expected=expected)), author=ALICE, at_us=3)
        assert len(examine(opened)) == 2

    def test_requirements_hold_or_nothing_happens(self, opened: control_store.ControlStore) -> None:
        """2: also for what must not be there."""
        opened.commit(command(change("policy")), author=ALICE, at_us=1)
        for revision, name in ((0, "policy"), (2, "policy"), (1, "other")):
            requires = [resources.Requirement("binding", name, revision)]
            with pytest.raises(errors.ConflictError, match=f"CAL-911: binding '{name}'"):
                opened.commit(command(change(), requires=requires), author=ALICE, at_us=1)
        requires = [resources.Requirement("binding", "policy", 1), resources.Requirement("binding", "other", 0)]
        assert opened.commit(command(change(), requires=requires), author=ALICE, at_us=1).size == 2

    def test_a_command_may_take_two_steps(self, opened: control_store.ControlStore) -> None:
        """2: changes of one resource follow one another."""
        done = opened.commit(command(change(), change(expected=1, body={"x": 1})), author=ALICE, at_us=1)
        assert [one.revision for one in done.resources] == [1, 2]
        assert len(examine(opened)) == 2

    def test_writers_in_threads_lose_nothing(self, opened: control_store.ControlStore) -> None:
        """2, 3: four threads count one number up; a refused one looks again."""
        start = threading.Barrier(4)

        def count(who: int) -> int:
            start.wait(30)
            refused = 0
            for _ in range(10):
                while True:
                    found = opened.get("binding", "n")
                    body = {"n": 1 if found is None or found.body is None else found.body["n"] + 1}
                    expected = 0 if found is None else found.revision
                    try:
                        opened.commit(command(change("n", expected, body=body)), author=ALICE, at_us=who)
                    except errors.ConflictError:
                        refused += 1
                    else:
                        break
            return refused

        with ThreadPoolExecutor(4) as pool:
            assert min(pool.map(count, range(4))) >= 0
        assert len(examine(opened)) == 40
        assert [one.body for one in opened.history("binding", "n")] == [{"n": n} for n in range(1, 41)]

    # ------------------------------------------------------------ 3 one order

    def test_time_does_not_fall(self, opened: control_store.ControlStore) -> None:
        """3: a clock that jumps back is held at the time of the last entry, for every resource."""
        for name, at_us, held in (("a", 100, 100), ("b", 40, 100), ("a", 99, 100), ("c", 101, 101)):
            found = opened.get("binding", name)
            expected = 0 if found is None else found.revision
            done = opened.commit(command(change(name, expected)), author=ALICE, at_us=at_us)
            assert done.resources[0].at_us == held
        assert [one.at_us for one in examine(opened)] == [100, 100, 100, 101]

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 33])
    def test_the_tree_grows_the_same_in_any_steps(self, opened: control_store.ControlStore, size: int) -> None:
        """3: nodes are there as soon as their subtree is complete; others are refused."""
        for first in range(0, 40, size):
            several = range(first, min(first + size, 40))
            opened.commit(command(*(change(f"n{n}") for n in several)), author=ALICE, at_us=first)
        examine(opened)
        leaves = [tree.leaf_hash(one) for one in opened.entries()]
        assert tree.root(40, opened.node) == _root(leaves)
        for level, index in ((0, 40), (4, 2), (6, 0)):
            with pytest.raises(errors.UsageError, match="CAL-883"):
                opened.node(level, index)

    def test_entries_can_be_had_in_part(self, opened: control_store.ControlStore) -> None:
        """3: from any index to any other, beyond the end too."""
        opened.commit(command(*(change(f"n{n:04}") for n in range(2_100))), author=ALICE, at_us=1)
        held = list(opened.entries())
        assert len(held) == 2_100
        for start, end in ((0, 0), (5, 6), (999, 1_001), (1_000, 2_000), (2_050, None), (2_100, None), (9_000, 9_001)):
            assert list(opened.entries(start, end)) == held[start:end]

    # ------------------------------------------------------------ 4 once

    def test_a_repeated_command_counts_once(self, opened: control_store.ControlStore) -> None:
        """4: it returns what it returned then, whatever happened since, and no witness is called."""
        author = control_store.Author("alice", idempotency_key="k")
        asked = command(change("a", reason="why"), change("b"))
        first = opened.commit(asked, author=author, at_us=1)
        opened.commit(command(change("a", 1)), author=ALICE, at_us=2)
        heard: list[int] = []
        again = opened.commit(asked, author=author, at_us=9, witness=lambda index, _: heard.append(index))
        assert (again.resources, again.size, again.repeated) == (first.resources, 2, True)
        assert (opened.size(), heard) == (3, [])

    def test_a_key_is_for_one_command(self, opened: control_store.ControlStore) -> None:
        """4: other changes or requirements under it are refused; a refused command does not use it up."""
        author = control_store.Author("alice", idempotency_key="k")
        with pytest.raises(errors.ConflictError, match="CAL-911"):
            opened.commit(command(change("a", 7)), author=author, at_us=1)
        opened.commit(command(change("a")), author=author, at_us=1)
        others = [
            command(change("a", body={"x": 1})),
            command(change("a", action="binding.rollback")),
            command(change("a"), change("b")),
            command(change("a"), requires=[resources.Requirement("binding", "z", 0)]),
        ]
        for other in others:
            with pytest.raises(errors.ConflictError, match="CAL-912"):
                opened.commit(other, author=author, at_us=1)
        assert opened.size() == 1

    def test_keys_belong_to_a_principal(self, opened: control_store.ControlStore) -> None:
        """4: two principals with the same key do not meet."""
        for n, who in enumerate(("alice", "bob")):
            author = control_store.Author(who, idempotency_key="k")
            assert not opened.commit(command(change(f"n{n}")), author=author, at_us=1).repeated
        assert [one.actor for one in examine(opened)] == ["alice", "bob"]

    # ------------------------------------------------------------ 5 kept

    def test_every_moment_can_be_asked_for(self, opened: control_store.ControlStore) -> None:
        """5: who was live at a time; at exactly the time of a change the new one is."""
        for revision, at_us in enumerate((10, 20, 20, 35)):
            opened.commit(command(change(expected=revision, body={"n": revision + 1})), author=ALICE, at_us=at_us)
        want = {-(2**70): None, 9: None, 10: 1, 19: 1, 20: 3, 34: 3, 35: 4, 2**70: 4}
        for at_us, n in want.items():
            found = opened.at("binding", "fraud/production", at_us)
            assert (None if found is None or found.body is None else found.body["n"]) == n
        assert [one.body for one in opened.history("binding", "fraud/production")] == [{"n": n} for n in (1, 2, 3, 4)]

    def test_a_removed_resource_may_come_again(self, opened: control_store.ControlStore) -> None:
        """5: its history stays; it has no body while it is away."""
        for revision, body in enumerate(({"n": 1}, None, {"n": 2})):
            opened.commit(command(change(expected=revision, body=body)), author=ALICE, at_us=revision)
            found = opened.get("binding", "fraud/production")
            assert found is not None
            assert found.body == body
            assert len(opened.browse("binding")) == (0 if body is None else 1)
        removed = examine(opened)[1]
        assert (removed.before, removed.after) == (resources.digest({"n": 1}), None)

    def test_names_can_be_browsed(self, opened: control_store.ControlStore) -> None:
        """5: in code point order, with a prefix, page by page, of one kind."""
        names = ["B", "a", "a/1", "a/10", "a/2", "aa", "ab", "b", "é", "\uffff", "😀"]
        opened.commit(command(*(change(name) for name in reversed(names))), author=ALICE, at_us=1)
        opened.commit(command(change("a/1", kind="other")), author=ALICE, at_us=1)
        assert [one.name for one in opened.browse("binding")] == sorted(names)
        assert [one.name for one in opened.browse("binding", prefix="a/")] == ["a/1", "a/10", "a/2"]
        page = opened.browse("binding", prefix="a", after="a/1", limit=2)
        assert [one.name for one in page] == ["a/10", "a/2"]
        assert opened.browse("binding", limit=0) == opened.browse("nothing") == ()

    def test_a_snapshot_stays_as_it_was(self, opened: control_store.ControlStore) -> None:
        """5: several reads of one state, while others write."""
        opened.commit(command(change("a")), author=ALICE, at_us=1)
        with opened.snapshot() as view:
            assert view.size() == 1
            opened.commit(command(change("a", 1), change("b")), author=ALICE, at_us=2)
            found = view.get("binding", "a")
            assert found is not None
            assert (view.size(), found.revision, len(list(view.entries()))) == (1, 1, 1)
            with view.snapshot() as same:
                assert same.size() == 1
        assert opened.size() == 3

    # ------------------------------------------------------------ 6 witnessed

    def test_the_witness_hears_what_is_stored(self, opened: control_store.ControlStore) -> None:
        """6: the new entries, in order, before anybody else can see them."""
        heard: list[bytes] = []

        def witness(index: int, new: Sequence[bytes]) -> None:
            assert (index, opened.size()) == (len(heard), len(heard))
            heard.extend(new)

        for n in range(3):
            opened.commit(command(change(f"a{n}"), change(f"b{n}")), author=ALICE, at_us=n, witness=witness)
        assert heard == list(opened.entries())

    def test_a_witness_that_raises_undoes_everything(self, opened: control_store.ControlStore) -> None:
        """6: whatever it raises comes out, and the next command is as if nothing had been."""
        author = control_store.Author("alice", origin="here", idempotency_key="k")
        for failure in (
            errors.AuditCopyError("CAL-855", "no", cause="x", fix="y"),
            ValueError("x"),
            KeyboardInterrupt(),
        ):

            def refuse(*told: object, failure: BaseException = failure) -> None:  # noqa: ARG001
                raise failure

            with pytest.raises(type(failure)):
                opened.commit(command(change(reason="words")), author=author, at_us=50, witness=refuse)
            assert (opened.size(), opened.history("binding", "fraud/production")) == (0, ())
        done = opened.commit(command(change()), author=author, at_us=1)
        assert (done.size, done.repeated, done.resources[0].at_us) == (1, False, 1)
        examine(opened)

    def test_an_empty_command_has_no_entry(self, opened: control_store.ControlStore) -> None:
        """6: only its requirements are looked at."""
        requires = [resources.Requirement("binding", "x", 0)]
        done = opened.commit(command(requires=requires), author=ALICE, at_us=1, witness=_never_heard)
        assert (done.resources, done.size) == ((), 0)
        with pytest.raises(errors.ConflictError):
            opened.commit(command(requires=[resources.Requirement("binding", "x", 1)]), author=ALICE, at_us=1)

    # ------------------------------------------------------------ 7 erasable

    def test_words_are_kept_until_they_are_erased(self, opened: control_store.ControlStore) -> None:
        """7: under their commitments; the entries and the tree stay as they were."""
        opened.commit(command(change("a", reason="too many\nfalse alarms ü\0"), change("b")), author=ALICE, at_us=1)
        first, second = examine(opened)
        assert first.reason is not None
        assert first.origin is not None
        assert (second.reason, second.origin) == (None, first.origin)
        for held, text in ((first.reason, "too many\nfalse alarms ü\0"), (first.origin, "192.0.2.7")):
            said = opened.said(held)
            assert said is not None
            assert (said.text, entries.commitment(said.text, salt=said.salt)) == (text, held)
        before = list(opened.entries())
        assert opened.erase([first.reason, "sha256:unknown"]) == 1
        assert opened.erase([first.reason]) == opened.erase([]) == 0
        assert opened.said(first.reason) is None
        assert opened.said(first.origin) is not None
        assert list(opened.entries()) == before
        examine(opened)

    def test_the_same_words_are_not_recognised(self, opened: control_store.ControlStore) -> None:
        """7: each command has a salt of its own."""
        for n in range(2):
            opened.commit(command(change("a", n, reason="same")), author=ALICE, at_us=n)
        first, second = examine(opened)
        assert first.reason != second.reason
        assert first.origin != second.origin

    # ------------------------------------------------------------ checkpoints

    def test_checkpoints_are_kept(self, opened: control_store.ControlStore) -> None:
        """By size; one of the same size stays as it was."""
        made = [control_store.Checkpoint(size, f"calibrant\n{size}\nü\n", size * 10) for size in (5, 1, 3)]
        for one in made:
            opened.add_checkpoint(one)
        opened.add_checkpoint(control_store.Checkpoint(3, "another", 99))
        assert opened.checkpoints() == (made[1], made[2], made[0])
        assert opened.checkpoints(from_size=2) == (made[2], made[0])
        assert opened.newest_checkpoint() == made[0]

    def test_a_closed_store_may_be_closed_again(self, opened: control_store.ControlStore) -> None:
        """Closing twice is closing once."""
        opened.close()
        opened.close()


def _root(leaves: Sequence[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, word by word."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return tree.node_hash(_root(leaves[:half]), _root(leaves[half:]))


def _never_heard(*told: object) -> None:  # noqa: ARG001
    raise AssertionError("there is nothing to witness")
