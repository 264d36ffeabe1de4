"""Recommend a map and a threshold, proved on rows that neither was fitted on.

The rows are parted first: the map is chosen and fitted on one part and judged once on the other. With times, the
judged part is the latest; otherwise it is drawn at random. What is delivered is exactly what was judged.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

import calibrant
from calibrant import errors
from calibrant.calibrators import by_cohort, codec, identity, kinds, scales
from calibrant.decisions import costs as costing
from calibrant.decisions import thresholds
from calibrant.evidence import assess as assessing
from calibrant.evidence import measurement
from calibrant.fitting import cohorts as cohort_fitting
from calibrant.fitting import crossfit, selection
from calibrant.frames import columns, summaries
from calibrant.stats import cohorts as cohort_stacks
from calibrant.stats import results
from calibrant.stats import summary as summing

Action = Literal["apply", "keep"]

#: Share of the rows that judges.
HOLDOUT = 0.3


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do, and why.

    ``document`` holds the delivered map (identity when ``action`` is ``keep``), the threshold if one was asked
    for, and the provenance. ``before`` and ``after`` are evidence on the held-out rows, raw and mapped; ``gain``
    and ``brier_gain`` are what the map gains there per row, in nats and in squared probability. ``costs`` is the
    expected cost curve of the mapped rows, where the objective is costs.
    """

    action: Action
    document: codec.Document
    selection: selection.Selection
    before: assessing.Evidence
    after: assessing.Evidence
    gain: results.Measured
    brier_gain: results.Measured
    choice: thresholds.Choice | results.Insufficient | None
    reasons: tuple[str, ...]
    costs: costing.CostCurve | None
    held_out: summing.Summary
    mapped: summing.Summary

    def to_dict(self) -> dict[str, Any]:
        """Plain data; the map itself is in the calibrator file."""
        return {
            "schema": "calibrant.recommendation/1",
            "action": self.action,
            "method": self.document.calibrator.kind,
            "digest": codec.digest(self.document),
            "reasons": list(self.reasons),
            "gain": self.gain.to_dict(),
            "brier_gain": self.brier_gain.to_dict(),
            "threshold": None if self.choice is None else self.choice.to_dict(),
            "selection": self.selection.to_dict(),
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "provenance": dict(self.document.provenance),
        }


def recommend(
    rows: columns.Rows,
    *,
    objective: thresholds.Objective | None = None,
    by: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    judged: NDArray[np.bool_] | None = None,
    mixed: str | None = None,
    scale: scales.Scale | None = None,
    tolerance: float = 0.02,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = measurement.RESAMPLES,
) -> Recommendation:
    """Choose, fit and prove a map for checked rows.

    Parameters
    ----------
    rows
        From ``frames``; raw scores on their declared scale.
    objective
        What the threshold is for: costs, precision, recall or capacity. None: no threshold.
    by
        Cohort fields for a map per cohort; None: all cohort columns of the rows; empty: one map for all.
    methods
        Candidates, from ``fitting.selection.METHODS``; None: by the number of rows.
    judged
        Which rows judge, shape (n,); None: the latest 30 % where there are times, otherwise 30 % at random.
    mixed
        A cohort value that stands for many: whoever applies the map never meets it, so it gets no map of its own.
    scale
        What the delivered map will read; None: the scale of the rows. Say it where the rows hold probabilities that
        were made of raw scores.
    tolerance, level, seed, resamples
        As in ``assess``.
    """
    mask = _judges(rows, seed) if judged is None else np.asarray(judged, bool)
    fit, held = _plain(rows.where(~mask)), _plain(rows.where(mask))
    if not len(fit) or not len(held):
        raise errors.UsageError(
            "CAL-415",
            "there must be rows to fit on and rows to judge on",
            cause=f"{len(fit)} rows to fit, {len(held)} to judge",
            fix="bring more rows, or leave the time column out if all rows have one time",
        )
    fields = tuple(rows.cohorts) if by is None else tuple(by)
    chosen, proposal, reason = _propose(fit, fields, methods=methods, seed=seed)
    proposal = _unmixed(proposal, mixed)
    judge = summaries.summarise_rows(held, by=fields)
    cells = judge.overall if judge.cohorts is None else judge.cohorts.summary
    answers = _answers(proposal, cells, judge.cohorts)
    gain, brier_gain = _gains(cells, answers, level)
    action, reasons = _decide(proposal, gain, reason)
    mapped = judge if action == "keep" else _moved(judge, cells.moved(answers))
    before, after = (
        assessing.assess(each.overall, each.cohorts, tolerance=tolerance, level=level, seed=seed, resamples=resamples)
        for each in (judge, mapped)
    )
    choice = None if objective is None else thresholds.choose(mapped.overall, objective, level=level)
    curve = None
    if isinstance(objective, costing.Costs):
        curve = costing.curve(mapped.overall.to_dyadic(), objective, level=level)
    document = codec.Document(
        _rescaled(proposal if action == "apply" else identity.Identity(), scale or rows.scale),
        _threshold(choice),
        _provenance(rows, mask, chosen, seed),
    )
    return Recommendation(
        action, document, chosen, before, after, gain, brier_gain, choice, reasons, curve, judge.overall, mapped.overall
    )


