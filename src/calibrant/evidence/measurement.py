"""All measures of one group of rows, and the leaner set for each of many cohorts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from calibrant.evidence import verdict as verdicts
from calibrant.stats import (
    auc,
    binned,
    corp,
    cox,
    debiased,
    departure,
    ecce,
    expected,
    ici,
    resampling,
    results,
    scores,
    smooth,
    spiegelhalter,
    split,
)
from calibrant.stats import summary as summaries

#: Bin counts at which ECE is shown; the last one is that of MCE and of the expected ECE.
BINS = (10, 15)
#: Resamples behind the intervals that are made by the bootstrap.
RESAMPLES = 200
#: With more groups than this smECE is left out: it alone costs more than all the rest.
SMOOTHED = 2_000
#: Folds of the cross-fitted decomposition.
FOLDS = 5

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured in one group.

    ``measures`` maps each name to an ``Estimate`` or, where data are missing, to ``Insufficient``; ``ece`` and
    ``expected_ece`` are by number of equal-width bins. ``resolution`` is ``exact`` when every different score had
    a cell of its own, else ``grid`` (measures that depend on the order of scores are good to 1/64 of the odds).
    """

    n: int
    effective_n: float
    resolution: str
    measures: Mapping[str, results.Measured]
    ece: Mapping[int, results.Measured]
    expected_ece: Mapping[int, results.Measured]
    verdict: verdicts.Verdict

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form: plain numbers by name, intervals and gaps beside them."""
        measured = {
            name: value for name, value in self.measures.items() if name not in ("slope", "intercept", "in_the_large")
        }
        lines = {name: _line(self.measures.get(name)) for name in ("slope", "intercept", "in_the_large")}
        return {
            "n": self.n,
            "effective_n": self.effective_n,
            "resolution": self.resolution,
            "smece": None,
            **{name: _number(value) for name, value in measured.items()},
            **lines,
            "ece": {str(count): _number(value) for count, value in self.ece.items()},
            "expected_ece": _number(self.expected_ece[BINS[-1]]),
            "expected_ece_by_bins": {str(count): value.to_dict() for count, value in self.expected_ece.items()},
            "intervals": {
                name: {"low": value.low, "high": value.high, "level": value.level, "method": value.method}
                for name, value in self.measures.items()
                if isinstance(value, results.Estimate) and value.low is not None
            },
            "insufficient": {
                name: str(value) for name, value in self.measures.items() if isinstance(value, results.Insufficient)
            },
            "verdict": self.verdict.outcome,
            "reasons": list(self.verdict.reasons),
            "p_value": self.verdict.p_value,
            "adjusted_p": self.verdict.adjusted_p,
        }


def _number(value: results.Measured | None) -> float | None:
    return value.value if isinstance(value, results.Estimate) else None


def _line(value: results.Measured | None) -> dict[str, float | None]:
    if not isinstance(value, results.Estimate):
        return {"value": None, "low": None, "high": None}
    return {"value": value.value, "low": value.low, "high": value.high}


def measure(
    summary: summaries.Summary, *, tolerance: float, level: float, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Measurement:
    """Measure one group: every measure, each with an interval where theory or resampling gives one."""
    one = summary.only()
    return Measurement(
        n=int(one.rows[0]),
        effective_n=float(one.effective_n[0]),
        resolution=_resolution(one),
        measures={**_scores(one, level), **_decisive(one, level), **_shown(one, level, rng, resamples)},
        ece={count: binned.ece(one, count=count) for count in BINS},
        expected_ece={count: expected.expected_ece(one, count=count, rng=rng, level=level) for count in BINS},
        verdict=verdicts.judge(one, tolerance=tolerance, level=level)[0],
    )


def _resolution(summary: summaries.Summary) -> str:
    return "exact" if summary.grid == "distinct" else "grid"


def _scores(one: summaries.Summary, level: float) -> dict[str, results.Measured]:
    """Means and proper scores, and the score's decomposition."""
    parts, log_parts = corp.corp(one), corp.corp(one, score="log")
    found: dict[str, results.Measured] = {
        "base_rate": scores.base_rate(one, level=level),
        "mean_score": scores.mean_score(one, level=level),
        "brier": scores.brier(one, level=level),
        "log_loss": scores.log_loss(one, level=level),
        "sharpness": scores.sharpness(one, level=level),
        "auc": auc.auc(one, level=level),
    }
    for name in ("mcb", "dsc", "unc"):
        found[name] = _part(parts, name, "none (in sample: mcb and dsc are biased upward)")
        found[f"log_{name}"] = _part(log_parts, name, "none (in sample: mcb and dsc are biased upward)")
    return found


