"""A store against a dictionary: Hypothesis sends any events in any order, between sealing, erasure and reopening.

class TestMyStore(machine(my_factory).TestCase):
    settings = hypothesis.settings(max_examples=20)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from calibrant.events.label import Label
from calibrant.events.prediction import Prediction
from calibrant.ports import event_log
from calibrant.testing import made_up

S = "machine"
LATER = made_up.START_US + 400 * made_up.DAY_US


@dataclass(frozen=True, slots=True)
class Subject:
    """An empty store, how to close it and open it again, and how to throw it away once it is closed."""

    log: event_log.EventLog
    reopen: Callable[[event_log.EventLog], event_log.EventLog]
    discard: Callable[[], None]


Factory = Callable[[], Subject]


class EventLogMachine(RuleBasedStateMachine):
    """The rules; ``open_new`` is the factory of the store under test."""

    open_new: ClassVar[Factory]

    def __init__(self) -> None:
        super().__init__()
        self.subject = type(self).open_new()
        self.log = self.subject.log
        self.told: dict[str, Prediction] = {}
        self.said: dict[tuple[str, str, int], Label] = {}
        self.heard: dict[tuple[str, str, int], int] = {}
        self.erased: set[str] = set()
        self.lapsed: set[tuple[str, str, int]] = set()
        self.tally = {"duplicates": 0, "conflicting": 0, "expired": 0}
        self.received = 0

    @rule(events=st.lists(made_up.some_predictions(), min_size=1, max_size=6))
    def predictions_arrive(self, events: list[Prediction]) -> None:
        self.received += 1
        want = [self._take(self.told, one.id, one) for one in events]
        got = self.log.append_predictions(S, made_up.predictions(*events), received_us=self.received)
        assert got.outcomes.tolist() == want

    @rule(events=st.lists(made_up.some_labels(), min_size=1, max_size=6))
    def labels_arrive(self, events: list[Label]) -> None:
        self.received += 1
        want = [self._take(self.said, (one.prediction, one.source, one.revision), one) for one in events]
        got = self.log.append_labels(S, made_up.labels(*events), received_us=self.received)
        assert got.outcomes.tolist() == want

    def _take(self, known: dict[Any, Any], key: Any, event: Prediction | Label) -> int:
        name = event.id if isinstance(event, Prediction) else event.prediction
        if name in self.erased:
            outcome = event_log.DUPLICATE if isinstance(event, Prediction) else event_log.EXPIRED
        elif key in self.lapsed:
            outcome = event_log.EXPIRED
        elif key not in known:
            known[key] = event
            if isinstance(event, Label):
                self.heard[key] = self.received
            return event_log.ACCEPTED
        else:
            same = known[key].digest() == event.digest()
            outcome = event_log.DUPLICATE if same else event_log.CONFLICTING
        self.tally[("", "duplicates", "conflicting", "expired")[outcome]] += 1
        return outcome

    @rule(days=st.integers(0, 6))
    def time_passes(self, days: int) -> None:
        self.log.maintain(now_us=made_up.START_US + days * made_up.DAY_US)

    @rule(unit=st.sampled_from(["u1", "u2", "nobody"]))
    def a_unit_is_erased(self, unit: str) -> None:
        theirs = {name for name, one in self.told.items() if one.unit == unit}
        assert self.log.forget_unit(S, unit) == len(theirs)
        self.erased |= theirs
        self.told = {name: one for name, one in self.told.items() if name not in theirs}
        self.said = {key: one for key, one in self.said.items() if key[0] not in theirs}

    @rule(patience=st.integers(0, 4))
    def orphans_wait_too_long(self, patience: int) -> None:
        limit = self.received - patience
        gone = {key for key in self.said if key[0] not in self.told and self.heard[key] < limit}
        assert self.log.forget_orphans_before(S, limit) == len(gone)
        self.lapsed |= gone
        self.said = {key: one for key, one in self.said.items() if key not in gone}

    @rule()
    def the_store_is_opened_again(self) -> None:
        self.log = self.subject.reopen(self.log)

    @rule()
    def all_is_summarised(self) -> None:
        self.log.clean(S, self.log.dirty(S), seq=self.log.last_seq(S))
        assert self.log.dirty(S) == ()

    @invariant()
    def events_are_those_of_the_model(self) -> None:
        got = {row["id"]: row["digest"] for row in made_up.rows(list(self.log.predictions(S)))}
        assert got == {name: one.digest() for name, one in self.told.items()}
        rows = made_up.rows(list(self.log.labels(S)))
        labels = {(row["prediction"], row["source"], row["revision"]): row["digest"] for row in rows}
        assert len(labels) == len(rows)
        assert labels == {key: one.digest() for key, one in self.said.items()}

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        counts = self.log.counts(S)
        orphans = sum(key[0] not in self.told for key in self.said)
        assert (counts.predictions, counts.labels, counts.orphans) == (len(self.told), len(self.said), orphans)
        assert self.tally == {name: getattr(counts, name) for name in self.tally}
        assert (counts.erased, counts.orphans_expired) == (len(self.erased), len(self.lapsed))

    def teardown(self) -> None:
        self.log.close()
        self.subject.discard()


def machine(factory: Factory) -> type[EventLogMachine]:
    """The machine for one kind of store; its ``TestCase`` is what pytest collects."""
    return type("Machine", (EventLogMachine,), {"open_new": staticmethod(factory)})
