"""Drift between two windows of one stream: what changed, by how much, and which kind of change it is.

Three changes can decide, each in units of probability, each with a p-value against "no change" (adjusted for being
three, Benjamini-Hochberg) and with the largest change that the data allow:

* ``scores``: how far scores moved on average (Wasserstein; p-value of Kolmogorov-Smirnov);
* ``base_rate``: the difference of the base rates (Newcombe's interval; score test);
* ``curve``: how much the meaning of a score changed, averaged over the current scores (bootstrap; likelihood ratio).

**Drifted** when one of them is both significant and larger than the tolerance: a p-value alone alarms at every
large sample, a size alone at every small one. **Stable** when intervals leave no room for more than the tolerance
in any of the three. Otherwise **insufficient**: no data is never good news. PSI and Jensen-Shannon decide nothing.

The split into prior, covariate and concept parts is that of ``stats.decompose``: a description, not a cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from calibrant import errors
from calibrant.stats import decompose, distance, multiplicity, resampling, results
from calibrant.stats import summary as summaries

SCHEMA = "calibrant.drift/1"

Outcome = Literal["stable", "drifted", "insufficient"]
Severity = Literal["none", "moderate", "severe"]
Name = Literal["scores", "base_rate", "curve"]

#: Below this effective number of rows in a window the normal approximations mean little.
FEWEST_ROWS = 50
#: A change of this many tolerances is severe.
SEVERE = 5.0
WORDS: dict[Name, str] = {
    "scores": "the mean distance that scores moved",
    "base_rate": "the change of the base rate",
    "curve": "the change of what a score means",
}


@dataclass(frozen=True, slots=True)
class Window:
    """One window at a glance."""

    n: int
    effective_n: float
    base_rate: float | None
    mean_score: float | None

    @classmethod
    def of(cls, summary: summaries.Summary) -> Window:
        weight = float(summary.total("w")[0])
        if weight <= 0.0:
            return cls(0, 0.0, None, None)
        rate, mean = (float(summary.total(name)[0]) / weight for name in ("wy", "wp"))
        return cls(int(summary.rows[0]), float(summary.effective_n[0]), rate, mean)

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Change:
    """One of the three changes that can decide.

    ``effect`` is in units of probability; ``p_value`` is against no change, ``adjusted_p`` the same for being one
    of three. ``outcome``: ``changed`` beyond the tolerance, ``unchanged`` within it, or ``undecided``.
    """

    name: Name
    effect: results.Measured
    p_value: float
    adjusted_p: float
    outcome: Literal["changed", "unchanged", "undecided"]

    def to_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in ("name", "p_value", "adjusted_p", "outcome")}
        return plain | {"effect": self.effect.to_dict()}


@dataclass(frozen=True, slots=True)
class Drift:
    """What changed from the reference to the current window.

    ``psi``, ``jensen_shannon`` and ``kolmogorov_smirnov`` are shown only. ``parts`` splits the changes of base
    rate, log loss and calibration error. ``findings`` are plain sentences, the most important first.
    """

    verdict: Outcome
    severity: Severity
    findings: tuple[str, ...]
    changes: tuple[Change, ...]
    reference: Window
    current: Window
    psi: results.Measured
    jensen_shannon: results.Measured
    kolmogorov_smirnov: distance.KolmogorovSmirnov | results.Insufficient
    curve_test: decompose.CurveTest | results.Insufficient
    parts: decompose.Decomposition | results.Insufficient
    tolerance: float
    level: float
    seed: int

    @property
    def changed(self) -> tuple[Name, ...]:
        """Names of the changes that are significant and beyond the tolerance."""
        return tuple(change.name for change in self.changes if change.outcome == "changed")

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form (schema ``calibrant.drift/1``)."""
        plain = {name: getattr(self, name) for name in ("verdict", "severity", "tolerance", "level", "seed")}
        measured = ("reference", "current", "psi", "jensen_shannon", "kolmogorov_smirnov", "curve_test", "parts")
        return {
            "schema": SCHEMA,
            **plain,
            "findings": list(self.findings),
            "changes": {change.name: change.to_dict() for change in self.changes},
            **{name: getattr(self, name).to_dict() for name in measured},
        }