def _propose(
    fit: columns.Rows, fields: tuple[str, ...], *, methods: Sequence[str] | None, seed: int
) -> tuple[selection.Selection, kinds.Kind, str]:
    """The map chosen on the fitted rows, by cohort if that is proved better, and why."""
    if not fields:
        chosen = selection.select(
            fit.scores, fit.labels, weights=fit.weights, times=fit.times, seed=seed, methods=methods
        )
        return chosen, chosen.calibrator, chosen.reason
    codes, keys = summaries.group_codes([fit.cohorts[field] for field in fields])
    found = cohort_fitting.select_cohorts(
        fit.scores,
        fit.labels,
        codes,
        keys=keys,
        fields=fields,
        weights=fit.weights,
        times=fit.times,
        seed=seed,
        methods=methods,
    )
    return found.pooled, found.calibrator, f"{found.pooled.reason} {found.reason}"


def _unmixed(proposal: kinds.Kind, mixed: str | None) -> kinds.Kind:
    """Without maps of cohorts that nobody meets: their rows are judged with the map of all, which they will get."""
    if not isinstance(proposal, by_cohort.ByCohort) or mixed is None:
        return proposal
    maps = tuple((key, member) for key, member in proposal.maps if mixed not in key)
    return dataclasses.replace(proposal, maps=maps) if maps else cast(kinds.Kind, proposal.pooled)


def _moved(judge: summaries.Summarised, cells: summing.Summary) -> summaries.Summarised:
    """The held-out rows with the map's answers for scores."""
    if judge.cohorts is None:
        return summaries.Summarised(cells, None)
    cohorts = cohort_stacks.Cohorts(judge.cohorts.fields, judge.cohorts.keys, cells)
    return summaries.Summarised(cohorts.pooled(), cohorts)


def _judges(rows: columns.Rows, seed: int) -> NDArray[np.bool_]:
    """The rows that judge: the latest ones, rows of one time staying together, or some at random."""
    if rows.times is None:
        return np.random.default_rng(seed).random(len(rows)) < HOLDOUT
    cut = np.sort(rows.times)[int(len(rows) * (1.0 - HOLDOUT))]
    return np.asarray(rows.times >= cut)


def _plain(rows: columns.Rows) -> columns.Rows:
    """The same rows with probabilities for scores: fits and judgements happen on one scale."""
    return dataclasses.replace(rows, scores=rows.probabilities, scale=scales.Scale())


