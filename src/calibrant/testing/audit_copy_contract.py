"""The exam of a second place of the audit log; subclass it, and give places of yours in the fixture ``opens``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from calibrant import errors
from calibrant.audit import tree
from calibrant.ports import audit_copy, control_store

ONE, TWO, THREE = b'{"entry":1}', b'{"entry":2}', '{"entry":"Ω \\n"}'.encode()
NOTE = control_store.Checkpoint(2, "log\n2\nAAAA\n\n— log BBBB\n", 1_700_000_000_000_000)


def leaves(*entries: bytes) -> tuple[bytes, ...]:
    """Their hashes."""
    return tuple(tree.leaf_hash(entry) for entry in entries)


class AuditCopyContract:
    """The promises of ``ports.audit_copy``."""

    @pytest.fixture
    def opens(self) -> Callable[[], audit_copy.AuditCopy]:
        """Opens the same place again, as another process would; overwrite this."""
        pytest.fail("overwrite the fixture `opens`: it gives a function that opens a place of yours, empty at first")

    def test_nothing_is_known_at_first(self, opens: Callable[[], audit_copy.AuditCopy]) -> None:
        """A new place knows nothing."""
        assert opens().read() == audit_copy.Copied((), 0, ())

    def test_what_was_told_is_known(self, opens: Callable[[], audit_copy.AuditCopy]) -> None:
        """Entries, what is committed for certain, and checkpoints: by whoever opens the place next, too."""
        copy = opens()
        copy.intend(0, [ONE, TWO])
        assert opens().read() == audit_copy.Copied(leaves(ONE, TWO), 0, ())
        copy.done(2)
        copy.checkpoint(NOTE)
        copy.intend(2, [THREE])
        for one in (copy, opens()):
            assert one.read() == audit_copy.Copied(leaves(ONE, TWO, THREE), 2, (NOTE,))

    def test_an_intent_says_that_all_before_it_were_committed(self, opens: Callable[[], audit_copy.AuditCopy]) -> None:
        """Also where nobody came to say done."""
        opens().intend(0, [ONE])
        opens().intend(1, [TWO])
        assert opens().read() == audit_copy.Copied(leaves(ONE, TWO), 1, ())

    def test_a_later_intent_replaces_an_earlier_one(self, opens: Callable[[], audit_copy.AuditCopy]) -> None:
        """A change that was refused leaves its place to another one, however many entries it had."""
        copy = opens()
        copy.intend(0, [ONE])
        copy.intend(1, [TWO, TWO, TWO])
        opens().intend(1, [THREE])
        assert opens().read() == audit_copy.Copied(leaves(ONE, THREE), 1, ())

    @pytest.mark.parametrize("late", [[ONE], [ONE, ONE, ONE]])
    def test_an_intent_that_hung_and_comes_late(
        self, opens: Callable[[], audit_copy.AuditCopy], late: Sequence[bytes]
    ) -> None:
        """It does not take the place of what was committed meanwhile, before or after the word of that."""
        hung, copy = opens(), opens()
        copy.intend(0, [TWO])
        hung.intend(0, late)
        copy.done(1)
        assert opens().read().leaves[:1] == leaves(TWO)
        hung.intend(0, late)
        copy.intend(1, [THREE])
        assert opens().read() == audit_copy.Copied(leaves(TWO, THREE), 1, ())

    def test_done_may_come_late(self, opens: Callable[[], audit_copy.AuditCopy]) -> None:
        """It is said after the transaction, when the next one may have begun."""
        first, second = opens(), opens()
        first.intend(0, [ONE])
        second.intend(1, [TWO])
        first.done(1)
        second.done(2)
        first.done(1)
        assert opens().read() == audit_copy.Copied(leaves(ONE, TWO), 2, ())

    def test_a_place_that_missed_the_beginning(self, opens: Callable[[], audit_copy.AuditCopy]) -> None:
        """An empty place is not the second place of a log that has entries: it refuses."""
        with pytest.raises(errors.AuditCopyError, match="CAL-855"):
            opens().intend(1, [TWO])
        assert opens().read() == audit_copy.Copied((), 0, ())
