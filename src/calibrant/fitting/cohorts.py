"""A map per cohort, shrunk towards the pooled one, and the proof that cohort maps are worth having."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import by_cohort, identity, scales
from calibrant.calibrators import calibrator as protocol
from calibrant.fitting import cohort_cells, compose, crossfit, selection, shrinkage
from calibrant.fitting import folds as schemes
from calibrant.stats import results, summary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Key = tuple[str, ...]

#: Beyond so many cohorts, the pooled map is not one of the tables (spline, isotonic).
MANY = 1000


def fit(
    data: summary.Summary,
    keys: Sequence[Key],
    fields: Sequence[str],
    *,
    pooled: protocol.Calibrator,
    scale: scales.Scale = scales.Scale(),
) -> by_cohort.ByCohort:
    """A shrunk map for every cohort.

    Parameters
    ----------
    data
        Stacked, one group per cohort.
    keys
        One tuple of values per group, each as long as ``fields``.
    pooled
        The map that all rows share, fitted; its own scale is not used.
    scale
        The scale of the raw scores that the maps will read.

    Returns
    -------
    ByCohort
        Cohort j has expit(a_j + b_j logit(pooled)), (a_j, b_j) the posterior mean; unseen cohorts get the mean
        of the population of cohorts. A cohort whose slope would not be positive gets that mean, too.

    Raises
    ------
    UsageError
        If ``pooled`` is a map that a line cannot follow in closed form (see ``compose``).

    Notes
    -----
    See ``shrinkage.fit``. Weights count in effective rows per cohort, so w -> c w changes nothing.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p, cohort = rng.random(4000), np.arange(4000) % 4
    >>> y = rng.random(4000) < scales.expit(scales.logit(p) + np.array([-1.0, -0.3, 0.3, 1.0])[cohort])
    >>> stack = summary.summarise(p, y, groups=cohort)
    >>> maps = fit(stack, [("a",), ("b",), ("c",), ("d",)], ["site"], pooled=identity.Identity())
    >>> maps.apply([0.5, 0.5, 0.5], [["a", "d", "unseen"]]).round(1)
    array([0.3, 0.7, 0.5])
    """
    found = cohort_cells.of_stack(data, _on_probabilities(pooled)).fit()
    base = dataclasses.replace(pooled, scale=scale)  # type: ignore[type-var]  # every calibrator is a dataclass
    return _maps(found, keys, fields, base)


def _on_probabilities(map_: protocol.Calibrator) -> protocol.Calibrator:
    """The same map, reading numbers in [0, 1] as summaries hold them."""
    return dataclasses.replace(map_, scale=scales.Scale())  # type: ignore[type-var]


@dataclass(frozen=True, slots=True)
class CohortSelection:
    """Whether maps by cohort are worth having, with the proof.

    ``calibrator`` is the ByCohort map if they are, otherwise the pooled choice. ``gain`` is the expected gain in
    log loss per row of cohort maps over the pooled choice; ``pooled`` is that choice with its own proof.
    ``between`` is (sd of intercepts, sd of slopes) of the population of cohorts.
    """

    calibrator: protocol.Calibrator | by_cohort.ByCohort
    worthwhile: bool
    gain: results.Measured
    reason: str
    pooled: selection.Selection
    cohorts: int
    between: tuple[float, float] | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, without the map itself."""
        return {
            "worthwhile": self.worthwhile,
            "gain": self.gain.to_dict(),
            "reason": self.reason,
            "pooled": self.pooled.to_dict(),
            "cohorts": self.cohorts,
            "between": None if self.between is None else list(self.between),
        }


def select_cohorts(
    scores: ArrayLike,
    labels: ArrayLike,
    codes: ArrayLike,
    *,
    keys: Sequence[Key],
    fields: Sequence[str],
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    times: ArrayLike | None = None,
    scale: scales.Scale = scales.Scale(),
    seed: int = 0,
    methods: Sequence[str] | None = None,
    level: float = 0.975,
) -> CohortSelection:
    """Choose between one map for all and shrunk maps by cohort, on rows neither was fitted on.

    Parameters
    ----------
    scores, labels, weights, groups, times, scale, seed, level
        As ``selection.select``.
    codes
        Shape (n,), which of ``keys`` each row belongs to.
    methods
        Candidates for the pooled map, of those that cohort maps can be built on (``compose.CLOSED``, beyond
        1,000 cohorts ``compose.SMALL``); None means by n.

    Notes
    -----
    The pooled method is chosen first. Then, for every fold, the pooled map and the cohort maps are fitted without
    it and compared on it, in pairs; cohort maps are taken if the lower end of that gain is above 0. All rows
    must bear labels 0/1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p, cohort = rng.random(6000), np.arange(6000) % 2
    >>> y = rng.random(6000) < scales.expit(scales.logit(p) + np.array([-0.8, 0.8])[cohort])
    >>> found = select_cohorts(p, y, cohort, keys=[("AA",), ("UA",)], fields=["carrier"])
    >>> found.worthwhile, found.pooled.method
    (True, 'identity')
    """
    p = np.ascontiguousarray(scale.to_probability(scores))
    y, code = np.asarray(labels), np.asarray(codes, np.int64)
    w = None if weights is None else np.asarray(weights, np.float64)
    made = schemes.make(y, rng=np.random.default_rng(seed), groups=groups, times=times)
    parts = cohort_cells.Parts.of(p, y, w, code, made)
    chosen = selection.select_from(
        parts.by_fold(),
        rest=parts.rest(),
        scheme=made.scheme,
        clustered=made.clustered,
        scale=scale,
        methods=_closed(methods, parts),
        level=level,
    )
    if isinstance(chosen.gain, results.Insufficient):
        return CohortSelection(chosen.calibrator, False, chosen.gain, chosen.reason, chosen, parts.cohorts, None)
    if parts.cohorts < 2:
        few = results.Insufficient(parts.cohorts, 2, "cohorts")
        return CohortSelection(chosen.calibrator, False, few, "There is one cohort only.", chosen, parts.cohorts, None)
    gain = _prove(parts, chosen.method, made).estimate(
        alpha=1.0 - level, method=f"cross-fitted paired differences, t; each end at {level:g}"
    )
    return _verdict(parts, chosen, gain, keys, fields, scale)


