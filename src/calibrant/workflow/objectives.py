"""The objective of a stream, made again from what is known: now, or as it was known at an earlier time.

Nothing of a budget is kept but what a decision rested on: a label that is revised changes the slices of its time, and
so the budget, the next time that anybody asks. What was said before is on record with its as-of.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np

from calibrant import errors
from calibrant.advice import effects
from calibrant.calibrators import kinds
from calibrant.joining import caps, contract, joined
from calibrant.ports import control_store, event_log
from calibrant.registry import resources
from calibrant.slo import budgets, members
from calibrant.slo import slices as sliced
from calibrant.stats import cohorts as stacked
from calibrant.stats import results
from calibrant.streams import burn_rules, declaration
from calibrant.workflow import evidence_of_stream, label_bias, partitions

KIND: Final = "objective"
_FIELDS: Final = ("slice", "field", "value")


#: The map that served at a time.
Served: TypeAlias = Callable[[int], kinds.Kind]


@dataclass(frozen=True, eq=False, slots=True)
class Assessed:
    """All members of a stream; the first status is that of the whole.

    ``matured`` and ``labelled`` count the predictions of the period. ``held`` says that labels are missing by score, so
    that slices with missing labels were not judged.
    """

    stream: str
    as_of_us: int
    slices: sliced.Slices
    statuses: tuple[budgets.Status, ...]
    matured: int
    labelled: int
    held: bool

    @property
    def whole(self) -> budgets.Status:
        return self.statuses[0]

    def to_dict(self) -> dict[str, Any]:
        return {
            "stream": self.stream,
            "as_of_us": self.as_of_us,
            "matured": self.matured,
            "labelled": self.labelled,
            "held": self.held,
            "statuses": [one.to_dict() for one in self.statuses],
        }


@dataclass(frozen=True, eq=False, slots=True)
class _Slice:
    """The pairs and counts of one slice, and the partitions of it in which labels are missing."""

    pairs: tuple[stacked.Cohorts, ...]
    counts: joined.JoinCounts
    gaps: tuple[label_bias.Window, ...]


def assess(
    store: partitions.Reads,
    stream: declaration.Stream,
    *,
    now_us: int,
    as_of_us: int | None = None,
    keep: partitions.Store | None = None,
    served: Served | None = None,
) -> Assessed:
    """The statuses now, or ``as_of_us`` from what had been received by then; ``keep`` as in ``evidence_of_stream``.

    ``served`` says which map served at a time: the objective is of what was acted on. None: of the scores as they came.
    """
    evidence_of_stream.managed(stream)
    policy, width_us = stream.policies.slo, _us(stream.policies.slo.slice)
    at_us = now_us if as_of_us is None else as_of_us
    with store.snapshot() as reader:
        _demand_whole(reader, stream, width_us)
        end_us = sliced.newest(at_us, width_us=width_us, horizon_us=contract.horizon_us(stream.labels))
        starts_us = sliced.starts(end_us, width_us=width_us, period_us=_us(policy.period))
        if as_of_us is None:
            start_us = int(starts_us[0])
            fresh = partitions.refresh(reader, store, stream, now_us=now_us, start_us=start_us, end_us=end_us)
            found = _from_summaries(fresh.partitions, starts_us, width_us, partitions.width_us(stream))
        else:
            fresh = None
            found = [_from_events(reader, stream, int(start), width_us, as_of_us) for start in starts_us]
        biased = _biased(reader, stream, found, at_us, as_of_us)
    if served is not None:
        found = [_mapped(one, served(int(start))) for one, start in zip(found, starts_us, strict=True)]
    if keep is not None and fresh is not None:
        partitions.keep(keep, stream, fresh)
    return _assessed(stream, found, starts_us, at_us, biased=biased)


def _assessed(
    stream: declaration.Stream, found: Sequence[_Slice], starts_us: sliced.Ints, at_us: int, *, biased: bool
) -> Assessed:
    policy, width_us = stream.policies.slo, _us(stream.policies.slo.slice)
    names, group, place, pairs = _members(stream, found)
    held = np.array([biased and bool(one.gaps) for one in found])
    slices = sliced.judge(
        pairs,
        member=group,
        place=place,
        names=names,
        starts_us=starts_us,
        width_us=width_us,
        matured=np.array([one.counts.matured for one in found], np.int64),
        held=held,
        tolerance=stream.policies.watch.tolerance,
        level=sliced.level_of(policy.objective),
        least=policy.least,
    )
    rules = burn_rules.rules(policy.burn, width=policy.slice, period=policy.period)
    return Assessed(
        stream.name,
        at_us,
        slices,
        budgets.statuses(slices, rules, objective=policy.objective, coverage=policy.coverage),
        matured=sum(one.counts.matured for one in found),
        labelled=sum(one.counts.pairs for one in found),
        held=bool(held.any()),
    )


def _mapped(found: _Slice, rule: kinds.Kind) -> _Slice:
    """The slice with the answers of the map that served when it began."""
    pairs = tuple(
        stacked.Cohorts(one.fields, one.keys, one.summary.moved(effects.answers(rule, one))) for one in found.pairs
    )
    return replace(found, pairs=pairs)


def _from_summaries(
    kept: Mapping[int, Any], starts_us: sliced.Ints, width_us: int, partition_us: int
) -> list[_Slice]:  # fmt: skip
    found = []
    for start in starts_us.tolist():
        inside = [kept[at] for at in range(start, start + width_us, partition_us) if at in kept]
        found.append(
            _Slice(
                tuple(one.pairs for one in inside if one.pairs is not None),
                partitions.counted(one.counts for one in inside),
                tuple(
                    (one.partition_us, one.partition_us + partition_us)
                    for one in inside
                    if one.counts.get("unlabelled", 0)
                ),
            )
        )
    return found


def _from_events(
    reader: event_log.EventReader, stream: declaration.Stream, start_us: int, width_us: int, as_of_us: int
) -> _Slice:
    found = partitions.join(
        reader, stream, start_us=start_us, end_us=start_us + width_us, as_of_us=as_of_us, received_by_us=as_of_us
    )
    return _Slice(
        (found.cohorts,) if len(found.cohorts) else (),
        found.counts,
        ((start_us, start_us + width_us),) if found.counts.unlabelled else (),
    )


def _biased(
    reader: event_log.EventReader,
    stream: declaration.Stream,
    found: Iterable[_Slice],
    at_us: int,
    received_by_us: int | None,
) -> bool:
    """Whether labels are missing by score: then pairs of slices with missing labels say nothing."""
    gaps = [gap for one in found for gap in one.gaps]
    coverage = label_bias.coverage(reader, stream, gaps, as_of_us=at_us, received_by_us=received_by_us)
    return not isinstance(coverage, results.Insufficient) and coverage.verdict == "biased"


def _members(
    stream: declaration.Stream, found: Sequence[_Slice]
) -> tuple[list[members.Member], list[int], list[int], Any]:
    """Names of the members, and for each group of the stacked summary its member and its slice."""
    large = _large(stream, found)
    fields = tuple(enumerate(stream.cohort_fields, 1))

    def views(part: stacked.Cohorts, place: int) -> Iterator[list[stacked.Key]]:
        yield [(f"{place:06d}", "", "")] * len(part.keys)
        for at, field in fields:
            held = large[field]
            yield [(f"{place:06d}", field, key[at] if key[at] in held else members.SMALL) for key in part.keys]

    parts = [
        part.renamed(_FIELDS, keys)
        for place, one in enumerate(found)
        for part in one.pairs
        for keys in views(part, place)
    ]
    if not parts:
        return [members.WHOLE], [], [], None
    every = stacked.total(parts)
    cohorts = sorted({key[1:] for key in every.keys if key[1]})
    index = {("", ""): 0} | {key: at for at, key in enumerate(cohorts, 1)}
    names: list[members.Member] = [members.WHOLE, *(((field, value),) for field, value in cohorts)]
    return names, [index[key[1], key[2]] for key in every.keys], [int(key[0]) for key in every.keys], every.summary


def _large(stream: declaration.Stream, found: Sequence[_Slice]) -> dict[str, frozenset[str]]:
    """By field the values that have members of their own: large enough to fill slices, and within the field's cap.

    The others become one member of their field.
    """
    fewest = stream.policies.slo.least * sum(bool(one.pairs) for one in found)
    large = {}
    for at, one in enumerate(stream.cohorts, 1):
        rows: Counter[str] = Counter()
        for part in itertools.chain.from_iterable(each.pairs for each in found):
            for key, n in zip(part.keys, part.summary.rows.tolist(), strict=True):
                rows[key[at]] += n
        enough = {value: n for value, n in rows.items() if n >= fewest}
        allowed = caps.most_frequent(enough.items(), one.cap)
        large[one.field] = frozenset(enough if allowed is None else allowed)
    return large


def _demand_whole(reader: event_log.EventReader, stream: declaration.Stream, width_us: int) -> None:
    """UsageError (CAL-993) for slices that are not made of whole partitions."""
    partition_us = reader.partition_width_us(stream.name)
    if width_us % partition_us:
        raise errors.UsageError(
            "CAL-993",
            f"the slices of {stream.name} are not made of whole partitions",
            cause=f"a slice has {width_us / 3.6e9:g} hours, and summaries are kept by {partition_us / 3.6e9:g}",
            fix="declare partition: hour for a new stream, or wider slices",
        )


def _us(length: Any) -> int:
    return int(length // contract.MICROSECOND)


def record(found: resources.Resource | None, assessed: Assessed) -> resources.Change | None:
    """Put an assessment on record when the state of a member changed; None while nothing did."""
    states = {one.name: one.state for one in assessed.statuses}
    if found is not None and found.body is not None:
        before = {one["cohort"]: one["state"] for one in found.body["statuses"]}
        if before == states:
            return None
    revision = resources.ABSENT if found is None else found.revision
    return resources.Change(KIND, assessed.stream, revision, assessed.to_dict(), "objective.record")


def exhausted(reader: control_store.ControlReader, stream: str) -> tuple[str, ...]:
    """Members whose budget is used up, as it was put on record last."""
    found = reader.get(KIND, stream)
    if found is None or found.body is None:
        return ()
    return tuple(one["cohort"] for one in found.body["statuses"] if one["state"] == "exhausted")
