"""An incident: what happened in a window, and its numbers made again from events, as known then and now.

Scores are those that acted: the raw ones moved by what was live at each moment. The window before of the same length
stands beside it, so that a number can be compared with what it was.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from calibrant import errors
from calibrant.advice import effects
from calibrant.calibrators import identity
from calibrant.evidence import assess
from calibrant.joining import contract
from calibrant.ports import contents, control_store
from calibrant.registry import bindings
from calibrant.slo import alerts as recorded
from calibrant.stats import cohorts as stacked
from calibrant.stats import results
from calibrant.streams import declaration
from calibrant.workflow import advising, alerts, evidence_of_stream, history, partitions, timeline

SCHEMA: Final = "calibrant.incident/1"
DAY_US: Final = 86_400_000_000
#: Windows are shown in at most so many parts.
_PARTS: Final = 45
#: The measures that are shown.
MEASURES: Final = ("base_rate", "mean_score", "ecce", "brier", "log_loss")
RAW: Final = "raw scores"


@dataclass(frozen=True, slots=True)
class Numbers:
    """What was measured on the predictions of [start, end), with the labels known at ``as_of_us``.

    ``served`` names what moved the scores. ``measures`` are empty where nothing has an outcome.
    """

    name: str
    start_us: int
    end_us: int
    as_of_us: int
    served: tuple[str, ...]
    predictions: int
    matured: int
    pairs: int
    verdict: str
    measures: dict[str, results.Measured]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "window_us": [self.start_us, self.end_us],
            "as_of_us": self.as_of_us,
            "served": list(self.served),
            "predictions": self.predictions,
            "matured": self.matured,
            "with_outcome": self.pairs,
            "verdict": self.verdict,
            "measures": {name: value.to_dict() for name, value in self.measures.items()},
        }


@dataclass(frozen=True, slots=True)
class Incident:
    """Everything about the window. ``silences_us`` are times without a prediction that are longer than declared.

    ``unread`` names artifacts whose bytes are gone: raw scores stand in for them.
    """

    stream: declaration.Stream
    environment: str
    start_us: int
    end_us: int
    now_us: int
    live: tuple[history.Tenure, ...]
    happened: tuple[timeline.Happening, ...]
    alerts: tuple[recorded.Alert, ...]
    silences_us: tuple[tuple[int, int], ...]
    numbers: tuple[Numbers, ...]
    parts: tuple[Numbers, ...]
    unread: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form."""
        return {
            "schema": SCHEMA,
            "stream": self.stream.name,
            "environment": self.environment,
            "window_us": [self.start_us, self.end_us],
            "as_of_us": self.now_us,
            "live": [_live(one) for one in self.live],
            "timeline": [one.to_dict() for one in self.happened],
            "alerts": [one.to_body() for one in self.alerts],
            "telemetry_gaps_us": [list(one) for one in self.silences_us],
            "numbers": [one.to_dict() for one in self.numbers],
            "parts": [one.to_dict() for one in self.parts],
            "bytes_gone": list(self.unread),
        }


def review(
    store: partitions.Reads,
    reader: control_store.ControlReader,
    kept: contents.Contents,
    stream: declaration.Stream,
    environment: str,
    *,
    start_us: int,
    end_us: int,
    now_us: int,
) -> Incident:
    """Gather it; UsageError (CAL-490) for a window that holds no time, or that has not begun."""
    if not start_us < min(end_us, now_us):
        raise errors.UsageError(
            "CAL-490", "the window of the incident holds no time", cause="it ends before it begins, or lies ahead",
            fix="give --from before --to, and before now",
        )  # fmt: skip
    tenures = history.tenures(reader, bindings.name(stream.name, environment))
    served = _Served(store, stream, tenures, _Rules(reader, kept))
    length = end_us - start_us
    then = min(end_us, now_us)
    numbers = (
        served.measure("the window before, as known now", start_us - length, start_us, now_us, None),
        served.measure("the window before, as known at its end", start_us - length, start_us, now_us, start_us),
        served.measure("the incident, as known at its end", start_us, end_us, now_us, then),
        served.measure("the incident, as known now", start_us, end_us, now_us, None),
    )
    parts = tuple(served.measure("part", begin, end, now_us, None) for begin, end in _parts(start_us, then))
    return Incident(
        stream,
        environment,
        start_us,
        end_us,
        now_us,
        tuple(one for one in tenures if one.since_us < end_us and (one.until_us is None or one.until_us > start_us)),
        timeline.between(reader, stream.name, environment, start_us=start_us, end_us=end_us),
        tuple(
            one
            for one in alerts.of_stream(reader, stream.name)
            if one.started_us < end_us and (one.ended_us is None or one.ended_us >= start_us)
        ),
        _silences(store, stream, start_us, then),
        numbers,
        parts,
        tuple(sorted(served.rules.gone)),
    )


