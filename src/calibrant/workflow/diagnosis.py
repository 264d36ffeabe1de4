"""Diagnosis of a stream: gather what is known from events, evidence and the registry, look at it, rank the causes."""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np

from calibrant.advice import effects
from calibrant.calibrators import identity, kinds
from calibrant.diagnosis import catalogue, causes, facts
from calibrant.evidence import drift, measurement, verdict
from calibrant.ports import contents, control_store, working_state
from calibrant.registry import bindings
from calibrant.stats import auc, classification, results
from calibrant.stats import cohorts as stacked
from calibrant.streams import declaration
from calibrant.workflow import evidence_of_stream, facts_of_events, facts_of_history, leases, partitions

SCHEMA: Final = "calibrant.diagnosis/1"
#: Parts of the window that are looked at by themselves.
PARTS: Final = 4
_US: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The causes in the order in which to look at them, and everything that the checks found."""

    stream: str
    environment: str
    as_of_us: int
    start_us: int
    end_us: int
    verdict: str | None
    causes: tuple[causes.Ranked, ...]
    looked: catalogue.Looked

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form."""
        return {
            "schema": SCHEMA,
            "stream": self.stream,
            "environment": self.environment,
            "as_of_us": self.as_of_us,
            "window_us": [self.start_us, self.end_us],
            "verdict": self.verdict,
            "causes": [one.to_dict() for one in self.causes],
            **self.looked.to_dict(),
        }


def diagnose(
    store: partitions.Reads,
    stream: declaration.Stream,
    *,
    now_us: int,
    control: control_store.ControlReader | None = None,
    kept: contents.Contents | None = None,
    state: working_state.WorkingReader | None = None,
    environment: str = "production",
    keep: partitions.Store | None = None,
) -> Diagnosis:
    """Look at a stream as it is now. Without ``control`` nothing was decided yet: the raw scores act.

    ``state`` tells when a controller looked last; without it nobody was meant to. ``keep`` is where
    summaries that were made for this are kept, so that each day is joined once.
    """
    found = gather(
        store, stream, now_us=now_us, control=control, kept=kept, state=state, environment=environment, keep=keep
    )
    start_us, end_us = window(stream, now_us)
    looked = catalogue.look(found)
    judged = None if found.evidence is None else found.evidence.served.verdict
    ranked = causes.rank(found, looked.findings)
    return Diagnosis(stream.name, environment, now_us, start_us, end_us, judged, ranked, looked)


def window(stream: declaration.Stream, now_us: int) -> tuple[int, int]:
    """The declared window, and the horizon before now that has not matured: predictions made in it are looked at."""
    length = (stream.policies.watch.window + stream.labels.horizon) // _US
    return now_us - length, now_us


def gather(
    store: partitions.Reads,
    stream: declaration.Stream,
    *,
    now_us: int,
    control: control_store.ControlReader | None = None,
    kept: contents.Contents | None = None,
    state: working_state.WorkingReader | None = None,
    environment: str = "production",
    keep: partitions.Store | None = None,
    resamples: int = measurement.RESAMPLES,
) -> facts.Facts:
    """Everything that the checks look at; a section without data is left out, never made up."""
    start_us, end_us = window(stream, now_us)
    history, rule = facts.History(now_us), None
    if control is not None and kept is not None:
        history, rule = facts_of_history.gather(control, kept, stream, environment, now_us=now_us)
    watching = None
    if state is not None:
        looked_us = leases.last_done(state, bindings.name(stream.name, environment))
        watching = facts.Watching(now_us, looked_us)
    recent = evidence_of_stream.matured(store, stream, now_us=now_us, start_us=start_us, end_us=end_us, keep=keep)
    events = facts_of_events.gather(store, stream, recent, start_us=start_us, end_us=end_us, now_us=now_us)
    evidence = compared = None
    if recent.counts.pairs:
        evidence = _evidence(store, stream, recent, history.champion, rule, now_us=now_us, resamples=resamples)
        compared = _drift(store, stream, recent.pairs, now_us=now_us, resamples=resamples)
    return facts.Facts(stream, events, evidence, compared, history, watching)