def _verdict(
    parts: cohort_cells.Parts,
    chosen: selection.Selection,
    gain: results.Estimate,
    keys: Sequence[Key],
    fields: Sequence[str],
    scale: scales.Scale,
) -> CohortSelection:
    """Fit cohort maps on all rows if they proved their worth."""
    pooled = _on_probabilities(chosen.calibrator)
    cells, present = parts.cells(np.ones(len(parts.keys), bool), pooled)
    lines = cells.fit()
    between = (float(np.sqrt(lines.between[0, 0])), float(np.sqrt(lines.between[1, 1])))
    if gain.low is None or gain.low <= 0.0:
        reason = (
            f"Maps by cohort are not proved better than one map for all: {gain.value:.2g} nats a row on rows they "
            f"were not fitted on, with an interval that starts at {gain.low:.2g}."
        )
        return CohortSelection(chosen.calibrator, False, gain, reason, chosen, parts.cohorts, between)
    base = dataclasses.replace(pooled, scale=scale)  # type: ignore[type-var]
    reason = (
        f"Maps by cohort lower the log loss by {gain.value:.2g} nats a row (at least {gain.low:.2g} with the stated "
        "confidence) against one map for all, on rows they were not fitted on."
    )
    map_ = _maps(lines, [keys[number] for number in present.tolist()], fields, base)
    return CohortSelection(map_, True, gain, reason, chosen, parts.cohorts, between)


def _maps(
    found: shrinkage.Lines, keys: Sequence[Key], fields: Sequence[str], base: protocol.Calibrator
) -> by_cohort.ByCohort:
    maps = tuple(
        (tuple(key), compose.after(base, intercept=a, slope=b))
        for key, (a, b) in zip(keys, found.lines.tolist(), strict=True)
    )
    everyone = compose.after(base, intercept=float(found.mean[0]), slope=float(found.mean[1]))
    return by_cohort.ByCohort(tuple(fields), everyone, maps)


def _prove(parts: cohort_cells.Parts, method: str, made: schemes.Folds) -> crossfit.Paired:
    """Cross-fitted log loss of the pooled map less that of the shrunk cohort maps."""
    judged = range(1 if made.scheme == "time" else 0, made.count)
    one_map, by_cohort_maps, rows = [], [], []
    for k in judged:
        test = np.flatnonzero(parts.fold == k)
        training = (parts.fold >= 0) & ((parts.fold < k) if made.scheme == "time" else (parts.fold != k))
        if not len(test) or not training.any():
            continue
        pooled: protocol.Calibrator = identity.Identity()
        if method != "identity":
            pooled = selection.METHODS[method](parts.collapsed(training))
        cells, present = parts.cells(training, pooled)
        found = cells.fit()
        lines = np.tile(found.mean, (parts.width, 1))
        lines[present] = found.lines
        answer = pooled.apply(parts.score[test])
        line = lines[parts.cohort[test]]
        one_map.append(answer)
        by_cohort_maps.append(scales.expit(line[:, 0] + line[:, 1] * scales.logit(answer)))
        rows.append(test)
    where = np.concatenate(rows)
    w, wy, wyy, ww = (parts.sums[row, where] for row in (0, 1, 2, 6))
    judgement = crossfit.Judgement(w, wy, wyy, ww, parts.fold[where], {}, {})
    worse, better = np.concatenate(one_map), np.concatenate(by_cohort_maps)
    return crossfit.compare(judgement, worse, better, "log", clustered=made.clustered)


def _closed(methods: Sequence[str] | None, parts: cohort_cells.Parts) -> tuple[str, ...]:
    """The candidates that cohort maps can be built on; of thousands of maps, each has a few numbers."""
    if methods is None:
        total = parts.collapsed(np.ones(len(parts.keys), bool))
        methods = selection.candidates_for(selection.informative_rows(total))
    allowed = compose.CLOSED if parts.cohorts <= MANY else compose.SMALL
    return tuple(name for name in methods if name in allowed)