def _decisive(one: summaries.Summary, level: float) -> dict[str, results.Measured]:
    """ECCE with its test, slope and intercept, calibration in the large, and how far the line moves the scores."""
    kuiper, line = ecce.ecce(one), cox.cox(one, level=level)
    found: dict[str, results.Measured] = {}
    if isinstance(kuiper, ecce.Ecce):
        low, high = kuiper.lower((1 + level) / 2), kuiper.upper((1 + level) / 2)
        found["ecce"] = results.Estimate(kuiper.value, low, high, level, "range of noise below, fixed pair above")
        found["ecce_sigma"] = results.Estimate(kuiper.sigma)
        found["ecce_in_sigmas"] = results.Estimate(kuiper.in_sigmas)
        found["ecce_p"] = results.Estimate(kuiper.p_value, method="none (a p-value, of exact calibration)")
    else:
        found |= dict.fromkeys(("ecce", "ecce_sigma", "ecce_in_sigmas", "ecce_p"), kuiper)
    found["slope"] = line.slope if isinstance(line, cox.Cox) else line
    found["intercept"] = line.intercept if isinstance(line, cox.Cox) else line
    found["in_the_large"] = cox.in_the_large(one, level=level)
    moved = departure.by_group(one)
    found["departure"] = (
        results.Estimate(float(moved.value[0]), None, float(moved.upper(level)[0]), level, "delta, one-sided")
        if moved.known[0]
        else _missing(line)
    )
    return found


def _missing(line: cox.Cox | results.Insufficient) -> results.Insufficient:
    return line if isinstance(line, results.Insufficient) else results.Insufficient(0, 1, "fitted lines")


def _shown(
    one: summaries.Summary, level: float, rng: np.random.Generator, resamples: int
) -> dict[str, results.Measured]:
    """Measures that are shown and decide nothing."""
    z = spiegelhalter.spiegelhalter(one)
    l2 = debiased.l2_error(one, level=level)
    bend = ici.ici(one, replicates=resamples, rng=rng, level=level)
    found: dict[str, results.Measured] = {
        "mce": binned.mce(one, count=BINS[-1]),
        "ace": binned.ace(one, count=BINS[-1]),
        "l2_error": l2.root if isinstance(l2, debiased.DebiasedError) else l2,
        "smece": resampling.poisson_bootstrap(
            one, smooth.smece, replicates=resamples, rng=rng, level=level, kind="basic"
        ),
        "spiegelhalter_z": results.Estimate(z.z) if isinstance(z, spiegelhalter.Spiegelhalter) else z,
        "spiegelhalter_p": results.Estimate(z.p_value) if isinstance(z, spiegelhalter.Spiegelhalter) else z,
        "cross_fitted_mcb": _cross_fitted(one, rng),
    }
    for name in ("ici", "e50", "e90"):
        found[name] = getattr(bend, name) if isinstance(bend, ici.Ici) else bend
    return found


def _cross_fitted(one: summaries.Summary, rng: np.random.Generator) -> results.Measured:
    """MCB with each row recalibrated by the others; needs rows that can be dealt out (labels 0/1, no weights)."""
    rows = int(one.rows[0])
    if rows < FOLDS:
        return results.Insufficient(rows, FOLDS)
    if not (one.is_binary and np.allclose(one.ww, one.n)):
        return results.Insufficient(0, rows, "rows without weights and with labels 0/1")
    parts = corp.cross_fitted(split.at_random(one, folds=FOLDS, rng=rng))
    return _part(parts, "mcb", f"none ({FOLDS} folds; may be negative)")


def _part(parts: corp.Decomposition | results.Insufficient, name: str, method: str) -> results.Measured:
    return parts if isinstance(parts, results.Insufficient) else results.Estimate(getattr(parts, name), method=method)


@dataclass(frozen=True, eq=False, slots=True)
class Column:
    """One measure of every group, shape (g,), and where it is known; elsewhere it is Insufficient(have, need, unit)."""

    values: Floats
    known: NDArray[np.bool_]
    have: Floats
    need: float
    unit: str
    low: Floats | None = None
    high: Floats | None = None
    level: float | None = None
    method: str = "none"

    def of(self, g: int) -> results.Measured:
        if not self.known[g]:
            return results.Insufficient(float(self.have[g]), self.need, self.unit)
        if self.low is None or self.high is None:
            return results.Estimate(float(self.values[g]), method=self.method)
        low, high = float(self.low[g]), float(self.high[g])
        return results.Estimate(float(self.values[g]), low, high, self.level, self.method)


