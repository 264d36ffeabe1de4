"""From the matured pairs of a stream to a draft of an artifact, and from an artifact back to the same bytes.

Everything that the fit depends on is in the request, and the request is in the provenance: the window, the moment whose
knowledge counts, the fields, the aims, the seed. Fitting again from it gives the same map, the same evidence and the
same digest, as long as the events are kept and the versions of the code that computes are the recorded ones.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Final

import numpy as np

import calibrant
from calibrant import errors
from calibrant.artifacts import document
from calibrant.artifacts.provenance import Code, FitOptions, Provenance, Source
from calibrant.calibrators import canonical
from calibrant.decisions import aims as aiming
from calibrant.evidence import measurement, recommend
from calibrant.frames import measurable
from calibrant.joining import caps, contract
from calibrant.stats import results
from calibrant.streams import declaration
from calibrant.workflow import evidence_of_stream, partitions, rows_of_stream

APPROACH: Final = "recommend"
#: The same among maps that are a line in log-odds: what an anchor must be for a map to follow the labels.
APPROACH_LINE: Final = "recommend_line"
LINES: Final = ("temperature", "intercept", "platt")


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be fitted: the pairs of [start, end) as they were known at ``as_of_us``, and how.

    ``by`` are the cohort fields of the maps, none for one map. ``aims`` are the numbers that a threshold is for;
    those that contradict each other make no request (UsageError CAL-401), so nothing is read for them. ``line`` asks
    for a map that can be followed.
    """

    as_of_us: int
    start_us: int | None = None
    end_us: int | None = None
    by: tuple[str, ...] = ()
    aims: Mapping[str, float] | None = None
    weighting: contract.Weighting = "plain"
    tolerance: float = 0.02
    level: float = 0.95
    seed: int = 0
    resamples: int = measurement.RESAMPLES
    line: bool = False

    def __post_init__(self) -> None:
        aiming.objective(self.aims or {})


@dataclass(frozen=True, eq=False, slots=True)
class Fitted:
    """A recommendation, the evidence document that proves it, and the provenance of both."""

    recommendation: recommend.Recommendation
    evidence: bytes
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Reproduced:
    """Whether fitting again gave the same bytes; if not, the first thing that differs."""

    digest: str
    again: str
    difference: str | None

    @property
    def same(self) -> bool:
        return self.digest == self.again


def fit(
    store: partitions.Reads,
    stream: declaration.Stream,
    request: Request,
    *,
    progress: partitions.Progress | None = None,
) -> Fitted:
    """Fit and prove a map, and choose its threshold where there are aims.

    Raises FitError (CAL-560) where the pairs cannot decide: too few, of one class, or labels missing by score.
    """
    found = evidence_of_stream.matured(
        store,
        stream,
        now_us=request.as_of_us,
        start_us=request.start_us,
        end_us=request.end_us,
        as_of_us=request.as_of_us,
        weighting=request.weighting,
        progress=progress,
    )
    if found.one_sided:
        raise _undecided("labels are missing by score", "wait for the labels, or weight them by their propensities")
    read = rows_of_stream.read(store, stream, found, by=request.by, received_by_us=request.as_of_us, progress=progress)
    if len(read.rows) < measurable.FEW:
        raise _undecided(f"{len(read.rows):,} matured pairs, {measurable.FEW} are needed", "wait for more labels")
    measurable.require(read.rows)
    made = recommend.recommend(
        read.rows,
        judged=read.judged,
        mixed=caps.OTHER,
        scale=stream.scale,
        objective=aiming.objective(request.aims or {}),
        by=request.by,
        methods=LINES if request.line else None,
        tolerance=request.tolerance,
        level=request.level,
        seed=request.seed,
        resamples=request.resamples,
    )
    if isinstance(made.choice, results.Insufficient):
        raise _undecided(str(made.choice), "ask for less, or leave the aim out to get the map alone")
    return Fitted(made, canonical.dumps(made.to_dict()) + b"\n", _provenance(stream, request, read, made))


def draw_up(
    fitted: Fitted,
    *,
    version: int,
    selector: Mapping[str, str],
    parent: str | None,
    sealed_at_us: int,
    expires_us: int | None,
) -> document.Artifact:
    """The artifact of a fit. ``sealed_at_us`` is the time of drafting until it is sealed."""
    made = fitted.recommendation
    return document.Artifact(
        stream=fitted.provenance.source.name,
        version=version,
        selector=selector,
        calibrator=made.document.calibrator,
        thresholds=_thresholds(made),
        provenance=fitted.provenance,
        parent=parent,
        evidence=document.digest(fitted.evidence),
        sealed_at_us=sealed_at_us,
        expires_us=expires_us,
    )


