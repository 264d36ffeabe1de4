"""The matured evidence of a window of a stream, now or as of an earlier time.

Now: from kept summaries, of which only those out of date are made again. As of an earlier time, or weighted by
propensities: from the events themselves. Both ways give the same pairs.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass

from calibrant import errors
from calibrant.events import times
from calibrant.evidence import assess, measurement
from calibrant.joining import caps, contract, joined, selective
from calibrant.ports import event_log
from calibrant.stats import cohorts as stacked
from calibrant.stats import results
from calibrant.stats import summary as summaries
from calibrant.streams import declaration
from calibrant.workflow import label_bias, partitions, window_caps


@dataclass(frozen=True, eq=False, slots=True)
class Matured:
    """The pairs of a window by ``("model", *cohort fields)``, and what became of every other prediction.

    ``plain_rate`` is the share of positives without propensities where ``weighting`` uses them, otherwise None.
    ``coverage`` says whether the matured predictions have labels alike at all scores.
    """

    pairs: stacked.Cohorts
    counts: joined.JoinCounts
    as_of_us: int
    start_us: int | None
    end_us: int | None
    weighting: contract.Weighting
    made: int
    coverage: selective.Coverage | results.Insufficient
    plain_rate: float | None = None

    @property
    def one_sided(self) -> bool:
        """Whether labels are missing by score, and nothing makes up for it: then the pairs decide nothing."""
        biased = isinstance(self.coverage, selective.Coverage) and self.coverage.verdict == "biased"
        return biased and self.weighting == "plain"


def matured(
    store: partitions.Reads,
    stream: declaration.Stream,
    *,
    now_us: int,
    start_us: int | None = None,
    end_us: int | None = None,
    as_of_us: int | None = None,
    weighting: contract.Weighting = "plain",
    keep: partitions.Store | None = None,
    progress: partitions.Progress | None = None,
) -> Matured:
    """Matured pairs of predictions made in [start_us, end_us).

    ``as_of_us`` gives what would have been answered then, from what had been received by then. ``keep`` is where
    summaries that were made again are kept; without it (another process writes) they are made for this answer only.
    """
    managed(stream)
    if as_of_us is not None and as_of_us > now_us:
        raise errors.UsageError(
            "CAL-480",
            "an answer as of a time to come cannot be given",
            cause=f"{times.text(as_of_us)} lies after now, {times.text(now_us)}",
            fix="give an earlier time, or leave it out",
        )
    with store.snapshot() as reader:
        if as_of_us is not None or weighting != "plain":
            return _from_events(
                reader, stream, now_us, start_us, end_us, as_of_us=as_of_us, weighting=weighting, progress=progress
            )
        refreshed = partitions.refresh(
            reader, store, stream, now_us=now_us, start_us=start_us, end_us=end_us, progress=progress
        )
        found = _from_summaries(reader, stream, refreshed, start_us, end_us)
    if keep is not None:
        partitions.keep(keep, stream, refreshed)
    return found


def assessed(
    found: Matured,
    stream: declaration.Stream,
    *,
    by: Sequence[str] | None = None,
    tolerance: float = 0.02,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = measurement.RESAMPLES,
) -> assess.Evidence:
    """The evidence document. ``by`` are the fields to group by: ``model`` and the declared ones; all by default.

    Where labels are missing by score the verdict is held, and no cohort is judged.
    """
    groups = None if found.one_sided else cohorts_by(found, stream, by)
    evidence = assess.assess(
        found.pairs.pooled(), groups, tolerance=tolerance, level=level, seed=seed, resamples=resamples,
        about=about(found, stream),
    )  # fmt: skip
    return _held(evidence, found.coverage) if found.one_sided else evidence


def _held(evidence: assess.Evidence, coverage: selective.Coverage | results.Insufficient) -> assess.Evidence:
    assert isinstance(coverage, selective.Coverage)
    least, most = (pick(band.coverage for band in coverage.bands) for pick in (min, max))
    reason = (
        f"labels are missing by score (p = {coverage.p_value:.2g}): {least:.0%} to {most:.0%} of a band are labelled, "
        "so the pairs do not stand for all; wait for the labels, or weight them by their propensities"
    )
    whole = evidence.overall
    verdict = dataclasses.replace(whole.verdict, outcome="insufficient", reasons=(reason,))
    return dataclasses.replace(evidence, overall=dataclasses.replace(whole, verdict=verdict))


def cohorts_by(found: Matured, stream: declaration.Stream, by: Sequence[str] | None = None) -> stacked.Cohorts | None:
    """The pairs by some of their fields; a single model says nothing unless it is asked for."""
    whole = found.pairs
    if by is None:
        fields = whole.fields if len({key[0] for key in whole.keys}) > 1 else whole.fields[1:]
    else:
        fields = tuple(dict.fromkeys(by))
        for name in fields:
            if name not in whole.fields:
                raise errors.UsageError(
                    "CAL-481",
                    f"{stream.name} has no cohort field {name!r}",
                    cause="its fields are " + ", ".join(whole.fields),
                    fix="choose one of them, or declare the field in the stream",
                )
    if not fields or not len(whole):
        return None
    if fields == whole.fields:
        return whole
    places = [whole.fields.index(name) for name in fields]
    return whole.renamed(fields, [tuple(key[place] for place in places) for key in whole.keys])


def about(found: Matured, stream: declaration.Stream) -> dict[str, str | int | float | None]:
    """What the numbers rest on: window, as-of, the matured share, and where every prediction and label went."""
    counts = found.counts
    other = {
        f"other_{one.field}": sum(
            n
            for key, n in zip(found.pairs.keys, found.pairs.summary.rows.tolist(), strict=True)
            if key[place] == caps.OTHER
        )
        for place, one in enumerate(stream.cohorts, 1)
    }
    weighted: dict[str, str | int | float | None] = {}
    if found.weighting != "plain":
        pooled = found.pairs.pooled()
        total = float(pooled.total("w")[0])
        weighted = {"base_rate_unweighted": found.plain_rate}
        if total > 0.0 and found.plain_rate is not None:
            weighted["selection_gap"] = float(pooled.total("wy")[0]) / total - found.plain_rate
    return {
        "source": f"stream {stream.name}",
        "scale": str(stream.scale),
        "target": "binary" if stream.target == "probability" else "rate",
        "as_of": times.text(found.as_of_us),
        "first_time": None if found.start_us is None else times.text(found.start_us),
        "last_time": None if found.end_us is None else times.text(found.end_us),
        "horizon_seconds": stream.labels.horizon.total_seconds(),
        "weighting": found.weighting,
        "predictions": counts.predictions,
        "pairs": counts.pairs,
        "matured": counts.matured,
        "matured_share": counts.matured_share,
        **{name: getattr(counts, name) for name in joined.STATES},
        "future": counts.future,
        "late_labels": counts.late,
        "early_labels": counts.early,
        "labels_missing_by_score_p": (
            found.coverage.p_value if isinstance(found.coverage, selective.Coverage) else None
        ),
        **{name: n for name, n in other.items() if n},
        **weighted,
    }


def managed(stream: declaration.Stream) -> None:
    """UsageError (CAL-482) for a stream whose events lie elsewhere."""
    if not isinstance(stream.source, declaration.Managed):
        raise errors.UsageError(
            "CAL-482",
            f"the events of {stream.name} are not kept here",
            cause=f"its source is tables of {stream.source.engine}",
            fix="query the tables with calibrant.joining, or declare a managed source and ingest them",
        )


def _from_summaries(
    reader: event_log.EventReader,
    stream: declaration.Stream,
    refreshed: partitions.Refreshed,
    start_us: int | None,
    end_us: int | None,
) -> Matured:
    width = reader.partition_width_us(stream.name)
    pairs: list[stacked.Cohorts] = []
    counts = joined.JoinCounts()
    whole = []
    gaps: list[label_bias.Window] = []
    for start, one in refreshed.partitions.items():
        begin = start if start_us is None else max(start, start_us)
        end = start + width if end_us is None else min(start + width, end_us)
        if begin < end and one.counts.get("unlabelled", 0):
            gaps.append((begin, end))
        if (begin, end) == (start, start + width):
            whole.append(one.counts)
            pairs += [one.pairs] if one.pairs is not None else []
        elif begin < end:
            edge = partitions.join(reader, stream, start_us=begin, end_us=end, as_of_us=refreshed.as_of_us)
            counts = counts + edge.counts
            pairs += [edge.cohorts] if len(edge.cohorts) else []
    counts = counts + partitions.counted(whole)
    coverage = label_bias.coverage(reader, stream, gaps, as_of_us=refreshed.as_of_us)
    return Matured(
        _total(pairs, stream),
        counts,
        refreshed.as_of_us,
        start_us,
        end_us,
        "plain",
        made=len(refreshed.made),
        coverage=coverage,
    )


def _from_events(
    reader: event_log.EventReader,
    stream: declaration.Stream,
    now_us: int,
    start_us: int | None,
    end_us: int | None,
    *,
    as_of_us: int | None,
    weighting: contract.Weighting,
    progress: partitions.Progress | None,
) -> Matured:
    width = reader.partition_width_us(stream.name)
    as_of = now_us if as_of_us is None else as_of_us
    gaps: list[label_bias.Window] = []
    every: list[joined.Joined] = []
    unweighted: list[joined.Joined] = []
    found = partitions.starts(reader, stream, start_us=start_us, end_us=end_us, as_of_us=as_of_us)
    for done, start in enumerate(found, 1):
        begin = start if start_us is None else max(start, start_us)
        end = start + width if end_us is None else min(start + width, end_us)
        ask = functools.partial(
            partitions.join, reader, stream, start_us=begin, end_us=end, as_of_us=as_of, received_by_us=as_of_us
        )
        every.append(ask(weighting=weighting))
        gaps += [(begin, end)] if every[-1].counts.unlabelled else []
        if weighting != "plain":
            unweighted.append(ask(weighting="plain"))
        if progress is not None:
            progress(done, len(found))
    return Matured(
        _added(every, stream),
        sum((one.counts for one in every), joined.JoinCounts()),
        as_of,
        start_us,
        end_us,
        weighting,
        made=len(found),
        coverage=label_bias.coverage(reader, stream, gaps, as_of_us=as_of, received_by_us=as_of_us),
        plain_rate=_rate(_added(unweighted, stream).pooled()),
    )


def _rate(whole: summaries.Summary) -> float | None:
    """The share of positives, where there are any rows."""
    weight, positive = float(whole.total("w").sum()), float(whole.total("wy").sum())
    return positive / weight if weight > 0.0 else None


def _added(parts: Sequence[joined.Joined], stream: declaration.Stream) -> stacked.Cohorts:
    return _total([one.cohorts for one in parts if len(one.cohorts)], stream)


def _total(pairs: Sequence[stacked.Cohorts], stream: declaration.Stream) -> stacked.Cohorts:
    if not pairs:
        return joined.no_cohorts(partitions.key_of(stream).fields, "dyadic")
    return window_caps.capped(stacked.total(pairs), stream)