def compare(
    reference: summaries.Summary,
    current: summaries.Summary,
    *,
    tolerance: float = 0.02,
    level: float = 0.95,
    replicates: int = 200,
    seed: int = 0,
) -> Drift:
    """Compare two windows.

    Parameters
    ----------
    reference, current
        One group each. Summaries on different grids are both taken to the dyadic one.
    tolerance
        Change that nobody minds, in units of probability, in (0, 1).
    level
        Confidence of intervals and verdict.
    replicates
        Of the Poisson bootstrap behind some intervals, at least 20.
    seed
        Of the bootstrap; the same seed gives the same document.
    """
    _check(tolerance)
    if reference.grid != current.grid:
        reference, current = reference.to_dyadic(), current.to_dyadic()
    rng = np.random.default_rng(seed)
    parts = decompose.decompose(reference, current, replicates=replicates, rng=rng, level=level)
    tested = decompose.curve_test(reference, current)
    ks = distance.kolmogorov_smirnov(reference, current)
    effects: dict[Name, results.Measured] = {
        "scores": _moved(reference, current, replicates=replicates, rng=rng, level=level),
        "base_rate": distance.base_rate_change(reference, current, level=level),
        "curve": parts if isinstance(parts, results.Insufficient) else parts.curve_change,
    }
    p_values: dict[Name, float] = {
        "scores": 1.0 if isinstance(ks, results.Insufficient) else ks.p_value,
        "base_rate": distance.base_rate_p_value(reference, current),
        "curve": 1.0 if isinstance(tested, results.Insufficient) else tested.p_value,
    }
    adjusted = multiplicity.benjamini_hochberg(list(p_values.values())).tolist()
    windows = Window.of(reference), Window.of(current)
    enough = min(window.effective_n for window in windows) >= FEWEST_ROWS * (1.0 - 1e-9)
    changes = tuple(
        Change(name, effects[name], p_values[name], p, _outcome(effects[name], p, tolerance, level, enough))
        for name, p in zip(effects, adjusted, strict=True)
    )
    verdict, reasons = _judge(changes, windows, tolerance)
    drift = Drift(
        verdict=verdict,
        severity=_severity(changes, tolerance),
        findings=(),
        changes=changes,
        reference=windows[0],
        current=windows[1],
        psi=distance.psi(reference, current),
        jensen_shannon=distance.jensen_shannon(reference, current),
        kolmogorov_smirnov=ks,
        curve_test=tested,
        parts=parts,
        tolerance=tolerance,
        level=level,
        seed=seed,
    )
    return replace(drift, findings=(*reasons, *_findings(drift)))


def seasonal_baseline(
    reference_by_season: Mapping[str, summaries.Summary], weights: Mapping[str, float]
) -> summaries.Summary:
    """The reference as it would be with the current window's mix of seasons, such as hours of week or months.

    Parameters
    ----------
    reference_by_season
        Season -> summary of the reference rows of that season, one group each.
    weights
        Season -> weight of the season in the current window (rows, or their sum of weights), not negative.

    Rows of season s are weighted by weights[s] / (weight of s in the reference); the total weight of the seasons
    used stays what it was. Squared weights follow, so the effective n says how much the mending costs.

    Raises
    ------
    UsageError
        CAL-457 if the current window has a season that the reference has not: no weight can mend that.
        CAL-458 if weights are negative, not finite or all zero.
    """
    if not all(np.isfinite(weight) and weight >= 0.0 for weight in weights.values()) or not sum(weights.values()) > 0.0:
        raise errors.UsageError(
            "CAL-458",
            "the weights of seasons must be finite, not negative, and not all zero",
            cause="they are " + ", ".join(f"{season}: {weight:g}" for season, weight in list(weights.items())[:6]),
            fix="pass the number of current rows of each season",
        )
    used = {season: weight for season, weight in weights.items() if weight > 0.0}
    known = {season: summary.only() for season, summary in reference_by_season.items() if len(summary.keys)}
    missing = [season for season in used if season not in known]
    if missing:
        raise errors.UsageError(
            "CAL-457",
            "the reference lacks a season of the current window",
            cause="it has no rows in " + ", ".join(missing[:6]) + (" ..." if len(missing) > 6 else ""),
            fix="take a reference that covers those seasons, a coarser season, or a current window without them",
        )
    parts = [known[season] for season in used]
    if len({part.grid for part in parts}) > 1:
        parts = [part.to_dyadic() for part in parts]
    before = np.array([float(part.total("w")[0]) for part in parts])
    target = np.array(list(used.values()))
    factors = target / target.sum() * before.sum() / before
    merged = _weighted(parts[0], float(factors[0]))
    for part, factor in zip(parts[1:], factors[1:].tolist(), strict=True):
        merged = merged + _weighted(part, factor)
    return merged


