"""Which map, if any: candidates by n, judged on rows they were not fitted on, and the simpler one wins ties.

What is guaranteed (and tested by simulation):

* Identity is always a candidate. Another map is recommended only if the lower end of the one-sided interval of
  its expected gain in log loss is above 0 - simultaneously for all candidates - and the Brier score gains too.
* No map is recommended unless the scores rank the labels beyond chance (one-sided 1 %). With permuted labels
  nothing is left but to replace every score by one constant; that would lower the log loss, yet it is no
  calibration, so it is reported as "the scores do not rank the labels", and no gain is claimed.
* With labels drawn from the scores themselves (calibrated rows) no gain is claimed either, save at the level.
* All maps offered here stay inside (0, 1) wherever the scores do: no infinite log loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors
from calibrant.calibrators import calibrator as protocol
from calibrant.calibrators import identity, scales
from calibrant.fitting import (
    beta,
    crossfit,
    intercept,
    isotonic,
    platt,
    quadratic,
    ranking,
    spline,
    temperature,
    venn_abers,
)
from calibrant.fitting import folds as schemes
from calibrant.stats import results, summary

Floats = NDArray[np.float64]
Fit = Callable[..., protocol.Calibrator]

#: Every method, from the simplest to the most flexible map: the order of the one-standard-error rule.
METHODS: Mapping[str, Fit] = {
    "intercept": intercept.fit,
    "temperature": temperature.fit,
    "platt": platt.fit,
    "beta": beta.fit,
    "quadratic_logit": quadratic.fit,
    "monotone_spline": spline.fit,
    "centered_isotonic": isotonic.fit_centered,
    "isotonic": isotonic.fit,
    "venn_abers": venn_abers.fit,
}
#: Up to this many informative rows, these methods.
TIERS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (150, ("platt",)),
    (500, ("intercept", "temperature", "platt")),
    (5000, ("intercept", "temperature", "platt", "beta", "quadratic_logit")),
    (float("inf"), tuple(METHODS)),
)
#: Up to this many rows every different score is a cell; beyond, cells of the dyadic grid.
DISTINCT = 20_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """One map's cross-fitted record, in nats (log loss) and squared probability (Brier) per row.

    ``gain`` is identity minus this map, with the simultaneous interval that decides; ``gain_error`` its standard
    error. ``behind`` is how far it lies behind the best candidate, ``behind_error`` the standard error of that
    paired difference.
    """

    method: str
    log_loss: float
    brier: float
    gain: results.Estimate
    gain_error: float
    brier_gain: float
    behind: float
    behind_error: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """A method that must not be fitted to these rows, and why: the FitError, kept as data."""

    method: str
    code: str
    cause: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The recommended map, fitted on all rows, with its proof.

    ``gain`` is the expected gain in log loss per row over the raw scores: an exact 0 for the identity,
    Insufficient where nothing could be judged. ``rows`` are effective rows, ``informative`` decides the
    candidates: min(rows, 10 times the rows of the rarer class).
    """

    calibrator: protocol.Calibrator
    method: str
    gain: results.Measured
    reason: str
    candidates: tuple[Candidate, ...]
    refusals: tuple[Refusal, ...]
    rows: float
    informative: float
    folds: int
    scheme: schemes.Scheme

    def to_dict(self) -> dict[str, Any]:
        """Plain data, without the map itself."""
        return {
            "method": self.method,
            "gain": self.gain.to_dict(),
            "reason": self.reason,
            "candidates": [asdict(candidate) for candidate in self.candidates],
            "refusals": [asdict(refusal) for refusal in self.refusals],
            "rows": self.rows,
            "informative": self.informative,
            "folds": self.folds,
            "scheme": self.scheme,
        }


def select(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    times: ArrayLike | None = None,
    scale: scales.Scale = scales.Scale(),
    seed: int = 0,
    methods: Sequence[str] | None = None,
    level: float = 0.975,
) -> Selection:
    """Choose a map for rows of raw scores.

    Parameters
    ----------
    scores
        Shape (n,), raw, on ``scale``.
    labels
        Shape (n,), 0/1.
    weights
        Shape (n,), non-negative; w -> c w changes nothing.
    groups
        Shape (n,): units whose rows belong together; a unit is never in both fit and judgement.
    times
        Shape (n,): then maps are fitted on strictly earlier rows than those they are judged on.
    seed
        Of the random folds.
    methods
        Names from ``METHODS``; None means by the number of informative rows.
    level
        Of the one-sided interval that decides, shared among the candidates (Bonferroni).

    Returns
    -------
    Selection
        Identity, with the reason, wherever nothing better was proved.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=2000)
    >>> labels = rng.random(2000) < 1 / (1 + np.exp(-x / 2))
    >>> found = select(x, labels, scale=scales.Scale("logit"))
    >>> found.method, 1.5 < found.calibrator.temperature < 2.5
    ('temperature', True)
    """
    p = np.ascontiguousarray(scale.to_probability(scores))
    y = np.asarray(labels)
    made = schemes.make(y, rng=np.random.default_rng(seed), groups=groups, times=times)
    parts, rest = _summaries(p, y, None if weights is None else np.asarray(weights, np.float64), made)
    return select_from(
        parts, rest=rest, scheme=made.scheme, clustered=made.clustered, scale=scale, methods=methods, level=level
    )


