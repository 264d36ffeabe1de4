"""Changes: too many, taken back, unapproved, unexplained."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Final

from calibrant.diagnosis.check import Check, Seen, saw, share
from calibrant.diagnosis.facts import History, Step
from calibrant.streams.declaration import Stream

_US: Final = timedelta(microseconds=1)
_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
#: How far back changes count.
RECENT_US: Final = 90 * _DAY_US
#: So many changes of direction of a threshold are a swing and no search.
SWINGS: Final = 3
#: So many promotions by hand in the recent time could be left to the loop.
BY_HAND: Final = 6
#: Changes that may be without a word, as a share.
UNSAID: Final = 0.2
#: A log without a checkpoint for so long proves little.
UNCOVERED_US: Final = _DAY_US


def recent(history: History, *actions: str) -> list[Step]:
    """Steps of these kinds in the last quarter."""
    return [one for one in history.steps if one.action in actions and history.now_us - one.at_us <= RECENT_US]


def too_often(stream: Stream, history: History) -> Seen | None:
    moments = [one.at_us for one in recent(history, "promote")]
    rest = stream.policies.advice.cooldown // _US
    close = sum(later - earlier < rest for earlier, later in pairwise(moments))
    if close < 2:
        return None
    return saw(
        f"{close} of {len(moments)} promotions came within {stream.policies.advice.cooldown} of the one before",
        promotions=len(moments),
        too_close=close,
    )


def taken_back(history: History) -> Seen | None:
    back, forward = (len(recent(history, action)) for action in ("rollback", "promote"))
    if back < 2 or back * 3 < forward:
        return None
    return saw(f"{back} of {forward} recent promotions were taken back", rollbacks=back, promotions=forward)


def swinging(history: History) -> Seen | None:
    held = [one.threshold for one in recent(history, "promote", "rollback") if one.threshold is not None]
    moves = [later - earlier for earlier, later in pairwise(held) if later != earlier]
    turns = sum(first * second < 0.0 for first, second in pairwise(moves))
    if turns < SWINGS:
        return None
    return saw(f"the threshold changed its direction {turns} times in {len(moves)} moves", turns=turns)


def unapproved(history: History) -> Seen | None:
    if history.champion is None or history.approvals is None or history.approvals > 0:
        return None
    return saw("a champion needs nobody's approval in this environment", approvals=0)


def unexplained(history: History) -> Seen | None:
    made = recent(history, "promote", "rollback")
    silent = sum(not one.said for one in made)
    if len(made) < 3 or share(silent, len(made)) <= UNSAID:
        return None
    return saw(f"{silent} of {len(made)} recent changes have no reason beside them", unsaid=silent, changes=len(made))


def uncovered(history: History) -> Seen | None:
    since = history.uncovered_since_us
    if not history.uncovered or since is None or history.now_us - since <= UNCOVERED_US:
        return None
    days = (history.now_us - since) / _DAY_US
    return saw(
        f"{history.uncovered:,} entries of the audit log, the oldest {days:.1f} days old, have no checkpoint",
        entries=history.uncovered,
        days=days,
    )


def by_hand(stream: Stream, history: History) -> Seen | None:
    made = [one for one in recent(history, "promote") if one.by_person]
    if stream.policies.advice.mode != "manual" or len(made) < BY_HAND:
        return None
    return saw(f"people promoted {len(made)} times in {RECENT_US // _DAY_US} days", promotions=len(made))


def unlimited(stream: Stream) -> Seen | None:
    advice = stream.policies.advice
    if advice.mode != "auto":
        return None
    wide = [
        name
        for name, loose in (
            ("cooldown", advice.cooldown < timedelta(hours=1)),
            ("max_shift", advice.max_shift > 0.5),
            ("leave", advice.leave == advice.enter),
            ("readings", advice.readings < 2),
        )
        if loose
    ]
    if not wide:
        return None
    return saw(f"the loop acts by itself, and these hold it back little: {', '.join(wide)}", limits=len(wide))


def at_deploys(history: History) -> Seen | None:
    moments = [one.at_us for one in history.steps]
    near = sum(any(0 <= fired - at < _HOUR_US for at in moments) for fired in history.fired_us)
    if len(history.fired_us) < 4 or share(near, len(history.fired_us)) < 0.5:
        return None
    return saw(
        f"{near} of {len(history.fired_us)} alerts began within an hour after a change",
        near=near,
        alerts=len(history.fired_us),
    )


CHECKS: Final = (
    Check(
        "CHK-601",
        "changed-too-often",
        "Maps are changed too often",
        "changes",
        "ticket",
        "Each refit follows noise as well as news. Changes in a row hide what each of them did.",
        "Keep policies.advice.cooldown and readings, and ask for a gain that is material: least_gain.",
        ("stream", "history"),
        too_often,
    ),
    Check(
        "CHK-602",
        "taken-back-often",
        "Promotions are taken back again and again",
        "changes",
        "ticket",
        "Candidates reach everybody before anybody has compared them on live traffic.",
        "Keep them longer in shadow and in small steps: policies.rollout.shadow, weights, matured.",
        ("history",),
        taken_back,
    ),
    Check(
        "CHK-603",
        "threshold-swings",
        "A threshold goes up and down",
        "changes",
        "ticket",
        "The loop answers to its own effect, or to a metric that hugs its level.",
        "Make a share of each change (damping), limit its step, and keep acting and stopping apart (enter, leave).",
        ("history",),
        swinging,
    ),
    Check(
        "CHK-605",
        "nobody-approves",
        "Nobody else looks at a change",
        "changes",
        "note",
        "Whoever proposes also decides. A mistake, or a stolen key, needs one person.",
        "Ask for another person: calibrant environment set --approvals 1.",
        ("history",),
        unapproved,
    ),
    Check(
        "CHK-606",
        "changes-unexplained",
        "Changes have no reason on record",
        "changes",
        "note",
        "The log says who and what. Why is lost with the memory of those who were there.",
        "Give --reason with each promotion and rollback.",
        ("history",),
        unexplained,
    ),
    Check(
        "CHK-607",
        "audit-uncovered",
        "The audit log is not sealed",
        "changes",
        "ticket",
        "Entries without a signed checkpoint can be rewritten by whoever owns the disk.",
        "Sign one (calibrant audit checkpoint), and keep a copy elsewhere: CALIBRANT_AUDIT_COPY.",
        ("history",),
        uncovered,
    ),
    Check(
        "CHK-610",
        "by-hand-often",
        "People do what the loop could do",
        "changes",
        "note",
        "Refits that always follow the same steps take time and patience, and the patience ends first.",
        "Set policies.advice.mode to approve: it prepares everything and asks.",
        ("stream", "history"),
        by_hand,
    ),
    Check(
        "CHK-611",
        "loop-unlimited",
        "The loop has no brakes",
        "changes",
        "ticket",
        "Automation that may change anything at any time will at some time change everything.",
        "Restore the defaults of cooldown, readings, max_shift, enter and leave.",
        ("stream",),
        unlimited,
    ),
    Check(
        "CHK-612",
        "alerts-at-changes",
        "Every change raises alerts",
        "changes",
        "note",
        "Levels are compared across the change, and alerts fire on what everybody expects.",
        "Declare a silence for the window of the change, or a longer policies.alerts.after.",
        ("history",),
        at_deploys,
    ),
)
