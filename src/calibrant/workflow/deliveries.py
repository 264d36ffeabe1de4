"""Tells channels what they do not know yet: at least once, again after failures, without a queue.

What a channel was told is working state, one piece for each group of alerts and channel. A message is written down
before it is sent and struck out after the receiver has answered: a crash in between sends it again, under the same id.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from calibrant import errors
from calibrant.ports import control_store, notifier, working_state
from calibrant.registry import principals
from calibrant.slo import alerts, deliveries, inhibition, labels, silences
from calibrant.streams import channels, declaration
from calibrant.workflow import alerts as recorded

KIND: Final = "delivery"


@dataclass(frozen=True, slots=True)
class Office:
    """The declared channels, and by name what sends to each of them, how often it is told again, why it cannot be.

    ``lapsing`` are those that take silence for an end: they are told again whatever is known of an alert.
    """

    declared: channels.Channels
    notifiers: Mapping[str, notifier.Notifier]
    repeats_us: Mapping[str, int]
    broken: Mapping[str, str]
    lapsing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt of this round."""

    channel: str
    group: str
    message: str
    outcome: notifier.Outcome


def deliver(
    reader: control_store.ControlReader,
    state: working_state.WorkingState,
    stream: declaration.Stream,
    office: Office,
    *,
    now_us: int,
    unrecorded: Sequence[alerts.Alert] = (),
) -> tuple[Sent, ...]:
    """One round for one stream: everything that is due. ``unrecorded`` are alerts that could not be put on record."""
    known = _current(reader, stream.name, unrecorded)
    hidden = _hidden(reader, known, office.declared, now_us=now_us)
    sent: list[Sent] = []
    for group, every in itertools.groupby(
        sorted(known, key=lambda one: one.labels.group), lambda one: one.labels.group
    ):
        members = tuple(every)
        policy = stream.policies.alerts
        for channel in policy.page if members[0].labels.severity == "page" else policy.ticket:
            sent += _round(state, office, channel, group, members, hidden, now_us)
    return tuple(sent)


def _current(
    reader: control_store.ControlReader, stream: str, unrecorded: Sequence[alerts.Alert]
) -> tuple[alerts.Alert, ...]:  # fmt: skip
    """The alerts on record, and over them those that could not be."""
    try:
        found = {one.fingerprint: one for one in recorded.of_stream(reader, stream)}
    except errors.StoreError:
        found = {}
    return tuple({**found, **{one.fingerprint: one for one in unrecorded}}.values())


def hidden(
    known: Iterable[alerts.Alert], muted: Iterable[silences.Silence], quiet: Iterable[channels.Quiet], *, now_us: int
) -> dict[str, tuple[str, ...]]:
    """Why an alert is not told now, by fingerprint: names of silences, alerts that explain it, quiet windows."""
    every, muted, quiet = list(known), list(muted), list(quiet)
    active = [one.labels for one in every if one.status == "firing"]
    found = {}
    for one in every:
        windows = tuple(
            f"quiet {each.window}"
            for each in quiet
            if each.covers(stream=one.labels.stream, severity=one.labels.severity, now_us=now_us)
        )
        why = silences.covering(muted, one.labels, now_us) + inhibition.reasons(one.labels, active) + windows
        if why:
            found[one.fingerprint] = why
    return found


def _hidden(
    reader: control_store.ControlReader, known: Iterable[alerts.Alert], declared: channels.Channels, *, now_us: int
) -> dict[str, tuple[str, ...]]:
    try:
        muted = recorded.silenced(reader)
    except errors.StoreError:
        muted = ()
    return hidden(known, muted, declared.quiet, now_us=now_us)