class _Rules:
    """The rules of artifacts, each read once; one whose bytes are gone is noted."""

    def __init__(self, reader: control_store.ControlReader, kept: contents.Contents) -> None:
        self._reader, self._kept = reader, kept
        # raw scores are moved by the identity: what is added up is of one kind
        self._known: dict[bindings.Ref | None, effects.Rule] = {None: effects.Rule(identity.Identity())}
        self.gone: set[str] = set()

    def of(self, ref: bindings.Ref | None) -> effects.Rule:
        if ref is not None and ref not in self._known:
            try:
                self._known[ref] = advising.rule_of(self._reader, self._kept, ref)
            except errors.CalibrantError:
                # a review goes on without an artifact that is damaged or gone, and says so
                self._known[ref] = self._known[None]
                self.gone.add(ref.artifact)
        return self._known[ref]


@dataclass(frozen=True, slots=True)
class _Served:
    """Measures what was served: each piece of a window with the rule that was live in it."""

    store: partitions.Reads
    stream: declaration.Stream
    tenures: Sequence[history.Tenure]
    rules: _Rules

    def measure(self, name: str, start_us: int, end_us: int, now_us: int, as_of_us: int | None) -> Numbers:
        pieces: list[stacked.Cohorts] = []
        served: list[str] = []
        predictions = matured = pairs = 0
        for begin, end, ref in self._pieces(start_us, end_us):
            found = evidence_of_stream.matured(
                self.store, self.stream, now_us=now_us, start_us=begin, end_us=end, as_of_us=as_of_us
            )
            predictions += found.counts.predictions
            matured += found.counts.matured
            pairs += found.counts.pairs
            served.append(RAW if ref is None else ref.artifact)
            if len(found.pairs):
                pieces.append(_moved(found.pairs, self.rules.of(ref)))
        verdict, measures = "insufficient", dict[str, results.Measured]()
        if pairs:
            summed = functools.reduce(operator.add, pieces).pooled()
            tolerance = self.stream.policies.watch.tolerance
            overall = assess.assess(summed, tolerance=tolerance, resamples=20).overall
            verdict = overall.verdict.outcome
            measures = {key: overall.measures[key] for key in MEASURES if key in overall.measures}
        as_of = now_us if as_of_us is None else as_of_us
        return Numbers(
            name, start_us, end_us, as_of, tuple(dict.fromkeys(served)), predictions, matured, pairs, verdict, measures
        )

    def _pieces(self, start_us: int, end_us: int) -> Iterator[tuple[int, int, bindings.Ref | None]]:
        """The window cut where another champion came."""
        begin, champion = start_us, None
        for one in self.tenures:
            if one.since_us >= end_us:
                break
            if one.since_us > begin and one.binding.champion != champion:
                yield begin, one.since_us, champion
                begin = one.since_us
            champion = one.binding.champion
        yield begin, end_us, champion


def _moved(pairs: stacked.Cohorts, rule: effects.Rule) -> stacked.Cohorts:
    """The pairs with what the rule says for scores."""
    return stacked.Cohorts(pairs.fields, pairs.keys, pairs.summary.moved(effects.answers(rule.calibrator, pairs)))


def _parts(start_us: int, end_us: int) -> Iterator[tuple[int, int]]:
    """Days, or as many days together as keep the parts few."""
    days = -(-(end_us - start_us) // DAY_US)
    width = DAY_US * -(-days // _PARTS)
    for begin in range(start_us, end_us, width):
        yield begin, min(begin + width, end_us)


def _silences(
    store: partitions.Reads, stream: declaration.Stream, start_us: int, end_us: int
) -> tuple[tuple[int, int], ...]:  # fmt: skip
    """Times without a prediction, longer than the declared silence; none for a stream that had not begun."""
    limit = stream.policies.watch.silence // contract.MICROSECOND
    with store.snapshot() as reader:
        first = reader.counts(stream.name).first_at_us
        if first is None or first >= end_us:
            return ()
        tables = reader.predictions(stream.name, start_us=start_us, end_us=end_us, columns=["at_us"])
        made = [table["at_us"].to_numpy() for table in tables]
    edges = np.sort(np.concatenate([np.array([max(start_us, first), end_us], np.int64), *made]))
    wide = np.flatnonzero(np.diff(edges) > limit)
    return tuple((int(edges[at]), int(edges[at + 1])) for at in wide)


def _live(one: history.Tenure) -> dict[str, Any]:
    return {
        "since_us": one.since_us,
        "until_us": one.until_us,
        "binding": one.binding.to_body(),
        "action": one.action,
        "actor": one.actor,
        "audit_index": one.index,
        "approvers": [each.person for each in one.approvers],
        "evidence": one.evidence,
        "said": one.said,
    }
