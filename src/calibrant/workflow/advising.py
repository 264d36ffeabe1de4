"""From a watched stream to advice: the facts are gathered here, what follows from them is decided in ``advice``."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibrant import errors
from calibrant.advice import advise, candidates, effects, hysteresis, recommendation
from calibrant.artifacts import document
from calibrant.calibrators import identity, kinds
from calibrant.joining import contract
from calibrant.ports import contents, control_store
from calibrant.registry import artifacts, bindings
from calibrant.stats import cohorts as stacked
from calibrant.stats import departure, results
from calibrant.stats.sequential import losses, paired
from calibrant.streams import declaration, policies
from calibrant.workflow import evidence_of_stream, fitted_artifacts, partitions, watching

#: Matured pairs below which nothing is advised but to wait.
LEAST_PAIRS: Final = 500
#: Scores on which the bound of loss differences is looked for.
_TABLE: Final = np.linspace(0.0, 1.0, 2_001)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves a stream in an environment: the rule, its artifact, since when; and what served before it."""

    rule: effects.Rule
    champion: bindings.Ref | None
    since_us: int | None
    before: effects.Rule | None


@dataclass(frozen=True, eq=False, slots=True)
class Advised:
    """The recommendation, the watch that remembers it, and what it rests on; ``fitted`` is what would be rolled out."""

    recommendation: recommendation.Recommendation
    watch: watching.Watch
    facts: advise.Facts
    fitted: fitted_artifacts.Fitted | None
    candidate: candidates.Candidate | None


def serving(
    reader: control_store.ControlReader, kept: contents.Contents, stream: declaration.Stream, environment: str
) -> Serving:
    """What is bound now, with the rules themselves."""
    target = bindings.name(stream.name, environment)
    found = reader.get(bindings.KIND, target)
    now = bindings.read(found)
    if found is None or now.champion is None:
        return Serving(effects.Rule(identity.Identity(stream.scale)), None, None, None)
    history = reader.history(bindings.KIND, target)
    *_, since = itertools.takewhile(lambda one: bindings.read(one).champion == now.champion, reversed(history))
    former = next((bindings.read(one).champion for one in history if one.revision == now.former), None)
    before = effects.Rule(identity.Identity(stream.scale)) if former is None else rule_of(reader, kept, former)
    return Serving(rule_of(reader, kept, now.champion), now.champion, since.at_us, before)


def rule_of(reader: control_store.ControlReader, kept: contents.Contents, ref: bindings.Ref) -> effects.Rule:
    """The map and the first threshold of an artifact."""
    found = reader.get(artifacts.KIND, ref.artifact)
    if found is None:
        raise errors.UsageError(
            "CAL-941", f"there is no artifact {ref.artifact!r}", cause="a binding names it", fix="verify the audit log"
        )
    artifact = document.loads(kept.get(ref.digest))
    threshold = artifact.thresholds[0].value if artifact.thresholds else None
    return effects.Rule(artifact.calibrator, threshold)


def rules_over_time(
    reader: control_store.ControlReader, kept: contents.Contents, stream: declaration.Stream, environment: str
) -> Callable[[int], kinds.Kind]:
    """Which map served a stream at a time: the identity before anything was bound."""
    history = reader.history(bindings.KIND, bindings.name(stream.name, environment))
    since = [one.at_us for one in history]
    known: dict[str, kinds.Kind] = {}

    def served(at_us: int) -> kinds.Kind:
        place = bisect.bisect_right(since, at_us)
        champion = bindings.read(history[place - 1]).champion if place else None
        if champion is None:
            return identity.Identity(stream.scale)
        if champion.digest not in known:
            known[champion.digest] = document.loads(kept.get(champion.digest)).calibrator
        return known[champion.digest]

    return served


def advise_now(
    store: partitions.Store,
    stream: declaration.Stream,
    watch: watching.Watch,
    now: Serving,
    *,
    now_us: int,
    resamples: int | None = None,
) -> Advised:
    """Look at the recent evidence of what serves, and say what to do.

    A candidate is looked for only when acting is due, and not more often than changes may be made.
    """
    policy = stream.policies.advice
    window = stream.policies.watch.window // contract.MICROSECOND
    recent = evidence_of_stream.matured(store, stream, now_us=now_us, start_us=now_us - window, keep=store)
    reading = departure_of(recent.pairs, now.rule)
    seen = reading.value if isinstance(reading, results.Estimate) and not recent.one_sided else None
    acting = hysteresis.read(watch.remembered.gate, seen, policy, now_us=now_us).acting
    fitted = candidate = None
    rested = watch.fitted_us is None or now_us - watch.fitted_us >= policy.cooldown // contract.MICROSECOND
    if acting and rested and labels_of(recent, stream).pairs >= LEAST_PAIRS and not recent.one_sided:
        watch = replace(watch, fitted_us=now_us)
        fitted = _fit(store, stream, policy, now_us=now_us, resamples=resamples)
    if fitted is not None and fitted.recommendation.action == "apply":
        candidate = _candidate(store, stream, now, fitted, now_us=now_us)
    facts = advise.Facts(
        departure=reading,
        miscalibrated=bool(watching.alarms(watch, stream)),
        labels=labels_of(recent, stream),
        champion=None if now.champion is None else now.champion.digest,
        candidate=candidate,
        undamped=fitted is not None and fitted.recommendation.action == "apply" and candidate is None,
        undo=_undo(store, stream, now, now_us=now_us),
    )
    told, remembered = advise.advise(facts, policy, watch.remembered, now_us=now_us)
    return Advised(told, replace(watch, remembered=remembered), facts, fitted, candidate)