def _round(
    state: working_state.WorkingState,
    office: Office,
    channel: str,
    group: str,
    members: tuple[alerts.Alert, ...],
    hidden: Mapping[str, object],
    now_us: int,
) -> list[Sent]:
    name = f"{group}|{channel}"
    kept, before = _recall(state, name)
    content = deliveries.wanted(before, members, hidden=hidden.keys())
    open_still = any(
        one.status == "firing" and one.acknowledged_by is None and one.fingerprint not in hidden for one in members
    )
    repeat_us = office.repeats_us.get(channel) if open_still or channel in office.lapsing else None
    after = deliveries.plan(before, content, name=name, now_us=now_us, repeat_us=repeat_us)
    message = deliveries.due(after, now_us)
    revision = 0 if kept is None else kept.revision
    try:
        if after != before:
            revision = _remember(state, name, after, revision)
        if message is None:
            return []
        outcome = _send(office, channel, group, message, members, now_us)
        tried = deliveries.tried(
            after, outcome.result, detail=outcome.detail, now_us=now_us, retry_after_us=outcome.retry_after_us
        )
        _remember(state, name, tried, revision)
    except errors.ConflictError:
        # somebody else tells this channel of this group at this moment
        return []
    return [Sent(channel, group, message.id, outcome)]


def _send(
    office: Office,
    channel: str,
    group: str,
    message: deliveries.Message,
    members: Iterable[alerts.Alert],
    now_us: int,
) -> notifier.Outcome:
    told = {one.fingerprint for one in message.content}
    included = tuple(one for one in members if one.fingerprint in told)
    status: alerts.Status = "firing" if any(one.status == "firing" for one in included) else "resolved"
    sender = office.notifiers.get(channel)
    if sender is None:
        return notifier.Outcome("refused", office.broken.get(channel, "alerts.yaml declares no such channel"))
    return sender.send(notifier.Notice(message.id, group, status, included, now_us))


def _recall(state: working_state.WorkingState, name: str) -> tuple[working_state.Working | None, deliveries.Delivery]:
    try:
        kept = state.recall(KIND, name)
    except errors.StoreError:
        # alerts fail open: told twice is better than not told
        return None, deliveries.Delivery()
    return kept, deliveries.Delivery() if kept is None else deliveries.Delivery.from_body(kept.body)


def _remember(state: working_state.WorkingState, name: str, delivery: deliveries.Delivery, expected: int) -> int:
    """Keep it, and its new revision; where it cannot be kept it is sent all the same, and perhaps once more."""
    try:
        return state.remember(KIND, name, delivery.to_body(), expected=expected).revision
    except errors.StoreError:
        return expected


def probe(
    office: Office, channel: str, *, now_us: int, by: principals.Principal
) -> tuple[notifier.Outcome, ...]:  # fmt: skip
    """Send a made-up ticket to one channel, and its end when it arrived: nothing of it is on record."""
    declared = office.declared.named(channel)
    said = {
        "summary": f"a test by {by.name}: nothing is wrong, and nothing is to be done",
        "runbook_url": "urn:calibrant:runbook:ChannelTest",
    }
    named = labels.Labels("ChannelTest", "ticket", "calibrant-test", "pipeline", slo=declared.name)
    fired = alerts.Alert(named, "firing", 1, now_us, now_us, None, said, None)
    outcomes: list[notifier.Outcome] = []
    for one in (fired, replace(fired, status="resolved", ended_us=now_us)):
        content = frozenset({deliveries.Told(one.fingerprint, 1, one.status)})
        message = deliveries.Message(f"msg_{one.fingerprint}{now_us}{one.status}", content, now_us)
        outcomes.append(_send(office, channel, named.group, message, [one], now_us))
        if outcomes[-1].result != "delivered":
            break
    return tuple(outcomes)


def log(state: working_state.WorkingState, stream: str) -> dict[str, deliveries.Delivery]:
    """What every group of a stream and channel was told, by ``group|channel``."""
    kept = state.recall_all(KIND, prefix=f"{stream}/")
    return {one.name: deliveries.Delivery.from_body(one.body) for one in kept}
