"""What the checklists are held against, gathered once."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from calibrant import errors
from calibrant.evidence import verdict
from calibrant.joining import contract
from calibrant.ports import contents, control_store, event_log, working_state
from calibrant.registry import artifacts, bindings, environments, principals
from calibrant.rollout import states
from calibrant.slo import deliveries as told
from calibrant.streams import channels, declaration
from calibrant.workflow import artifact_files, deliveries, evidence_of_stream, leases, partitions, watching

Outcome = Literal["passed", "failed", "undecided"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an item: why, and what to do about it (nothing where it passed)."""

    outcome: Outcome
    reason: str
    do: str = ""


def passed(reason: str) -> Answer:
    return Answer("passed", reason)


def failed(reason: str, do: str) -> Answer:
    return Answer("failed", reason, do)


def undecided(reason: str, do: str) -> Answer:
    return Answer("undecided", reason, do)


@dataclass(frozen=True, eq=False, slots=True)
class Events:
    """What came in: all counts, and the join of the declared window, with its verdict."""

    counts: event_log.Counts
    matured: evidence_of_stream.Matured
    verdict: str
    before: int


@dataclass(frozen=True, slots=True)
class Decisions:
    """What is on record. ``unverified`` says why the champion's bytes may not serve; None where they may.

    ``approvals`` is None for an environment that nobody declared. ``uncovered`` entries have no checkpoint.
    """

    binding: bindings.Binding
    champion: artifacts.Status | None
    unverified: str | None
    former: bindings.Binding | None
    former_unverified: str | None
    approvals: int | None
    tried: bool
    people: tuple[principals.Principal, ...]
    entries: int
    uncovered: int
    lease: working_state.Working | None
    watch: watching.Watch | None
    delivered: frozenset[str]


@dataclass(frozen=True, eq=False, slots=True)
class Known:
    """Everything. ``events`` is None where none came in, ``decisions`` where nothing was decided.

    ``declared`` are the channels of alerts.yaml, ``broken`` those of them that cannot send, and why. ``same_disk`` says
    whether the second place of the audit log is on the disk of the first; None where that cannot be told.
    """

    stream: declaration.Stream
    environment: str
    now_us: int
    events: Events | None = None
    decisions: Decisions | None = None
    declared: channels.Channels = field(default_factory=channels.Channels)
    broken: Mapping[str, str] = field(default_factory=dict)
    same_disk: bool | None = None


def events(store: partitions.Reads, stream: declaration.Stream, *, now_us: int) -> Events | None:
    """What came in; None where nothing did."""
    with store.snapshot() as reader:
        counts = reader.counts(stream.name)
    if not counts.predictions:
        return None
    watch = stream.policies.watch
    length = (watch.window + stream.labels.horizon) // contract.MICROSECOND
    begin = now_us - length
    found = evidence_of_stream.matured(store, stream, now_us=now_us, start_us=begin)
    outcome = "insufficient"
    if found.counts.pairs:
        outcome = str(verdict.judge(found.pairs.pooled(), tolerance=watch.tolerance).outcomes[0])
    before = evidence_of_stream.matured(store, stream, now_us=now_us, start_us=begin - length, end_us=begin).counts
    return Events(counts, found, outcome, before.pairs)


def decisions(
    reader: control_store.ControlReader,
    kept: contents.Contents,
    state: working_state.WorkingReader | None,
    stream: declaration.Stream,
    environment: str,
    *,
    now_us: int,
) -> Decisions:
    """What is on record about a stream in an environment."""
    target = bindings.name(stream.name, environment)
    with reader.snapshot() as view:
        history = view.history(bindings.KIND, target)
        now = bindings.read(history[-1] if history else None)
        former = None
        if now.former is not None:
            former = next((bindings.read(one) for one in history if one.revision == now.former), bindings.EMPTY)
        place, newest = view.get(environments.KIND, environment), view.newest_checkpoint()
        champion, unverified = _looked_at(view, kept, now.champion, now_us)
        _, former_unverified = _looked_at(view, kept, None if former is None else former.champion, now_us)
        rolled = {states.read(one).candidate for one in view.history(states.KIND, target)}
        people = tuple(principals.read(one) for one in view.browse(principals.KIND))
        return Decisions(
            binding=now,
            champion=champion,
            unverified=unverified,
            former=former,
            former_unverified=former_unverified,
            approvals=None if place is None or place.body is None else environments.approvals(place),
            tried=now.champion in _tried([bindings.read(one) for one in history], rolled),
            people=tuple(one for one in people if one.state == "active"),
            entries=view.size(),
            uncovered=view.size() - (0 if newest is None else newest.size),
            lease=None if state is None else state.recall(leases.KIND, target),
            watch=None if state is None else _watch(state, stream),
            delivered=frozenset() if state is None else _delivered(state, stream.name),
        )


def _tried(history: Sequence[bindings.Binding], rolled: Collection[bindings.Ref]) -> set[bindings.Ref | None]:
    """What was in a rollout or beside the champion, and what followed it inside its envelope.

    A map that follows leaves what rolling back leads to; a promotion does not.
    """
    found = {*rolled, *(ref for one in history for ref in (one.shadow, one.challenger))}
    for before, after in itertools.pairwise(history):
        if before.champion in found and after.former == before.former:
            found.add(after.champion)
    return found


def _looked_at(
    view: control_store.ControlReader, kept: contents.Contents, ref: bindings.Ref | None, now_us: int
) -> tuple[artifacts.Status | None, str | None]:
    """The artifact of a slot, and why a serving process would refuse it."""
    found = None if ref is None else view.get(artifacts.KIND, ref.artifact)
    if found is None:
        return None, None
    status = artifacts.read(found)
    try:
        artifact_files.verified(view, kept, status, now_us=now_us)
    except errors.CalibrantError as error:
        # whatever is wrong with the bytes, a serving process would not take them
        return status, f"{error.what}: {error.cause} ({error.code})"
    return status, "it was revoked" if status.state == "revoked" else None


def _watch(state: working_state.WorkingReader, stream: declaration.Stream) -> watching.Watch | None:
    found = state.recall(watching.KIND, stream.name)
    return None if found is None else watching.Watch.from_body(found.body)


def _delivered(state: working_state.WorkingReader, stream: str) -> frozenset[str]:
    """Channels that something of this stream reached."""
    every = state.recall_all(deliveries.KIND, prefix=f"{stream}/")
    reached = [one for one in every if told.Delivery.from_body(one.body).told_us is not None]
    return frozenset(one.name.rpartition("|")[2] for one in reached)