def _rescaled(map_: Any, scale: scales.Scale) -> kinds.Kind:
    """The same map, reading raw scores of another scale."""
    if not isinstance(map_, by_cohort.ByCohort):
        return cast(kinds.Kind, dataclasses.replace(map_, scale=scale))
    members = tuple((key, dataclasses.replace(cast(Any, member), scale=scale)) for key, member in map_.maps)
    return by_cohort.ByCohort(map_.fields, dataclasses.replace(cast(Any, map_.pooled), scale=scale), members)


def _answers(map_: kinds.Kind, cells: summing.Summary, cohorts: cohort_stacks.Cohorts | None) -> NDArray[np.float64]:
    """What the map says for each cell of the held-out rows, shape (k,)."""
    if not isinstance(map_, by_cohort.ByCohort):
        return np.asarray(map_.apply(cells.score))
    assert cohorts is not None
    of = [np.array([key[place] for key in cohorts.keys], object)[cells.group] for place in range(len(cohorts.fields))]
    return map_.apply(cells.score, of)


def _gains(
    cells: summing.Summary, answers: NDArray[np.float64], level: float
) -> tuple[results.Measured, results.Measured]:
    """Gain in log loss and in Brier score per held-out row: paired differences, each end at ``level``."""
    both = {"identity": cells.score, "map": answers}
    judged = crossfit.Judgement(
        cells.w, cells.wy, cells.sums[2], cells.ww, np.zeros(len(cells.keys), np.int64), both, {}
    )

    def gain(loss: str) -> results.Measured:
        paired = crossfit.compare(judged, cells.score, answers, loss, clustered=False)
        return paired.estimate(alpha=1.0 - level, method="paired differences on held-out rows, normal")

    return gain("log"), gain("brier")


def _decide(proposal: kinds.Kind, gain: results.Measured, reason: str) -> tuple[Action, tuple[str, ...]]:
    """Apply the map only if its gain on the held-out rows is above zero with confidence."""
    if isinstance(proposal, identity.Identity):
        return "keep", (reason,)
    if not isinstance(gain, results.Estimate) or gain.low is None or gain.low <= 0.0:
        shown = f"{gain.value:.4g} nats a row" if isinstance(gain, results.Estimate) else str(gain)
        return "keep", (reason, f"But its gain on the held-out rows is not above zero beyond chance ({shown}).")
    return "apply", (reason, f"On rows it never saw it gains {gain.value:.2g} nats a row, at least {gain.low:.2g}.")


def _threshold(choice: thresholds.Choice | results.Insufficient | None) -> codec.Threshold | None:
    if not isinstance(choice, thresholds.Choice):
        return None
    known = {name: value.value for name, value in choice.expected.items() if isinstance(value, results.Estimate)}
    return codec.Threshold(choice.value, choice.objective, known)


def data_digest(rows: columns.Rows) -> str:
    """``sha256:`` and the digest of the values of every column, in the order of the rows, whatever their names."""
    content = hashlib.sha256()
    for part in (rows.scores, rows.labels, rows.weights, rows.times):
        content.update(b"\x00" if part is None else b"\x01" + np.ascontiguousarray(part).tobytes())
    for field in sorted(rows.cohorts):
        column = rows.cohorts[field]
        content.update("\x1f".join((field, *column.values)).encode() + np.ascontiguousarray(column.codes).tobytes())
    return f"sha256:{content.hexdigest()}"


def _provenance(rows: columns.Rows, mask: NDArray[np.bool_], chosen: selection.Selection, seed: int) -> dict[str, Any]:
    """Where the map comes from: enough to fit it again and compare digests."""
    window = None if rows.times is None else [str(rows.times.min()), str(rows.times.max())]
    cut = None if rows.times is None else str(rows.times[mask].min())
    return {
        "calibrant": calibrant.__version__,
        "source": rows.source,
        "rows": len(rows),
        "rows_fitted": int((~mask).sum()),
        "rows_judged": int(mask.sum()),
        "window": window,
        "judged_from": cut,
        "data_digest": data_digest(rows),
        "method": chosen.method,
        "seed": seed,
    }