def departure_of(pairs: stacked.Cohorts, rule: effects.Rule) -> results.Measured:
    """How far rates are from what the rule says, on average, in probability."""
    served = effects.served(pairs, rule.calibrator)
    rows = int(served.rows.sum())
    found = departure.by_group(served)
    if rows < LEAST_PAIRS or not bool(found.known[0]):
        return results.Insufficient(rows, LEAST_PAIRS)
    low, high = float(found.lower(0.95)[0]), float(found.upper(0.95)[0])
    return results.Estimate(float(found.value[0]), low, high, 0.9, "delta method, one-sided bounds")


def labels_of(found: evidence_of_stream.Matured, stream: declaration.Stream) -> advise.Labels:
    """Whether labels can decide anything."""
    decided = found.counts.pairs + found.counts.unlabelled + found.counts.unresolved
    return advise.Labels(
        pairs=found.counts.pairs,
        coverage=found.counts.pairs / decided if decided else None,
        one_sided=found.one_sided,
        least=LEAST_PAIRS,
        least_coverage=stream.policies.watch.coverage,
    )


def compare(
    pairs: stacked.Cohorts, incumbent: effects.Rule, candidate: effects.Rule, policy: policies.RolloutPolicy
) -> paired.PairedState:
    """Two rules on the same matured pairs, from their sums: an interval that holds at any time.

    The sums over cells are those over rows, since all rows of a cell get one answer from each rule.
    """
    one, other = (effects.answers(each.calibrator, pairs) for each in (incumbent, candidate))
    bound = max(_bound(incumbent, candidate), 2.0 * policy.margin)
    state = paired.start(margin=policy.margin, alpha=policy.alpha, bound=bound)
    cells = pairs.summary
    ones, zeros = (losses.differences(np.full(len(one), label), one, other) for label in (1.0, 0.0))
    positive, negative = cells.wy, cells.w - cells.wy
    total = float(positive @ ones + negative @ zeros)
    squares = float(positive @ ones**2 + negative @ zeros**2)
    return replace(state, rows=np.array([int(cells.n.sum())]), total=np.array([total]), squares=np.array([squares]))


def fitting_aims(policy: policies.AdvicePolicy, rows_per_day: float) -> Mapping[str, float]:
    """The aims of a policy by name, as a fit takes them."""
    names = ("cost_fp", "cost_fn", "cost_action", "precision", "recall", "capacity")
    found = {name: float(value) for name in names if (value := getattr(policy, name)) is not None}
    return {**found, "rows_per_day": rows_per_day} if "capacity" in found else found


def _fit(
    store: partitions.Store,
    stream: declaration.Stream,
    policy: policies.AdvicePolicy,
    *,
    now_us: int,
    resamples: int | None,
) -> fitted_artifacts.Fitted | None:
    """A map fitted to the refit window; None where the pairs decide nothing."""
    start = now_us - policy.refit // contract.MICROSECOND
    counted = evidence_of_stream.matured(store, stream, now_us=now_us, start_us=start, keep=store).counts
    rows_per_day = counted.predictions / (policy.refit // contract.MICROSECOND / 86_400_000_000)
    request = fitted_artifacts.Request(
        as_of_us=now_us,
        start_us=start,
        by=policy.by,
        aims=fitting_aims(policy, rows_per_day),
        tolerance=stream.policies.watch.tolerance,
        line=stream.policies.online.enabled,
    )
    if resamples is not None:
        request = replace(request, resamples=resamples)
    try:
        return fitted_artifacts.fit(store, stream, request)
    except errors.FitError:
        return None


def _candidate(
    store: partitions.Store,
    stream: declaration.Stream,
    now: Serving,
    fitted: fitted_artifacts.Fitted,
    *,
    now_us: int,
) -> candidates.Candidate | None:
    """What was fitted, damped, and judged on the rows that it was not fitted to."""
    since = fitted.provenance.options.judged_from_us
    held = evidence_of_stream.matured(store, stream, now_us=now_us, start_us=since, keep=store)
    threshold = fitted.recommendation.document.threshold
    proposed = effects.Rule(fitted.recommendation.document.calibrator, None if threshold is None else threshold.value)
    return candidates.prepare(now.rule, proposed, judged=held.pairs, policy=stream.policies.advice)


def _undo(store: partitions.Store, stream: declaration.Stream, now: Serving, *, now_us: int) -> results.Measured | None:
    """What the rule before would have gained on pairs since the champion began to serve."""
    if now.before is None or now.since_us is None:
        return None
    if not stream.labels.terminal and now_us - now.since_us < contract.horizon_us(stream.labels):
        return results.Insufficient(0, LEAST_PAIRS)  # nothing that it served can have matured
    since = evidence_of_stream.matured(store, stream, now_us=now_us, start_us=now.since_us, keep=store).pairs
    state = compare(since, now.rule, now.before, stream.policies.rollout)
    rows = int(state.rows[0])
    if rows < LEAST_PAIRS:
        return results.Insufficient(rows, LEAST_PAIRS)
    level = 1.0 - 2.0 * stream.policies.rollout.alpha
    return results.Estimate(
        float(state.means[0]), float(state.low[0]), float(state.high[0]), level, "paired, valid at any time"
    )


def _bound(one: effects.Rule, other: effects.Rule) -> float:
    """The largest difference of losses between two rules, whatever the cohort."""
    maps = [effects.members(each.calibrator) for each in (one, other)]
    return max(
        losses.bound(np.asarray(first.apply(_TABLE)), np.asarray(second.apply(_TABLE)))
        for first in maps[0]
        for second in maps[1]
    )
