"""The three checklists, and how a stream stands with them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from calibrant import errors
from calibrant.diagnosis import catalogue
from calibrant.workflow.readiness import decisions, events
from calibrant.workflow.readiness.facts import Answer, Known, Outcome, undecided

SCHEMA: Final = "calibrant.readiness/1"

List = Literal["before production", "production", "incidents"]
LISTS: Final[tuple[List, ...]] = get_args(List)


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a checklist."""

    name: str
    list: List
    title: str
    look: Callable[[Known], Answer]


def _asked() -> tuple[Item, ...]:
    """What the catalogue of checks asks people, since no data can tell."""
    rehearsals = ("CHK-651", "CHK-755", "CHK-756", "CHK-757")

    def ask(question: str, do: str) -> Callable[[Known], Answer]:
        return lambda _: undecided(question, do)

    return tuple(
        Item(
            one.code.lower(),
            "incidents" if one.code in rehearsals else "production",
            one.title,
            ask(one.asks, one.fix),
        )
        for one in catalogue.ALL
        if one.asks is not None
    )


def _backup(_: Known) -> Answer:
    return undecided("a backup lies where nobody here can see", "make one and restore it somewhere: calibrant backup")


ITEMS: Final[tuple[Item, ...]] = (
    Item("target", "before production", "What is decided with the scores is written down", events.target),
    Item("objective", "before production", "The objective can be judged", events.objective),
    Item("joined", "before production", "Predictions and labels come and find each other", events.joined),
    Item("horizon", "before production", "Labels come within the horizon", events.horizon),
    Item("cohorts", "before production", "Cohorts are declared and fit under their caps", events.cohorts),
    Item("evidence", "before production", "There is enough evidence for a verdict", events.evidence),
    Item("validated", "before production", "What serves was validated", decisions.validated),
    Item("tried", "before production", "What serves was in shadow or a canary first", decisions.tried),
    Item("telemetry", "production", "Predictions come now", events.telemetry),
    Item("coverage", "production", "Enough predictions get a label", events.coverage),
    Item("retention", "production", "Events are kept long enough", events.retention),
    Item("baseline", "production", "There is something to compare with", events.baseline),
    Item("signed", "production", "What serves is signed and verifies", decisions.signed),
    Item("approval", "production", "Changes ask for approval", decisions.asked),
    Item("audit", "production", "Decisions are in a signed log", decisions.audited),
    Item("audit-elsewhere", "production", "The log has a second place elsewhere", decisions.elsewhere),
    Item("backup", "production", "A backup was restored", _backup),
    Item("controller", "production", "A controller looks", decisions.controller),
    Item("owner", "incidents", "Somebody answers for the stream", events.owner),
    Item("runbook", "incidents", "There is a runbook", events.runbook),
    Item("channels", "incidents", "Alerts reach channels with their secrets", decisions.channels),
    Item("routed", "incidents", "An alert has arrived", decisions.routed),
    Item("hands", "incidents", "Two people can act", decisions.hands),
    Item("rollback", "incidents", "Going back is possible", decisions.rollback),
    *_asked(),
)


@dataclass(frozen=True, slots=True)
class Ticked:
    """An item and its answer; ``said`` if a person said it."""

    item: Item
    answer: Answer
    said: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.item.name,
            "list": self.item.list,
            "title": self.item.title,
            "outcome": self.answer.outcome,
            "reason": self.answer.reason,
            "do": self.answer.do or None,
            "said": self.said,
        }


@dataclass(frozen=True, slots=True)
class Readiness:
    """All items, in order."""

    stream: str
    environment: str
    at_us: int
    items: tuple[Ticked, ...]

    @property
    def outcome(self) -> Outcome:
        """Failed if anything failed; undecided if only people's answers are missing."""
        every = {one.answer.outcome for one in self.items}
        return "failed" if "failed" in every else "undecided" if "undecided" in every else "passed"

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "stream": self.stream,
            "environment": self.environment,
            "at_us": self.at_us,
            "outcome": self.outcome,
            "items": [one.to_dict() for one in self.items],
        }


def check(known: Known, *, confirmed: Collection[str] = ()) -> Readiness:
    """Look at every item. ``confirmed`` are items that a person says are so: only what data cannot decide."""
    ticked = tuple(_tick(one, known, confirmed) for one in ITEMS)
    names = {one.item.name: one for one in ticked}
    for name in confirmed:
        found = names.get(name)
        if found is None or not found.said:
            raise errors.UsageError(
                "CAL-959",
                f"{name!r} cannot be confirmed",
                cause="there is no such item" if found is None else f"data decided it: it has {found.answer.outcome}",
                fix="confirm only what cannot be decided: "
                + (
                    ", ".join(one.item.name for one in ticked if one.said or one.answer.outcome == "undecided")
                    or "nothing"
                ),
            )
    return Readiness(known.stream.name, known.environment, known.now_us, ticked)


def _tick(item: Item, known: Known, confirmed: Collection[str]) -> Ticked:
    answer = item.look(known)
    if answer.outcome == "undecided" and item.name in confirmed:
        return Ticked(item, Answer("passed", f"a person says so ({answer.reason})"), said=True)
    return Ticked(item, answer)