def request_of(artifact: document.Artifact) -> Request:
    """What was asked for, read from the provenance; FitError (CAL-561) for an artifact that was not fitted here."""
    known = artifact.provenance
    if known.approach not in (APPROACH, APPROACH_LINE) or known.source.kind != "stream" or known.as_of_us is None:
        raise errors.FitError(
            "CAL-561",
            f"{artifact.name} was not fitted from a stream",
            cause=f"its provenance says {known.approach} from the {known.source.kind} {known.source.name!r}",
            fix="only what was fitted here from events that are kept can be fitted again",
        )
    options = known.options
    return Request(
        as_of_us=known.as_of_us,
        start_us=options.from_us,
        end_us=options.to_us,
        by=options.by,
        aims=options.aims,
        weighting="inverse_propensity" if options.weighting == "inverse_propensity" else "plain",
        tolerance=options.tolerance,
        level=options.level,
        seed=known.seed,
        resamples=options.resamples,
        line=known.approach == APPROACH_LINE,
    )


def reproduce(
    store: partitions.Reads,
    stream: declaration.Stream,
    artifact: document.Artifact,
    *,
    progress: partitions.Progress | None = None,
) -> Reproduced:
    """Fit again from the recorded inputs, and compare the bytes."""
    fitted = fit(store, stream, request_of(artifact), progress=progress)
    again = draw_up(
        fitted,
        version=artifact.version,
        selector=artifact.selector,
        parent=artifact.parent,
        sealed_at_us=artifact.sealed_at_us,
        expires_us=artifact.expires_us,
    )
    return Reproduced(
        document.digest(document.dumps(artifact)), document.digest(document.dumps(again)), _difference(artifact, again)
    )


def _difference(one: document.Artifact, other: document.Artifact) -> str | None:
    """The first thing that explains why two artifacts differ, causes before effects."""
    mine, theirs = one.provenance, other.provenance
    if mine.code != theirs.code:
        return f"fitted with {_versions(mine.code)}, now {_versions(theirs.code)}"
    if mine.data_digest != theirs.data_digest:
        return (
            f"the data differ: {mine.rows:,} rows then, {theirs.rows:,} now (retention, erasure or another declaration)"
        )
    if one.calibrator != other.calibrator:
        return f"the maps differ: {mine.method} then, {theirs.method} now"
    if one.thresholds != other.thresholds:
        return "the thresholds differ"
    if one.evidence != other.evidence:
        return "the evidence differs"
    return None if one == other else "the provenance differs"


def _thresholds(made: recommend.Recommendation) -> tuple[document.Threshold, ...]:
    chosen, calibrator = made.document.threshold, made.document.calibrator
    if chosen is None:
        return ()
    return (
        document.Threshold(
            "default",
            chosen.value,
            chosen.objective,
            dict(chosen.expected),
            document.map_digest(calibrator),
            document.output_scale(calibrator),
        ),
    )


def _provenance(
    stream: declaration.Stream, request: Request, read: rows_of_stream.StreamRows, made: recommend.Recommendation
) -> Provenance:
    times = read.rows.times
    assert times is not None
    at = times.astype(np.int64)
    judged = at[read.judged] if read.judged is not None else None
    return Provenance(
        approach=APPROACH_LINE if request.line else APPROACH,
        code=code(),
        source=Source("stream", stream.name),
        data_digest=recommend.data_digest(read.rows),
        window_us=(int(at.min()), int(at.max())),
        as_of_us=request.as_of_us,
        rows=len(read.rows),
        method=made.selection.method,
        candidates=tuple(one.method for one in made.selection.candidates),
        seed=request.seed,
        options=FitOptions(
            by=request.by,
            objective=None if made.document.threshold is None else made.document.threshold.objective,
            aims=dict(request.aims or {}),
            tolerance=request.tolerance,
            level=request.level,
            resamples=request.resamples,
            weighting=None if request.weighting == "plain" else request.weighting,
            judged_from_us=None if judged is None else int(judged.min()),
            from_us=request.start_us,
            to_us=request.end_us,
        ),
    )


@functools.cache
def code() -> Code:
    """Versions of what computes here."""
    return Code(calibrant.__version__, platform.python_version(), np.__version__, metadata.version("scipy"))


def _versions(found: Code) -> str:
    return f"calibrant {found.calibrant}, Python {found.python}, numpy {found.numpy}, scipy {found.scipy}"


def _undecided(cause: str, fix: str) -> errors.FitError:
    return errors.FitError("CAL-560", "nothing can be fitted to these pairs yet", cause=cause, fix=fix)