def informative_rows(data: summary.Summary) -> float:
    """Effective rows, but no more than 10 times those of the rarer class: they carry what can be learnt."""
    if not len(data.keys):
        return 0.0
    rows = float(data.effective_n[0])
    share = float(data.wy.sum() / data.w.sum())
    return min(rows, 10.0 * rows * min(share, 1.0 - share))


def candidates_for(informative: float) -> tuple[str, ...]:
    """The methods worth trying with so many informative rows, besides the identity."""
    return next(names for limit, names in TIERS if informative <= limit)


def _summaries(
    p: Floats, y: NDArray[Any], w: Floats | None, made: schemes.Folds
) -> tuple[list[summary.Summary], summary.Summary | None]:
    """One summary per fold that has rows of positive weight, and one of the rows kept out of the proof, if any."""
    codes, missing = made.codes, bool((made.codes < 0).any())
    if w is not None or missing:
        # name only what has rows: -1 sorts first
        keep = np.ones(len(p), bool) if w is None else ~(w <= 0.0)
        p, y, w, codes = p[keep], y[keep], None if w is None else w[keep], codes[keep]
        used, codes = np.unique(codes, return_inverse=True)
        missing = bool(len(used)) and int(used[0]) < 0
    grid: summary.Grid = "distinct" if len(p) <= DISTINCT else "dyadic"
    parts = list(summary.summarise(p, y, weights=w, groups=codes, grid=grid).groups())
    return (parts[1:], parts[0]) if missing else (parts, None)


def select_from(
    parts: Sequence[summary.Summary],
    *,
    rest: summary.Summary | None = None,
    scheme: schemes.Scheme = "rows",
    clustered: bool = False,
    scale: scales.Scale = scales.Scale(),
    methods: Sequence[str] | None = None,
    level: float = 0.975,
) -> Selection:
    """Choose a map from the summaries of the folds alone; the cost does not depend on the number of rows.

    Parameters
    ----------
    parts
        One summary per fold, all of one grid and of one group each; in time order if ``scheme`` is ``time``.
    rest
        Rows that may be fitted in the end but take no part in the proof.
    scheme, clustered
        As ``folds.Folds`` has them.

    Notes
    -----
    Paired differences of cross-fitted losses; their standard error treats rows as independent given the maps
    (or folds, if ``clustered``). One-standard-error rule (Breiman et al. 1984) with the standard error of the
    paired difference to the best candidate.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(3000)
    >>> parts = [summary.summarise(a, rng.random(1000) < a) for a in p.reshape(3, 1000)]
    >>> select_from(parts).method
    'identity'
    """
    total = crossfit.merged([*parts, rest] if rest is not None else parts)
    situation = _Situation(total, len(parts), scheme, scale)
    if len(parts) < 2:
        return situation.keep(results.Insufficient(len(parts), 2, "folds"), "Nothing could be held out to judge a map.")
    reason = _not_ranked(ranking.rank_sum(total))
    if reason is not None:
        return situation.keep(results.Insufficient(0, 1, "ranked scores"), reason)
    final, refusals = _fit_all(_chosen_methods(methods, situation.informative), total, scale)
    judgement = crossfit.judge(parts, {name: METHODS[name] for name in final}, scheme=scheme)
    refusals += [_refusal(name, error) for name, error in judgement.refused.items()]
    candidates = _candidates(judgement, clustered, level)
    best, reason = _decide(candidates, scheme, refusals)
    if best.method == "identity":
        return situation.keep(best.gain, reason, candidates, refusals)
    return situation.recommend(final[best.method], best, reason, candidates, refusals)


@dataclass(frozen=True, slots=True)
class _Situation:
    """What every answer repeats."""

    total: summary.Summary
    folds: int
    scheme: schemes.Scheme
    scale: scales.Scale

    @property
    def rows(self) -> float:
        return float(self.total.effective_n[0]) if len(self.total.keys) else 0.0

    @property
    def informative(self) -> float:
        return informative_rows(self.total)

    def keep(
        self,
        gain: results.Measured,
        reason: str,
        candidates: Sequence[Candidate] = (),
        refusals: Sequence[Refusal] = (),
    ) -> Selection:
        raw = identity.Identity(self.scale)
        return self._answer(raw, "identity", gain, reason, candidates, refusals)

    def recommend(
        self,
        found: protocol.Calibrator,
        best: Candidate,
        reason: str,
        candidates: Sequence[Candidate],
        refusals: Sequence[Refusal],
    ) -> Selection:
        return self._answer(found, best.method, best.gain, reason, candidates, refusals)

    def _answer(
        self,
        found: protocol.Calibrator,
        method: str,
        gain: results.Measured,
        reason: str,
        candidates: Sequence[Candidate],
        refusals: Sequence[Refusal],
    ) -> Selection:
        return Selection(
            found,
            method,
            gain,
            reason,
            tuple(candidates),
            tuple(refusals),
            self.rows,
            self.informative,
            self.folds,
            self.scheme,
        )