def _evidence(
    store: partitions.Reads,
    stream: declaration.Stream,
    recent: evidence_of_stream.Matured,
    champion: facts.Champion | None,
    rule: kinds.Kind | None,
    *,
    now_us: int,
    resamples: int,
) -> facts.Evidence:
    tolerance = stream.policies.watch.tolerance
    served = recent if rule is None else dataclasses.replace(recent, pairs=_moved(recent.pairs, rule))
    scores = recent.pairs.summary.score
    precision = alert_rate = gain = None
    if champion is not None and champion.threshold is not None:
        at = classification.at_threshold(served.pairs.pooled(), champion.threshold)
        precision, alert_rate = at.precision, at.alert_rate
    if champion is not None and rule is not None:
        since = evidence_of_stream.matured(store, stream, now_us=now_us, start_us=champion.bound_us)
        gain = effects.effect(since.pairs, effects.Rule(identity.Identity()), effects.Rule(rule)).gain
    return facts.Evidence(
        evidence_of_stream.assessed(served, stream, tolerance=tolerance, resamples=resamples),
        float(scores.min()),
        float(scores.max()),
        gain,
        precision,
        alert_rate,
        _slices(store, stream, rule, now_us=now_us),
    )


def _moved(pairs: stacked.Cohorts, rule: kinds.Kind) -> stacked.Cohorts:
    """The pairs with what the rule says for scores."""
    return stacked.Cohorts(pairs.fields, pairs.keys, pairs.summary.moved(effects.answers(rule, pairs)))


def _slices(
    store: partitions.Reads, stream: declaration.Stream, rule: kinds.Kind | None, *, now_us: int
) -> tuple[facts.Slice, ...]:
    """Parts of the window and of the one before, judged together."""
    start_us, end_us = window(stream, now_us)
    edges = np.linspace(2 * start_us - end_us, end_us, 2 * PARTS + 1).astype(np.int64).tolist()
    parts: list[tuple[int, stacked.Cohorts]] = []
    for begin, end in itertools.pairwise(edges):
        found = evidence_of_stream.matured(store, stream, now_us=now_us, start_us=begin, end_us=end).pairs
        if len(found):
            pairs = found if rule is None else _moved(found, rule)
            parts.append((begin, pairs.renamed(("part",), [(f"{begin:020}",)] * len(pairs))))
    if not parts:
        return ()
    whole = parts[0][1]
    for _, part in parts[1:]:
        whole = whole + part
    summary = whole.summary
    judged = verdict.judge(summary, tolerance=stream.policies.watch.tolerance)
    gaps = (summary.total("wp") - summary.total("wy")) / summary.total("w")
    return tuple(
        facts.Slice(begin, int(summary.rows[place]), str(judged.outcomes[place]), float(gaps[place]), begin >= start_us)
        for place, (begin, _) in enumerate(parts)
    )


def _drift(
    store: partitions.Reads, stream: declaration.Stream, current: stacked.Cohorts, *, now_us: int, resamples: int
) -> facts.Drift | None:
    """The window against the one before, and against the same season before where that is further away."""
    start_us, end_us = window(stream, now_us)
    tolerance, season = stream.policies.watch.tolerance, stream.policies.watch.season // _US

    def shifted(by_us: int) -> stacked.Cohorts:
        begin, end = start_us - by_us, end_us - by_us
        return evidence_of_stream.matured(store, stream, now_us=now_us, start_us=begin, end_us=end).pairs

    before = shifted(end_us - start_us)
    if not len(before):
        return None
    now = current.pooled()
    seasonal = shifted(season) if season > end_us - start_us else None
    known = seasonal is not None and len(seasonal) > 0
    return facts.Drift(
        drift.compare(before.pooled(), now, tolerance=tolerance, replicates=resamples),
        drift.compare(seasonal.pooled(), now, tolerance=tolerance, replicates=resamples)
        if known and seasonal is not None
        else None,
        _fallen(auc.auc(before.pooled()), auc.auc(now)),
    )


def _fallen(before: results.Measured, now: results.Measured) -> results.Measured:
    """By how much the AUC fell, the errors of both windows together."""
    if isinstance(before, results.Insufficient):
        return before
    if isinstance(now, results.Insufficient):
        return now
    value = before.value - now.value
    if None in (before.low, before.high, now.low, now.high):
        return results.Estimate(value)
    assert before.low is not None
    assert now.low is not None
    reach = math.hypot(before.value - before.low, now.value - now.low)
    return results.Estimate(value, value - reach, value + reach, now.level, "difference of two windows, normal")
