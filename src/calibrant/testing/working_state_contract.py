"""The exam of working state: inherit, and give a fixture ``state`` and ``control`` of one empty store."""

from __future__ import annotations

import pytest

from calibrant import errors
from calibrant.ports import control_store, working_state
from calibrant.registry import resources


class WorkingStateContract:
    """What every implementation of ``WorkingState`` promises."""

    def test_what_is_remembered_is_recalled(self, state: working_state.WorkingState) -> None:
        """By kind and name, with a revision that counts up."""
        assert state.recall("monitor", "fraud") is None
        first = state.remember("monitor", "fraud", {"e": 1.5, "n": [1, 2]}, expected=0)
        assert (first.revision, state.recall("monitor", "fraud")) == (1, first)
        second = state.remember("monitor", "fraud", {"e": 2.5}, expected=1)
        assert (second.revision, state.recall("monitor", "fraud")) == (2, second)
        assert state.recall("lease", "fraud") is None

    def test_only_one_of_two_goes_on(self, state: working_state.WorkingState) -> None:
        """Compare and swap: who comes second is told, and nothing is lost."""
        state.remember("lease", "fraud", {"holder": "a"}, expected=0)
        for expected in (0, 2):
            with pytest.raises(errors.ConflictError, match="CAL-914"):
                state.remember("lease", "fraud", {"holder": "b"}, expected=expected)
        found = state.recall("lease", "fraud")
        assert found is not None
        assert found.body == {"holder": "a"}

    def test_all_of_a_kind_by_name(self, state: working_state.WorkingState) -> None:
        """With a prefix, in order, nothing of other kinds."""
        for name in ("fraud/DE", "churn", "fraud/AT"):
            state.remember("monitor", name, {}, expected=0)
        state.remember("lease", "fraud/DE", {}, expected=0)
        assert [one.name for one in state.recall_all("monitor")] == ["churn", "fraud/AT", "fraud/DE"]
        assert [one.name for one in state.recall_all("monitor", prefix="fraud/")] == ["fraud/AT", "fraud/DE"]

    def test_forgotten_is_gone(self, state: working_state.WorkingState) -> None:
        """And can begin anew."""
        state.remember("lease", "x", {}, expected=0)
        with pytest.raises(errors.ConflictError, match="CAL-914"):
            state.forget("lease", "x", expected=2)
        state.forget("lease", "x", expected=1)
        assert state.recall("lease", "x") is None
        assert state.remember("lease", "x", {}, expected=0).revision == 1

    def test_a_command_of_somebody_without_the_lease_is_refused(
        self, state: working_state.WorkingState, control: control_store.ControlStore
    ) -> None:
        """Fencing: the lease moved on, so the one who held it cannot act; nothing of the command happens."""
        author = control_store.Author("controller")
        state.remember("lease", "fraud", {"holder": "a"}, expected=0)

        def move(name: str, epoch: int) -> resources.Command:
            change = resources.Change("binding", name, 0, {"champion": None}, "binding.assign")
            return resources.Command((change,), (resources.Requirement("lease", "fraud", epoch, working=True),))

        control.commit(move("one", 1), author=author, at_us=1)
        state.remember("lease", "fraud", {"holder": "b"}, expected=1)
        with pytest.raises(errors.ConflictError, match="CAL-914"):
            control.commit(move("two", 1), author=author, at_us=2)
        assert control.get("binding", "two") is None
        assert control.size() == 1
        control.commit(move("two", 2), author=author, at_us=3)

    def test_it_leaves_no_trace_in_the_audit_log(
        self, state: working_state.WorkingState, control: control_store.ControlStore
    ) -> None:
        """It is no decision."""
        state.remember("monitor", "fraud", {"e": 1}, expected=0)
        assert (control.size(), control.browse("monitor")) == (0, ())
