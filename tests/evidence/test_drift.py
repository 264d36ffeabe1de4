"""Drift between two windows: verdicts, false alarms, findings, the document, and the seasonal baseline."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from calibrant import errors
from calibrant.evidence import drift
from calibrant.stats import decompose, results, summary


def rows(
    rng: np.random.Generator, n: int, *, a: float = 1.5, shift: float = 0.0, slope: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and labels that follow a line in log-odds."""
    p = rng.beta(a, 2.0, n)
    return p, rng.random(n) < expit(shift + slope * logit(p))


def window(seed: int, n: int, **change: float) -> summary.Summary:
    """A window on the dyadic grid."""
    return summary.summarise(*rows(np.random.default_rng(seed), n, **change))


def test_no_change_in_large_windows_is_stable() -> None:
    """60,000 rows each of one distribution: stable, severity none, and the reason says so."""
    found = drift.compare(window(1, 60_000), window(2, 60_000), replicates=60)
    assert (found.verdict, found.severity, found.changed) == ("stable", "none", ())
    assert found.findings[0].startswith("No change beyond the tolerance 0.02")


def test_no_change_in_small_windows_is_insufficient() -> None:
    """1,500 rows cannot exclude a change of .02; 30 rows are too few for anything; no rows neither."""
    assert drift.compare(window(1, 1_500), window(2, 1_500), replicates=60).verdict == "insufficient"
    tiny = drift.compare(window(1, 30), window(2, 30), replicates=20)
    assert tiny.verdict == "insufficient"
    assert "at least 50" in tiny.findings[0]
    nothing = drift.compare(summary.empty(), window(2, 100), replicates=20)
    assert nothing.verdict == "insufficient"
    assert isinstance(nothing.parts, results.Insufficient)
    json.dumps(nothing.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"shift": 0.5}, ("base_rate", "curve")),
        ({"a": 2.2}, ("scores", "base_rate")),
        ({"slope": 0.5}, ("curve",)),
    ],
)
def test_changes_are_named(change: dict[str, float], names: tuple[str, ...]) -> None:
    """A shift of the labels, of the scores and of the slope are each found, and only what changed is named."""
    found = drift.compare(window(3, 20_000), window(4, 20_000, **change), replicates=40)
    assert found.verdict == "drifted"
    assert set(names) <= set(found.changed)
    if change != {"slope": 0.5}:
        assert set(found.changed) == set(names)
    assert "scores" not in found.changed or "a" in change


def test_significant_but_small_is_no_drift() -> None:
    """150,000 rows show a shift of .07 in log-odds beyond doubt; at a tolerance of .02 it is stable, at .005 drift."""
    r, c = window(5, 150_000), window(6, 150_000, shift=0.07)
    tolerant = drift.compare(r, c, replicates=40)
    assert tolerant.verdict == "stable"
    assert min(change.adjusted_p for change in tolerant.changes) < 1e-3
    strict = drift.compare(r, c, tolerance=0.005, replicates=40)
    assert strict.verdict == "drifted"
    assert "base_rate" in strict.changed


def test_rare_labels_need_a_smaller_tolerance() -> None:
    """A base rate of .01 under a tolerance of .02 is never called stable, and the reason says what to do."""
    rng = np.random.default_rng(7)
    r, c = (summary.summarise(p, rng.random(60_000) < p) for p in (rng.beta(1.0, 99.0, 60_000) for _ in range(2)))
    found = drift.compare(r, c, replicates=20)
    assert found.verdict == "insufficient"
    assert "smaller tolerance" in found.findings[0]


def test_findings_say_what_happened() -> None:
    """A shift up by 1 in log-odds is severe, and the sentences name the rise, the parts and the curve."""
    found = drift.compare(window(8, 20_000), window(9, 20_000, shift=1.0), replicates=40)
    assert found.severity == "severe"
    said = " ".join(found.findings)
    for words in ("The base rate rose from", "(prior)", "(covariate)", "(concept)", "What a score means changed by"):
        assert words in said
    down = drift.compare(window(9, 20_000, shift=1.0), window(8, 20_000), replicates=40)
    assert "The base rate fell from" in " ".join(down.findings)


def test_the_document() -> None:
    """Plain JSON without NaN, the same for the same seed, with every part adding up."""
    r, c = window(10, 3_000), window(11, 3_000, shift=0.4)
    plain = drift.compare(r, c, replicates=40, seed=3).to_dict()
    text = json.dumps(plain, allow_nan=False)
    assert text == json.dumps(drift.compare(r, c, replicates=40, seed=3).to_dict())
    assert plain["schema"] == "calibrant.drift/1"
    assert set(plain["changes"]) == {"scores", "base_rate", "curve"}
    parts = plain["parts"]["base_rate"]
    total = sum(parts[name]["value"] for name in ("prior", "covariate", "concept"))
    assert total == pytest.approx(parts["total"]["value"], abs=1e-12)


