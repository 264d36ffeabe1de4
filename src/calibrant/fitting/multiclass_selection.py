"""Which multiclass map, if any: the rules of ``selection`` for rows of class scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from calibrant import errors
from calibrant.calibrators import multiclass as maps
from calibrant.calibrators import scales
from calibrant.fitting import folds as schemes
from calibrant.fitting import multiclass, selection
from calibrant.stats import classes, results

Floats = NDArray[np.float64]
Map = maps.MulticlassTemperature | maps.VectorScaling | maps.MatrixScaling
Fit = Callable[..., Map]

#: Every method, from the simplest to the most flexible map: the order of the one-standard-error rule.
METHODS: Mapping[str, Fit] = {
    "temperature": multiclass.fit_temperature,
    "structured_vector": multiclass.fit_structured_vector,
    "vector": multiclass.fit_vector,
    "structured_matrix": multiclass.fit_structured_matrix,
}
#: Up to this many effective rows, or this many a class, nothing but a temperature is tried.
FEW, FEW_PER_CLASS = 150.0, 10.0
#: Up to this many classes a full matrix is tried unasked (its cost grows with the square).
MATRIX_CLASSES = 64
#: Standard deviations above what shuffled labels show, below which the scores tell nothing (one-sided 1 %).
CRITICAL = 2.326


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
    level: float = 0.95,
) -> selection.Selection:
    """Choose a map for rows of class scores.

    Parameters
    ----------
    scores
        Shape (n, K), raw, on ``scale``.
    labels
        Shape (n,), integers 0..K-1.
    weights
        Shape (n,), non-negative; only their ratios matter.
    groups, times
        Shape (n,), as in ``selection.select``.
    seed
        Of the random folds.
    methods
        Names from ``METHODS``; None means temperature, and with enough rows the structured vector and matrix.
    level
        Of the one-sided interval that decides, shared among the candidates (Bonferroni).

    Returns
    -------
    selection.Selection
        The identity is ``MulticlassTemperature(1)``. It stays wherever nothing better was proved: a gain in log
        loss whose simultaneous lower end is above 0 together with a gain in Brier score, on rows that the map was
        not fitted on; among those within one standard error of the best, the simplest.

    Notes
    -----
    Standard errors of paired differences treat rows (or groups) as independent given the maps. Before anything
    else the scores must beat shuffled labels: sum of p[label] against its permutation mean and variance
    (Hoeffding 1951, doi:10.1214/aoms/1177729546).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=(2000, 3))
    >>> labels = (z + rng.gumbel(size=z.shape)).argmax(axis=1)
    >>> select(3.0 * z, labels, scale=scales.Scale("logit")).method
    'temperature'
    """
    checked = classes.rows(scores, labels, weights=weights, scale=scale)
    n, k = checked.effective_n, checked.scores.shape[1]
    keep = slice(None) if weights is None else np.asarray(weights, np.float64) > 0.0
    units, moments = (None if each is None else np.asarray(each)[keep] for each in (groups, times))
    names = _names(methods, n, k)
    raw = maps.MulticlassTemperature(1.0, scale=scale)
    made = schemes.make(checked.labels, rng=np.random.default_rng(seed), groups=units, times=moments)

    def answer(
        found: Map,
        method: str,
        gain: results.Measured,
        reason: str,
        candidates: Sequence[selection.Candidate] = (),
        refusals: Sequence[selection.Refusal] = (),
    ) -> selection.Selection:
        return selection.Selection(
            found, method, gain, reason, tuple(candidates), tuple(refusals), n, n, made.count, made.scheme
        )

    z = _excess(raw.apply(checked.scores), checked)
    if z <= CRITICAL:
        reason = (
            f"The scores do not tell the classes beyond chance ({z:.1f} standard deviations above shuffled labels)."
        )
        return answer(raw, "identity", results.Insufficient(0, 1, "informative scores"), reason)
    final, refusals = _fit_all(names, checked, scale)
    out, judged, refused = _out_of_fold(list(final), checked, made, scale)
    refusals += refused
    if not judged.any():
        return answer(raw, "identity", results.Insufficient(0, 1, "judged rows"), "Nothing could be held out.")
    unit = None if units is None else np.unique(units[judged], return_inverse=True)[1]
    candidates = _candidates(out, checked.take(judged), unit, level)
    best, reason = _decide(candidates, refusals)
    return answer({"identity": raw, **final}[best.method], best.method, best.gain, reason, candidates, refusals)


def _names(methods: Sequence[str] | None, n: float, k: int) -> tuple[str, ...]:
    if methods is None:
        if n <= max(FEW, FEW_PER_CLASS * k):
            return ("temperature",)
        matrix = ("structured_matrix",) if k <= MATRIX_CLASSES else ()
        return ("temperature", "structured_vector", *matrix)
    unknown = [name for name in methods if name not in METHODS and name != "identity"]
    if unknown:
        raise errors.UsageError(
            "CAL-445",
            f"unknown multiclass method {unknown[0]!r}",
            cause="a method is one of identity, " + ", ".join(METHODS),
            fix="correct the name",
        )
    return tuple(name for name in METHODS if name in methods)


def _excess(p: Floats, checked: classes.Rows) -> float:
    """How many permutation standard deviations the labels' own probabilities sum above their mean."""
    n = checked.effective_n
    w = checked.weights / checked.weights.sum()
    share = np.bincount(checked.labels, w, p.shape[1])
    by_class = w @ p
    centred = p - (p @ share)[:, None] - by_class + by_class @ share
    own = float(w @ p[np.arange(len(p)), checked.labels]) - float(by_class @ share)
    variance = float(w @ (centred**2 @ share))
    return own * float(np.sqrt(max(n - 1.0, 0.0) / variance)) if variance > 0.0 else 0.0