def _weighted(summary: summaries.Summary, factor: float) -> summaries.Summary:
    """Every weight multiplied by ``factor``: squared weights by its square."""
    powers = np.array([2.0 if name in ("ww", "wwv") else 1.0 for name in summaries.SUMS])
    return replace(summary, sums=summary.sums * (factor**powers)[:, None])


def _moved(
    reference: summaries.Summary, current: summaries.Summary, *, replicates: int, rng: np.random.Generator, level: float
) -> results.Measured:
    """Wasserstein distance of the scores with its bootstrap interval."""

    def far(r: summaries.Summary, c: summaries.Summary) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
        found = distance.wasserstein(r, c)
        return None if isinstance(found, results.Insufficient) else np.array([found.value])

    value = far(reference, current)
    if value is None:
        return results.Insufficient(0, 1)
    found = resampling.replicate_pair((reference, current), far, value, replicates=replicates, rng=rng)
    return resampling.at_least_zero(found.estimates(level=level, kind="basic")[0])


def _outcome(
    effect: results.Measured, p: float, tolerance: float, level: float, enough: bool
) -> Literal["changed", "unchanged", "undecided"]:
    if isinstance(effect, results.Insufficient) or not enough:
        return "undecided"
    if p < 1.0 - level and abs(effect.value) > tolerance:
        return "changed"
    if effect.low is None or effect.high is None:
        return "undecided"
    return "unchanged" if max(abs(effect.low), abs(effect.high)) <= tolerance else "undecided"


def _judge(
    changes: tuple[Change, ...], windows: tuple[Window, Window], tolerance: float
) -> tuple[Outcome, tuple[str, ...]]:
    """The verdict and its reason in a sentence."""
    changed = [change for change in changes if change.outcome == "changed"]
    if changed:
        names = " and ".join(WORDS[change.name] for change in changed)
        return "drifted", (f"Drift beyond the tolerance {tolerance:g}: {names}.",)
    fewest = min(window.effective_n for window in windows)
    if fewest < FEWEST_ROWS * (1.0 - 1e-9):
        return "insufficient", (f"The smaller window has {fewest:.0f} rows, at least {FEWEST_ROWS} are needed.",)
    rarer = min(min(window.base_rate or 0.0, 1.0 - (window.base_rate or 0.0)) for window in windows)
    if rarer <= tolerance:
        rare = f"The tolerance {tolerance:g} is not smaller than the share of the rarer label ({rarer:.2g}): "
        return "insufficient", (rare + "nearly everything would count as stable; choose a smaller tolerance.",)
    undecided = [change for change in changes if change.outcome == "undecided"]
    if not undecided:
        return "stable", (f"No change beyond the tolerance {tolerance:g}, and the data leave no room for one.",)
    return "insufficient", tuple(_undecided(change, tolerance) for change in undecided)


def _undecided(change: Change, tolerance: float) -> str:
    if isinstance(change.effect, results.Insufficient):
        lacking = f"{change.effect.have:g} {change.effect.unit}, needs {change.effect.need:g}"
        return f"Too few data to measure {WORDS[change.name]}: {lacking}."
    if change.effect.low is None or change.effect.high is None:
        return f"No interval is known for {WORDS[change.name]}: {change.effect.method}."
    reach = max(abs(change.effect.low), abs(change.effect.high))
    return (
        f"The data neither show nor exclude a change beyond {tolerance:g}: {WORDS[change.name]} is "
        f"{change.effect.value:.3g} and could be {reach:.3g}; more rows would tell."
    )


