"""Operation: is the stream watched, by whom, and do they know what to do?"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from calibrant.diagnosis.check import Check, Seen, saw
from calibrant.diagnosis.facts import Watching
from calibrant.streams.declaration import Stream

_US: Final = timedelta(microseconds=1)
#: Names of context members that are usually somebody's.
PERSONAL: Final = re.compile(
    r"(^|[_.-])(e?mail|phone|ssn|iban|passport|birth(day|date)?|dob|card(number)?|pan|cvv|password|secret|token|"
    r"(first|last|sur)_?name|address|ip)([_.-]|$)",
    re.IGNORECASE,
)


def unwatched(stream: Stream, watching: Watching) -> Seen | None:
    if watching.looked_us is None:
        return saw("the stream was never looked at by itself", looks=0)
    quiet = watching.now_us - watching.looked_us
    if quiet <= 3 * (stream.policies.watch.every // _US):
        return None
    return saw(
        f"it was last looked at {quiet / 3_600e6:.1f} hours ago, and every {stream.policies.watch.every} is declared",
        silent_hours=quiet / 3_600e6,
    )


def forgotten(stream: Stream) -> Seen | None:
    if stream.retention is None:
        return None
    need = stream.labels.horizon + max(stream.policies.advice.refit, stream.policies.watch.window)
    if stream.retention >= need:
        return None
    return saw(
        f"events are kept for {stream.retention.days} days; windows with their horizon need {need.days}",
        kept_days=stream.retention.days,
        need_days=need.days,
    )


def untold(stream: Stream) -> Seen | None:
    if stream.policies.alerts.page or stream.policies.alerts.ticket:
        return None
    return saw("no channel is declared for alerts", channels=0)


def unowned(stream: Stream) -> Seen | None:
    return None if stream.owner.strip() else saw("metadata.owner is empty", owners=0)


def unexplained(stream: Stream) -> Seen | None:
    return None if stream.runbook.strip() else saw("metadata.runbook is empty", runbooks=0)


def personal(stream: Stream) -> Seen | None:
    found = [name for name in stream.context.allow if PERSONAL.search(name) or name == stream.unit]
    if not found:
        return None
    return saw(f"kept as they are: {', '.join(found[:5])}", members=len(found))


CHECKS: Final = (
    Check(
        "CHK-701",
        "nobody-watches",
        "The watch itself has stopped",
        "operation",
        "ticket",
        "The process that looks at streams is not running, or is stuck. Its silence looks like peace.",
        "Start it (calibrant run), and let something outside alarm when its metrics end.",
        ("stream", "watching"),
        unwatched,
        cause="telemetry loss",
    ),
    Check(
        "CHK-702",
        "kept-too-short",
        "Events are deleted before they are used",
        "operation",
        "ticket",
        "Retention is shorter than the windows that maps are fitted to and proved on.",
        "Raise retention to the horizon plus the longest window, or shorten the windows.",
        ("stream",),
        forgotten,
    ),
    Check(
        "CHK-703",
        "nobody-is-told",
        "Alerts reach nobody",
        "operation",
        "ticket",
        "Whatever fires is written down and sent nowhere.",
        "Declare channels in alerts.yaml, and name them in policies.alerts.page and ticket.",
        ("stream",),
        untold,
    ),
    Check(
        "CHK-704",
        "nobody-owns-it",
        "Nobody answers for the stream",
        "operation",
        "ticket",
        "Between those who made the model and those who run it, each waits for the other.",
        "Name one team in metadata.owner.",
        ("stream",),
        unowned,
    ),
    Check(
        "CHK-705",
        "no-runbook",
        "Whoever is called does not know what to do",
        "operation",
        "ticket",
        "An alert without a page of instructions costs its first half hour.",
        "Give the address of a page in metadata.runbook; the pages of these checks are a beginning.",
        ("stream",),
        unexplained,
    ),
    Check(
        "CHK-706",
        "personal-data-kept",
        "Identifiers are kept in the clear",
        "operation",
        "ticket",
        "What is kept with a prediction is read by whoever debugs it, and ends up in logs and tickets.",
        "Move identifiers to context.hmac, and drop what nobody needs.",
        ("stream",),
        personal,
    ),
    Check(
        "CHK-751",
        "secrets-in-logs",
        "Logs may hold what they should not",
        "operation",
        "note",
        "Serving processes write logs that nobody here can see.",
        "Search them for tokens and identifiers, and mask at the source.",
        asks="Were the logs of the serving process searched for secrets and identifiers this quarter?",
    ),
    Check(
        "CHK-752",
        "dashboards-by-role",
        "Dashboards that nobody reads",
        "operation",
        "note",
        "A page with everything tells nobody anything.",
        "One page for each role: a sentence and a trend for owners, what fires for those on call, curves for the rest.",
        asks="Does each role have a page with the few numbers that it acts on?",
    ),
    Check(
        "CHK-753",
        "no-baseline",
        "Numbers without a comparison",
        "operation",
        "note",
        "A number by itself is neither good nor bad.",
        "Show each beside its tolerance, its interval, and the same season before.",
        asks="Does every number on a dashboard stand beside what it should be?",
    ),
    Check(
        "CHK-754",
        "scores-unexplained",
        "People do not trust the scores",
        "operation",
        "note",
        "Whoever acts on a score wants to know how sure it is and what changed.",
        "Show intervals with scores, and what served when, on whose word: calibrant binding history.",
        asks="Can somebody who acts on a score find out why it is what it is?",
    ),
    Check(
        "CHK-755",
        "incidents-without-state",
        "Incidents are reviewed without the state of then",
        "operation",
        "note",
        "A review that knows neither the map nor the labels of that hour blames the model.",
        "Ask for what was bound and known then: calibrant binding history, and calibrant check --as-of.",
        asks="Did the last review name the artifact, the label completeness and the evidence of that hour?",
    ),
    Check(
        "CHK-756",
        "never-rehearsed",
        "Faults are met for the first time in earnest",
        "operation",
        "note",
        "Probes and rehearsals show what a watch misses, while it costs nothing.",
        "Replay real events with injected faults once a quarter, and write down what was noticed when.",
        asks="When was the last game day, and what did it find?",
    ),
    Check(
        "CHK-757",
        "shared-by-nobody",
        "Two teams believe that the other one looks",
        "operation",
        "note",
        "A name in a file is not yet somebody who looks.",
        "Agree who repairs scores and who repairs the platform, and write it into the runbook.",
        asks="Do the owners of the model and of the platform agree on who is called for what?",
    ),
)