def test_grids_may_differ() -> None:
    """A distinct and a dyadic summary are compared on the dyadic grid."""
    p, y = rows(np.random.default_rng(12), 2_000)
    exact, coarse = (summary.summarise(p, y, grid=grid) for grid in ("distinct", "dyadic"))
    mixed = drift.compare(exact, coarse, replicates=20)
    assert isinstance(mixed.kolmogorov_smirnov, drift.distance.KolmogorovSmirnov)
    assert mixed.kolmogorov_smirnov.statistic == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("tolerance", [0.0, 1.0, -0.1, float("nan")])
def test_tolerances_are_shares(tolerance: float) -> None:
    """A tolerance outside (0, 1) raises CAL-459."""
    with pytest.raises(errors.UsageError, match="CAL-459"):
        drift.compare(window(1, 100), window(2, 100), tolerance=tolerance)


def seasons(seed: int, counts: dict[str, int]) -> dict[str, summary.Summary]:
    """Winter has low scores, summer high ones; labels are calibrated in both."""
    rng = np.random.default_rng(seed)
    shapes = {"winter": 1.0, "summer": 3.0}
    return {season: summary.summarise(*rows(rng, n, a=shapes[season])) for season, n in counts.items()}


def test_season_aware_baseline_removes_the_season() -> None:
    """More summer rows alone look like drift against the plain reference, and not against the seasonal baseline."""
    past = seasons(13, {"winter": 60_000, "summer": 20_000})
    now = seasons(14, {"winter": 10_000, "summer": 50_000})
    current = now["winter"] + now["summer"]
    plain = drift.compare(past["winter"] + past["summer"], current, replicates=40)
    assert plain.verdict == "drifted"
    baseline = drift.seasonal_baseline(past, {"winter": 10_000, "summer": 50_000})
    assert drift.compare(baseline, current, replicates=40).verdict == "stable"


@settings(deadline=None, max_examples=20)
@given(winter=st.floats(0.0, 10.0), summer=st.floats(0.1, 10.0), unit=st.floats(0.01, 100.0))
def test_baseline_keeps_its_promises(winter: float, summer: float, unit: float) -> None:
    """Seasons get their share, total weight and rows stay, effective n is Kish's, the unit does not matter."""
    past = seasons(15, {"winter": 300, "summer": 200})
    weights = {"winter": winter, "summer": summer}
    found = drift.seasonal_baseline(past, weights)
    used = {season: past[season] for season, weight in weights.items() if weight > 0}
    n = {season: float(part.rows[0]) for season, part in used.items()}
    total = sum(n.values())
    share = {season: weights[season] / sum(weights.values()) for season in used}
    assert found.total("w")[0] == pytest.approx(total)
    assert found.rows[0] == total
    rate = sum(share[season] * float(part.total("wy")[0]) / n[season] for season, part in used.items())
    assert found.total("wy")[0] / total == pytest.approx(rate)
    assert found.effective_n[0] == pytest.approx(1.0 / sum(share[season] ** 2 / n[season] for season in used))
    scaled = drift.seasonal_baseline(past, {season: unit * weight for season, weight in weights.items()})
    assert np.allclose(found.sums, scaled.sums)


def test_seasons_that_cannot_be_mended() -> None:
    """A season without reference rows raises CAL-457; negative, NaN or all-zero weights raise CAL-458."""
    past = seasons(16, {"winter": 50})
    with pytest.raises(errors.UsageError, match="CAL-457"):
        drift.seasonal_baseline(past, {"winter": 1.0, "summer": 1.0})
    for weights in ({"winter": -1.0}, {"winter": float("nan")}, {"winter": 0.0}, {}):
        with pytest.raises(errors.UsageError, match="CAL-458"):
            drift.seasonal_baseline(past, weights)


@pytest.mark.theory
def test_false_alarms_and_power() -> None:
    """80 pairs of 3,000 rows: at most 8 % false alarms; a shift of .4 in log-odds is found in at least 95 %."""
    alarms = found = 0
    for i in range(80):
        reference = window(3 * i, 3_000)
        alarms += drift.compare(reference, window(3 * i + 1, 3_000), replicates=20).verdict == "drifted"
        found += drift.compare(reference, window(3 * i + 2, 3_000, shift=0.4), replicates=20).verdict == "drifted"
    assert alarms <= 0.08 * 80
    assert found >= 0.95 * 80


def test_parts_are_those_of_stats() -> None:
    """The split in the document is the one of stats.decompose for the same seed."""
    r, c = window(17, 1_000), window(18, 1_000)
    found = drift.compare(r, c, replicates=20, seed=5)
    assert found.parts == decompose.decompose(r, c, replicates=20, rng=np.random.default_rng(5))