def _severity(changes: tuple[Change, ...], tolerance: float) -> Severity:
    sizes = [
        abs(change.effect.value)
        for change in changes
        if change.outcome == "changed" and isinstance(change.effect, results.Estimate)
    ]
    if not sizes:
        return "none"
    return "severe" if max(sizes) >= SEVERE * tolerance else "moderate"


def _findings(drift: Drift) -> list[str]:
    """What was seen, in sentences; sizes with their intervals."""
    said = []
    effects = {change.name: change for change in drift.changes}
    rate = effects["base_rate"]
    if isinstance(rate.effect, results.Estimate) and rate.adjusted_p < 1.0 - drift.level:
        way = "rose" if rate.effect.value > 0.0 else "fell"
        ends = f"{drift.reference.base_rate:.4g} to {drift.current.base_rate:.4g}"
        said.append(f"The base rate {way} from {ends}, by {_with_interval(rate.effect, sign=False)}.")
        if isinstance(drift.parts, decompose.Decomposition):
            said.append(_split(drift.parts.base_rate))
    scores = effects["scores"]
    if isinstance(scores.effect, results.Estimate) and scores.adjusted_p < 1.0 - drift.level:
        said.append(f"Scores moved by {_with_interval(scores.effect, sign=False)} on average{_psi(drift.psi)}.")
    curve = effects["curve"]
    if isinstance(curve.effect, results.Estimate) and curve.adjusted_p < 1.0 - drift.level:
        size = _with_interval(curve.effect, sign=False)
        said.append(f"What a score means changed by {size}, averaged over the current scores{_shape(drift)}.")
    if isinstance(drift.parts, decompose.Decomposition):
        for name, words in (("log_loss", "log loss"), ("calibration", "mean distance of scores from the true rate")):
            part: decompose.Parts = getattr(drift.parts, name)
            if abs(part.total.value) > drift.tolerance and _excludes_zero(part.total):
                said.append(f"The {words} changed by {_with_interval(part.total, sign=True)}.")
    return said


def _split(parts: decompose.Parts) -> str:
    return (
        f"Of this, {_signed(parts.prior)} goes with another share of positives alone (prior), "
        f"{_signed(parts.covariate)} with another mix of scores (covariate), "
        f"{_signed(parts.concept)} with scores that mean something else (concept)."
    )


def _signed(estimate: results.Estimate) -> str:
    """Three digits; what is 0 up to rounding is 0."""
    return f"{round(estimate.value, 9) + 0.0:+.3g}"


def _excludes_zero(estimate: results.Estimate) -> bool:
    return estimate.low is not None and estimate.high is not None and estimate.low * estimate.high > 0.0


def _psi(psi: results.Measured) -> str:
    if isinstance(psi, results.Insufficient):
        return ""
    small, large = distance.PSI_LANDMARKS
    word = "little" if psi.value < small else "some" if psi.value < large else "much"
    return f" (PSI {psi.value:.3g}, by convention {word} shift)"


def _shape(drift: Drift) -> str:
    if isinstance(drift.curve_test, results.Insufficient):
        return ""
    if drift.curve_test.shape_p_value < 1.0 - drift.level:
        return "; the curve changed its shape, a shift of all log-odds does not explain it"
    return "; a shift of all log-odds explains it"


def _with_interval(estimate: results.Estimate, *, sign: bool) -> str:
    """``0.12 (95 % interval 0.11 to 0.13)``; without sign, the size and its ends in rising order."""
    ends = sorted((estimate.low, estimate.high)) if estimate.low is not None and estimate.high is not None else None
    value = estimate.value
    if not sign and value < 0.0:
        value, ends = -value, [-ends[1], -ends[0]] if ends else None
    shown = f"{value:+.3g}" if sign else f"{value:.3g}"
    return shown if ends is None else f"{shown} ({estimate.level:.0%} interval {ends[0]:.3g} to {ends[1]:.3g})"


def _check(tolerance: float) -> None:
    if not 0.0 < tolerance < 1.0:
        raise errors.UsageError(
            "CAL-459",
            f"{tolerance!r} is not a tolerance",
            cause="a tolerance is a change of probability, strictly between 0 and 1",
            fix="write it as a share, for example 0.02",
        )
