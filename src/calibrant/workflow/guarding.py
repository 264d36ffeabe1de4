"""What the guards of a rollout read: the paired loss on matured pairs, the sizes of the arms, the scores in them.

Every reading is of the stage that the rollout is in, from predictions made since that stage began, and may be looked
at after each label: the intervals hold at all times.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa

from calibrant.advice import effects
from calibrant.ports import event_log
from calibrant.rollout import plans, readings, states
from calibrant.stats.sequential import counts, paired
from calibrant.streams import declaration
from calibrant.workflow import advising, evidence_of_stream, partitions

#: The arms' mean raw scores may differ by this much: more means that they are not of one kind.
SCORES: Final = 0.1
#: Units of both arms before their sizes say anything.
FEWEST_UNITS: Final = 100
_MATURED: Final[dict[str, readings.Verdict]] = {"passed": "passed", "failed": "failed", "undecided": "inconclusive"}


def read(
    store: partitions.Store,
    stream: declaration.Stream,
    state: states.Rollout,
    *,
    incumbent: effects.Rule,
    candidate: effects.Rule,
    now_us: int,
) -> tuple[readings.Reading, ...]:
    """One reading of each guard that this phase asks for."""
    found = [_paired(store, stream, state, incumbent, candidate, now_us)]
    if state.phase in states.EXPOSED:
        arms = _arms(store, stream, state, now_us)
        found += [_sample_ratio(stream, state, arms, now_us), _mean_score(stream, state, arms, now_us)]
    return tuple(found)


def _paired(
    store: partitions.Store,
    stream: declaration.Stream,
    state: states.Rollout,
    incumbent: effects.Rule,
    candidate: effects.Rule,
    now_us: int,
) -> readings.Reading:
    """Both rules on every raw score whose outcome is known by now, whichever of them served it."""
    width = partitions.width_us(stream)
    since = -(-state.entered_us // width) * width
    pairs = evidence_of_stream.matured(store, stream, now_us=now_us, start_us=since, keep=store).pairs
    policy = stream.policies.rollout
    compared = advising.compare(pairs, incumbent, candidate, policy)
    rows, positives = int(compared.rows[0]), int(pairs.summary.wy.sum())
    base = readings.Reading("paired_loss", "matured", "immature", rows, now_us, state.stage, positives)
    if rows < policy.matured:
        return base
    # the sign is the incumbent's loss less the candidate's: above -margin is not worse
    return replace(
        base,
        verdict=_MATURED[paired.verdict(compared)],
        estimate=float(compared.means[0]),
        low=float(compared.low[0]),
        high=float(compared.high[0]),
        margin=policy.margin,
        cause="the candidate loses more than the margin allows" if paired.verdict(compared) == "failed" else "",
    )


class _Arms:
    """Units and scores by arm, from predictions of this stage."""

    def __init__(self) -> None:
        self.units: dict[str, set[str]] = {"canary": set(), "control": set()}
        self.scores: dict[str, list[float]] = {"canary": [], "control": []}

    def take(self, table: pa.Table, stream: declaration.Stream) -> None:
        arms = table["arm"].to_pylist()
        units = table["unit"].to_pylist()
        scores = stream.scale.to_probability(table["score"].to_numpy()).tolist()
        for arm, unit, score in zip(arms, units, scores, strict=True):
            if arm in self.units:
                self.units[arm].add(unit)
                self.scores[arm].append(score)

    @property
    def leaked(self) -> int:
        """Units that were in both arms."""
        return len(self.units["canary"] & self.units["control"])

    def sizes(self) -> Counter[str]:
        return Counter({arm: len(units) for arm, units in self.units.items()})


def _arms(reader: event_log.EventReader, stream: declaration.Stream, state: states.Rollout, now_us: int) -> _Arms:
    found = _Arms()
    columns = ["arm", "unit", "score"]
    for table in reader.predictions(stream.name, start_us=state.entered_us, end_us=now_us, columns=columns):
        found.take(table, stream)
    return found


def _sample_ratio(
    stream: declaration.Stream, state: states.Rollout, arms: _Arms, now_us: int
) -> readings.Reading:  # fmt: skip
    """Arms of one width must have as many units, and no unit may be in both."""
    sizes = arms.sizes()
    units = sizes["canary"] + sizes["control"]
    base = readings.Reading(plans.SAMPLE_RATIO, "label_free", "immature", units, now_us, state.stage)
    if arms.leaked:
        return replace(base, verdict="failed", cause=f"{arms.leaked:,} units were in both arms")
    if units < FEWEST_UNITS:
        return base
    tested = counts.sample_ratio(sizes["canary"], sizes["control"])
    off = tested.p_value < stream.policies.rollout.sample_ratio
    cause = f"{sizes['canary']:,} units in the canary, {sizes['control']:,} in the control arm" if off else ""
    return replace(base, verdict="failed" if off else "passed", estimate=tested.share, cause=cause)


def _mean_score(
    stream: declaration.Stream, state: states.Rollout, arms: _Arms, now_us: int
) -> readings.Reading:  # fmt: skip
    """The raw scores of both arms have one mean, up to a margin: otherwise the arms are not alike."""
    n = min(len(scores) for scores in arms.scores.values())
    base = readings.Reading("mean_score", "label_free", "immature", n, now_us, state.stage, margin=SCORES)
    if n < FEWEST_UNITS:
        return base
    started = paired.start(margin=SCORES, alpha=stream.policies.rollout.alpha / 2.0, bound=1.0, spread=0.3, groups=2)
    both = np.concatenate([np.asarray(arms.scores[arm]) for arm in ("canary", "control")])
    group = np.repeat([0, 1], [len(arms.scores[arm]) for arm in ("canary", "control")])
    seen = paired.update(started, both, groups=group)
    low, high = float(seen.low[0] - seen.high[1]), float(seen.high[0] - seen.low[1])
    verdict: readings.Verdict = "inconclusive"
    if low > -SCORES and high < SCORES:
        verdict = "passed"
    elif low > SCORES or high < -SCORES:
        verdict = "failed"
    cause = "raw scores differ between the arms" if verdict == "failed" else ""
    return replace(
        base, verdict=verdict, estimate=float(seen.means[0] - seen.means[1]), low=low, high=high, cause=cause
    )
