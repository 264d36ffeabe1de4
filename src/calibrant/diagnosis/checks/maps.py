"""Maps and thresholds: old, fitted to noise, unproved, unsigned, or priced by nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from calibrant.diagnosis.check import Check, Seen, saw
from calibrant.diagnosis.checks.labels import FEWEST
from calibrant.diagnosis.facts import Events, Evidence, History
from calibrant.stats import results
from calibrant.streams.declaration import Stream

_US: Final = timedelta(microseconds=1)
_DAY_US: Final = 86_400_000_000
#: Maps that follow every step of the data, and the rows below which they follow noise.
FLEXIBLE: Final = frozenset({"isotonic", "centered_isotonic", "monotone_spline", "venn_abers"})
FEWEST_FLEXIBLE: Final = 1_000
#: Rows below which even a line in log-odds is a guess.
FEWEST_LINE: Final = 50
#: Knots beyond which a map is slow to send, to load and to look up.
HEAVY: Final = 10_000
#: An artifact that expires so soon should have a successor on its way.
SOON_US: Final = 7 * _DAY_US
#: Pairs from which on a stream could have been calibrated.
PLENTY: Final = 5_000


def stale(stream: Stream, history: History) -> Seen | None:
    champion = history.champion
    if champion is None or history.now_us - champion.sealed_us <= stream.policies.watch.stale // _US:
        return None
    days = (history.now_us - champion.sealed_us) / _DAY_US
    return saw(f"{champion.name} was sealed {days:.0f} days ago", age_days=days)


def overfitted(history: History) -> Seen | None:
    champion = history.champion
    if champion is None or champion.kind == "identity":
        return None
    need = FEWEST_FLEXIBLE if champion.kind in FLEXIBLE else FEWEST_LINE
    if champion.rows >= need:
        return None
    return saw(
        f"{champion.name} is a {champion.kind} map fitted to {champion.rows:,} rows, {need:,} are sensible",
        rows=champion.rows,
        need=need,
    )


def hurts(evidence: Evidence, history: History) -> Seen | None:
    gain = evidence.live_gain
    if history.champion is None or not isinstance(gain, results.Estimate) or gain.high is None or gain.high >= 0.0:
        return None
    return saw(
        f"behind {history.champion.name} rows lose {-gain.value:.3g} nats more than the raw scores would",
        live_gain=gain.value,
    )


def unsigned(history: History) -> Seen | None:
    champion = history.champion
    if champion is None or (champion.signatures > 0 and champion.state in ("signed", "deprecated")):
        return None
    return saw(
        f"{champion.name} is bound, {champion.state}, with {champion.signatures} signatures",
        signatures=champion.signatures,
    )


def expiring(history: History) -> Seen | None:
    champion = history.champion
    if champion is None or champion.expires_us is None or champion.expires_us - history.now_us > SOON_US:
        return None
    days = (champion.expires_us - history.now_us) / _DAY_US
    return saw(f"{champion.name} " + (f"expires in {days:.1f} days" if days > 0 else "has expired"), days=days)


def unpriced(stream: Stream, history: History) -> Seen | None:
    champion, advice = history.champion, stream.policies.advice
    aims = (advice.cost_fp, advice.precision, advice.capacity)
    if champion is None or champion.threshold is None or any(one is not None for one in aims):
        return None
    return saw(
        f"decisions are made at {champion.threshold:g} ({champion.objective or 'no objective'}), and the policy names "
        "neither costs, nor a precision, nor a capacity",
        threshold=champion.threshold,
    )


def too_many(stream: Stream, events: Events, evidence: Evidence) -> Seen | None:
    capacity, rate = stream.policies.advice.capacity, evidence.alert_rate
    if capacity is None or events.first_at_us is None or events.last_at_us is None:
        return None
    if not isinstance(rate, results.Estimate) or rate.low is None:
        return None
    days = max((events.last_at_us - events.first_at_us) / _DAY_US, 1.0)
    a_day = events.join.predictions / days
    if rate.low * a_day <= capacity:
        return None
    return saw(
        f"about {rate.value * a_day:,.0f} alerts a day, {capacity:,.0f} can be handled",
        alerts_a_day=rate.value * a_day,
        capacity=capacity,
    )


def heavy(history: History) -> Seen | None:
    champion = history.champion
    if champion is None or champion.knots <= HEAVY:
        return None
    return saw(f"{champion.name} has {champion.knots:,} knots", knots=champion.knots)


def never(events: Events, history: History) -> Seen | None:
    if history.drafted or events.join.pairs < max(PLENTY, FEWEST):
        return None
    return saw(f"{events.join.pairs:,} outcomes are known, and no artifact was ever drafted", pairs=events.join.pairs)


CHECKS: Final = (
    Check(
        "CHK-501",
        "map-stale",
        "The map is old",
        "maps",
        "ticket",
        "Streams drift slowly, and a map that nobody renews is right for a world that has gone.",
        "Refit on a recent window: calibrant artifact fit; or shorten policies.advice.cooldown so that it happens.",
        ("stream", "history"),
        stale,
        cause="staleness",
    ),
    Check(
        "CHK-502",
        "map-overfitted",
        "The map was fitted to too few rows",
        "maps",
        "ticket",
        "A flexible map repeats the accidents of a small sample: it looks perfect on it and is worse on the next one.",
        "Fit again with more rows, or with a line in log-odds; leave the choice to recommend, which proves it on rows "
        "that it held out.",
        ("history",),
        overfitted,
        cause="overfitted map",
    ),
    Check(
        "CHK-503",
        "map-hurts-live",
        "The map was better in the proof than it is live",
        "maps",
        "page",
        "It was chosen on rows that it had seen, or the world has changed since.",
        "Roll back first: calibrant rollout rollback. Then fit on a later window and try it in shadow.",
        ("evidence", "history"),
        hurts,
        cause="overfitted map",
    ),
    Check(
        "CHK-504",
        "artifact-unsigned",
        "What serves is not signed",
        "maps",
        "page",
        "Whoever can write the file can change every decision, and nobody could tell.",
        "Seal and sign it (calibrant artifact sign), and let serving processes verify it.",
        ("history",),
        unsigned,
    ),
    Check(
        "CHK-505",
        "artifact-expiring",
        "What serves is about to expire",
        "maps",
        "ticket",
        "An expired artifact is not taken up again; serving processes say that they are stale.",
        "Fit, prove and promote the next version now.",
        ("history",),
        expiring,
        cause="staleness",
    ),
    Check(
        "CHK-506",
        "threshold-unpriced",
        "A threshold without a price",
        "maps",
        "ticket",
        "A threshold that only finds as much as possible pays for it with actions that cost more than they bring.",
        "Say what mistakes and actions cost (cost_fp, cost_fn, cost_action), or what can be handled (capacity).",
        ("stream", "history"),
        unpriced,
    ),
    Check(
        "CHK-507",
        "more-than-can-be-handled",
        "More alerts than anybody can handle",
        "maps",
        "ticket",
        "The threshold is too low for the traffic: what exceeds the capacity waits, or is waved through.",
        "Choose the threshold for the capacity: calibrant recommend --capacity.",
        ("stream", "events", "evidence"),
        too_many,
    ),
    Check(
        "CHK-508",
        "map-heavy",
        "The map is too large to be fast",
        "maps",
        "note",
        "It holds a step for nearly every score that it was fitted to, and each process loads all of them.",
        "Fit a smoother map, or on a grid; a line in log-odds costs two numbers.",
        ("history",),
        heavy,
    ),
    Check(
        "CHK-509",
        "never-calibrated",
        "Nobody ever calibrated this stream",
        "maps",
        "note",
        "It has data and no one whose task it is.",
        "Name an owner, and see what calibrant recommend says; keeping the scores as they are is a result too.",
        ("events", "history"),
        never,
        cause="staleness",
    ),
    Check(
        "CHK-551",
        "apply-latency",
        "Applying the map may be slow",
        "maps",
        "note",
        "Data here say what was decided, not how long the serving process took for it.",
        "Export the process's own latency, and compare its 99.9th percentile before and after each promotion.",
        asks="Is the latency of applying a map measured where it serves, and compared at each promotion?",
    ),
)