def _fit(name: str, checked: classes.Rows, scale: scales.Scale) -> Map:
    return METHODS[name](checked.scores, checked.labels, weights=checked.weights, scale=scale)


def _fit_all(
    names: Sequence[str], checked: classes.Rows, scale: scales.Scale
) -> tuple[dict[str, Map], list[selection.Refusal]]:
    fitted: dict[str, Map] = {}
    refusals: list[selection.Refusal] = []
    for name in names:
        try:
            fitted[name] = _fit(name, checked, scale)
        except errors.FitError as error:
            refusals.append(_refusal(name, error))
    return fitted, refusals


def _refusal(name: str, error: errors.FitError) -> selection.Refusal:
    return selection.Refusal(name, error.code, f"{error.what}: {error.cause}")


def _out_of_fold(
    names: Sequence[str], checked: classes.Rows, made: schemes.Folds, scale: scales.Scale
) -> tuple[dict[str, tuple[Floats, Floats]], NDArray[np.bool_], list[selection.Refusal]]:
    """Log loss and Brier score of the judged rows by method, each judged by a map that never saw its fold."""
    judged = made.codes >= (1 if made.scheme == "time" else 0)
    raw = maps.MulticlassTemperature(1.0, scale=scale)
    losses = {name: np.empty((2, len(made.codes))) for name in ("identity", *names)}
    refused: dict[str, selection.Refusal] = {}
    for fold in range(1 if made.scheme == "time" else 0, made.count):
        test = made.codes == fold
        train = (made.codes >= 0) & (made.codes < fold if made.scheme == "time" else ~test)
        held_out = checked.take(test)
        for name in losses:
            if name in refused:
                continue
            try:
                found = raw if name == "identity" else _fit(name, checked.take(train), scale)
            except errors.FitError as error:
                refused[name] = _refusal(name, error)
                continue
            answered = classes.Rows(found.apply(held_out.scores), held_out.labels, held_out.weights)
            losses[name][:, test] = classes.losses(answered), classes.squares(answered)
    kept = {name: (each[0, judged], each[1, judged]) for name, each in losses.items() if name not in refused}
    return kept, judged, list(refused.values())


def _candidates(
    out: Mapping[str, tuple[Floats, Floats]],
    judged: classes.Rows,
    unit: NDArray[np.int64] | None,
    level: float,
) -> list[selection.Candidate]:
    """Every map's record, identity first, then from simple to flexible."""
    w = judged.weights / judged.weights.sum()
    scores = {name: (float(w @ log), float(w @ square)) for name, (log, square) in out.items()}
    best = out[min(scores, key=lambda name: scores[name][0])][0]
    count = max(len(out) - 1, 1)
    method = f"cross-fitted paired differences, t; each end at {level:g} for all {count} maps together"
    found = []
    for name, (log, _) in out.items():
        gain, error, units = _paired(out["identity"][0] - log, w, unit)
        half = float(stdtrit(max(units - 1.0, 1.0), 1.0 - (1.0 - level) / count)) * error
        estimate = results.Estimate(gain, gain - half, gain + half, level, method)
        if name == "identity":
            estimate = results.Estimate(0.0, method="the raw scores against themselves")
        behind, behind_error, _ = _paired(log - best, w, unit)
        brier_gain = scores["identity"][1] - scores[name][1]
        found.append(selection.Candidate(name, *scores[name], estimate, error, brier_gain, behind, behind_error))
    return found


def _paired(d: Floats, w: Floats, unit: NDArray[np.int64] | None) -> tuple[float, float, float]:
    """Weighted mean, its standard error (weights sum to 1), and the effective number of independent units."""
    mean = float(w @ d)
    parts, sizes = w * (d - mean), w
    if unit is not None:
        parts, sizes = np.bincount(unit, parts).astype(np.float64), np.bincount(unit, w).astype(np.float64)
    units = 1.0 / float(sizes @ sizes)
    inflate = units / (units - 1.0) if units > 1.0 else float("inf")
    return mean, float(np.sqrt(parts @ parts * inflate)), units


def _decide(
    candidates: Sequence[selection.Candidate], refusals: Sequence[selection.Refusal]
) -> tuple[selection.Candidate, str]:
    raw, *others = candidates
    if not others:
        return raw, "No map could be fitted: " + "; ".join(f"{r.method}: {r.cause}" for r in refusals[:1]) + "."
    if raw.behind <= raw.behind_error:
        return raw, "No map beats the raw scores by more than one standard error on rows it was not fitted on."
    proved = [c for c in others if c.gain.low is not None and c.gain.low > 0.0 and c.brier_gain > 0.0]
    near = [c for c in proved if c.behind <= c.behind_error]
    if not near:
        best = min(others, key=lambda c: c.log_loss)
        return raw, (
            f"The gain of the best map ({best.method}, {best.gain.value:.2g} nats a row) is not proved: its "
            f"interval starts at {best.gain.low:.2g}, or the Brier score does not gain."
        )
    chosen = near[0]
    return chosen, (
        f"On rows it was not fitted on, {chosen.method} lowers the log loss by {chosen.gain.value:.2g} nats a row "
        f"(at least {chosen.gain.low:.2g} with the stated confidence)."
    )