def _not_ranked(found: ranking.Ranking | results.Insufficient) -> str | None:
    if isinstance(found, results.Insufficient):
        return "There are too few rows of both classes to judge any map."
    if found.reversed:
        return (
            f"The scores rank the labels the wrong way round (AUC {found.auc:.3f}): check that label 1 is what a "
            "high score means. No map can repair that."
        )
    if not found.evident:
        return (
            f"The scores do not rank the labels beyond chance (AUC {found.auc:.3f}, {found.z:.1f} standard "
            "deviations above 1/2): a map could only replace them by one constant."
        )
    return None


def _chosen_methods(methods: Sequence[str] | None, informative: float) -> tuple[str, ...]:
    if methods is None:
        return candidates_for(informative)
    unknown = [name for name in methods if name not in METHODS and name != "identity"]
    if unknown:
        raise errors.UsageError(
            "CAL-462",
            f"unknown calibration method {unknown[0]!r}",
            cause="a method is one of identity, " + ", ".join(METHODS),
            fix="correct the name",
        )
    return tuple(name for name in METHODS if name in methods)


def _fit_all(
    names: Sequence[str], total: summary.Summary, scale: scales.Scale
) -> tuple[dict[str, protocol.Calibrator], list[Refusal]]:
    fitted: dict[str, protocol.Calibrator] = {}
    refusals: list[Refusal] = []
    for name in names:
        try:
            fitted[name] = METHODS[name](total, scale=scale)
        except errors.FitError as error:
            refusals.append(_refusal(name, error))
    return fitted, refusals


def _refusal(name: str, error: errors.FitError) -> Refusal:
    return Refusal(name, error.code, f"{error.what}: {error.cause}")


def _candidates(found: crossfit.Judgement, clustered: bool, level: float) -> list[Candidate]:
    """Every map's record, identity first, then from simple to flexible."""
    raw = found.answers["identity"]
    names = ["identity", *(name for name in METHODS if name in found.answers)]
    alpha = (1.0 - level) / max(len(names) - 1, 1)
    scheme = f"cross-fitted paired differences, t; each end at {level:g} for all {len(names) - 1} maps together"
    scores = {name: crossfit.mean_loss(found, name, "log") for name in names}
    best = found.answers[min(names, key=scores.__getitem__)]
    candidates = []
    for name in names:
        answer = found.answers[name]
        gain = crossfit.compare(found, raw, answer, "log", clustered=clustered)
        brier = crossfit.compare(found, raw, answer, "brier", clustered=clustered)
        behind = crossfit.compare(found, answer, best, "log", clustered=clustered)
        estimate = gain.estimate(alpha=alpha, method=scheme)
        if name == "identity":
            estimate = results.Estimate(0.0, method="the raw scores against themselves")
        brier_loss = crossfit.mean_loss(found, name, "brier")
        candidates.append(
            Candidate(name, scores[name], brier_loss, estimate, gain.error, brier.mean, behind.mean, behind.error)
        )
    return candidates


def _decide(
    candidates: Sequence[Candidate], scheme: schemes.Scheme, refusals: Sequence[Refusal]
) -> tuple[Candidate, str]:
    """The simplest proved map within one standard error of the best; identity if none is proved."""
    raw, *maps = candidates
    if not maps:
        return raw, "No map could be fitted: " + "; ".join(f"{r.method}: {r.cause}" for r in refusals[:1]) + "."
    if raw.behind <= raw.behind_error:
        return raw, "No map beats the raw scores by more than one standard error on rows it was not fitted on."
    proved = [m for m in maps if m.gain.low is not None and m.gain.low > 0.0 and m.brier_gain > 0.0]
    near = [m for m in proved if m.behind <= m.behind_error]
    if not near:
        best = min(maps, key=lambda m: m.log_loss)
        return raw, (
            f"The gain of the best map ({best.method}, {best.gain.value:.2g} nats a row) is not proved: "
            f"its interval starts at {best.gain.low:.2g}, or the Brier score does not gain."
        )
    chosen = near[0]
    where = "later rows" if scheme == "time" else "rows it was not fitted on"
    simpler = "the best map" if chosen.behind == 0.0 else "the simplest map within one standard error of the best"
    return chosen, (
        f"On {where}, {chosen.method} lowers the log loss by {chosen.gain.value:.2g} nats a row (at least "
        f"{chosen.gain.low:.2g} with the stated confidence); it is {simpler}."
    )