class Measurements(Sequence[Measurement]):
    """The measurement of every group, computed for all at once and put into words when one is looked at."""

    def __init__(self, summary: summaries.Summary, *, tolerance: float, level: float) -> None:
        deciding = verdicts.Deciding.of(summary)
        self.verdicts = verdicts.judge(summary, deciding, tolerance=tolerance, level=level)
        self._columns = _columns(summary, deciding, level)
        self._ece = {count: binned.ece_by_group(summary, count=count) for count in BINS}
        self._noise = {count: expected.expected_ece_by_group(summary, count=count) for count in BINS}
        self._rows, self._effective_n, self._resolution = summary.rows, summary.effective_n, _resolution(summary)

    def __len__(self) -> int:
        return len(self.verdicts)

    @overload
    def __getitem__(self, index: int) -> Measurement: ...

    @overload
    def __getitem__(self, index: slice) -> list[Measurement]: ...

    def __getitem__(self, index: int | slice) -> Measurement | list[Measurement]:
        if isinstance(index, slice):
            return [self[g] for g in range(*index.indices(len(self)))]
        return Measurement(
            n=int(self._rows[index]),
            effective_n=float(self._effective_n[index]),
            resolution=self._resolution,
            measures={name: column.of(index) for name, column in self._columns.items()},
            ece={count: results.Estimate(float(values[index])) for count, values in self._ece.items()},
            expected_ece={count: results.Estimate(float(values[index])) for count, values in self._noise.items()},
            verdict=self.verdicts[index],
        )


def measure_groups(summary: summaries.Summary, *, tolerance: float, level: float) -> Measurements:
    """Measure every group of a stack, all at once: the same numbers as ``measure`` without resampling."""
    return Measurements(summary, tolerance=tolerance, level=level)


def _columns(summary: summaries.Summary, deciding: verdicts.Deciding, level: float) -> dict[str, Column]:
    """Measures by name; what cannot be known of a group is Insufficient."""
    means, kuiper = scores.means_by_group(summary), deciding.kuiper
    parts, lines = corp.corp_by_group(summary), deciding.moved.lines
    n = summary.effective_n
    rarer = n * np.minimum(means.base_rate, 1.0 - means.base_rate)
    some, tested = n > 0, n >= ecce.FEWEST
    always = {
        "base_rate": means.base_rate,
        "mean_score": means.mean_score,
        "brier": means.brier,
        "log_loss": means.log_loss,
        "sharpness": means.sharpness,
        "mcb": parts.mcb,
        "dsc": parts.dsc,
        "unc": parts.unc,
        "mce": _mce(summary),
    }
    if len(n) <= SMOOTHED:
        always["smece"] = smooth.smece_by_group(summary)
    deciders = {
        "ecce": kuiper.value,
        "ecce_sigma": kuiper.sigma,
        "ecce_in_sigmas": kuiper.in_sigmas,
        "ecce_p": kuiper.p_value,
    }
    found = {name: Column(values, some, n, 1, "rows") for name, values in always.items()}
    found |= {name: Column(values, tested, n, ecce.FEWEST, "rows") for name, values in deciders.items()}
    found["auc"] = Column(auc.by_group(summary), (rarer > 0) & some, rarer, 1, "rows of the rarer label")
    low, high = lines.interval(level=level)
    for place, name in enumerate(("intercept", "slope")):
        found[name] = Column(
            lines.coefficients[:, place],
            lines.converged,
            rarer,
            cox.FEWEST_OF_A_LABEL,
            "rows of the rarer label",
            low[:, place],
            high[:, place],
            level,
            "wald",
        )
    return found


def _mce(summary: summaries.Summary) -> Floats:
    """The largest gap of any bin, per group."""
    index = binned.width_index(summary, BINS[-1])
    gaps, weights = binned.fold(summary, index, BINS[-1], np.stack([summary.sums[1] - summary.sums[3], summary.w]))
    return np.asarray(np.divide(np.abs(gaps), weights, out=np.zeros_like(gaps), where=weights > 0).max(axis=1))
