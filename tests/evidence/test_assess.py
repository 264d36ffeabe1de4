"""The evidence document: complete, stable, the same for rows and summaries, quick for many cohorts."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from sklearn import metrics

from calibrant.evidence import assess
from calibrant.stats import cohorts, results, summary

KEYS = {
    "n", "base_rate", "mean_score", "brier", "log_loss", "ece", "mce", "expected_ece", "ecce", "ecce_sigma", "ecce_p",
    "smece", "slope", "intercept", "auc", "mcb", "dsc", "unc", "verdict", "reasons",
}  # fmt: skip


def rows(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 2, n)
    group = rng.integers(0, 3, n)
    return p, (rng.random(n) < p ** (1 + 0.5 * (group == 2))).astype(int), group


def by_group(n: int, **options) -> tuple[summary.Summary, cohorts.Cohorts]:
    p, y, group = rows(n)
    stacked = summary.summarise(p, y, groups=group, group_count=3, **options)
    keys = (("a",), ("b",), ("c",))
    return summary.summarise(p, y, **options), cohorts.Cohorts(("country",), keys, stacked)


def finite(value) -> bool:
    if isinstance(value, dict):
        return all(finite(each) for each in value.values())
    if isinstance(value, list):
        return all(finite(each) for each in value)
    return not isinstance(value, float) or math.isfinite(value)


def test_document_has_every_promised_key_and_no_nan():
    """What scripts rely on is there, for the whole and for each cohort, and it is strict JSON."""
    document = assess.assess(*by_group(6000)).to_dict()
    assert set(document["overall"]) >= KEYS
    assert {"value", "low", "high"} == set(document["overall"]["slope"])
    assert [KEYS | {"cohort"} <= set(each) for each in document["cohorts"]] == [True] * 3
    assert document["cohorts"][0]["cohort"] == {"country": "c"}
    assert finite(document)
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_cohort_numbers_are_those_of_the_cohort_alone():
    """The batch over cohorts and the measurement of one group agree wherever both speak."""
    overall, stacked = by_group(5000, grid="distinct")
    together = {one.cohort["country"]: one.measurement for one in assess.assess(overall, stacked).cohorts}
    for name in ("a", "b", "c"):
        alone = assess.assess(stacked[name]).overall
        for measure, value in together[name].measures.items():
            assert isinstance(value, results.Estimate), measure
            if measure != "smece":
                assert value.value == pytest.approx(alone.measures[measure].value, rel=1e-6, abs=1e-9), measure
        for count in (10, 15):
            assert together[name].ece[count].value == pytest.approx(alone.ece[count].value, abs=1e-12)


def test_reference_values_against_scikit_learn():
    """Brier, log loss and AUC equal scikit-learn's to 1e-9."""
    p, y, _ = rows(3000)
    found = assess.assess(summary.summarise(p, y, grid="distinct")).overall.measures
    assert found["brier"].value == pytest.approx(metrics.brier_score_loss(y, p), abs=1e-9)
    assert found["log_loss"].value == pytest.approx(metrics.log_loss(y, p), abs=1e-9)
    assert found["auc"].value == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-9)


def test_same_seed_same_document():
    """Resampled intervals are reproducible."""
    one, other, third = (assess.assess(*by_group(2000), seed=seed).to_dict() for seed in (1, 1, 2))
    assert one == other
    assert one["overall"]["intervals"]["smece"] != third["overall"]["intervals"]["smece"]


def test_row_order_changes_nothing():
    """A permutation of the rows gives the same document up to rounding."""
    p, y, _ = rows(2000)
    order = np.random.default_rng(5).permutation(2000)
    one, other = (assess.assess(summary.summarise(p[o], y[o])).overall for o in (slice(None), order))
    for name, value in one.measures.items():
        assert value.value == pytest.approx(other.measures[name].value, rel=1e-9, abs=1e-12), name


def test_a_miscalibrated_cohort_decides_for_the_document():
    """Two cohorts off by .1 in opposite directions cancel in the whole, and are found all the same."""
    rng = np.random.default_rng(8)
    p, group = rng.uniform(0.2, 0.8, 20_000), np.arange(20_000) % 2
    y = rng.random(20_000) < p + np.where(group == 0, 0.1, -0.1)
    stacked = cohorts.Cohorts(("side",), (("left",), ("right",)), summary.summarise(p, y, groups=group, group_count=2))
    found = assess.assess(summary.summarise(p, y), stacked)
    assert found.overall.verdict.outcome == "calibrated"
    assert [one.measurement.verdict.outcome for one in found.cohorts] == ["miscalibrated"] * 2
    assert found.verdict == "miscalibrated"


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_hardly_any_rows_are_insufficient_not_an_error(n):
    """Nothing, one row or a handful: a document without numbers it cannot have, and the verdict says so."""
    document = assess.assess(summary.summarise([0.3] * n, [0] * n)).to_dict()
    assert document["verdict"] == "insufficient"
    assert document["overall"]["slope"]["value"] is None
    assert finite(document)


def test_rates_are_measured_too():
    """Labels between 0 and 1 (rates) go through the same document."""
    rng = np.random.default_rng(4)
    p = rng.random(20_000)
    found = assess.assess(summary.summarise(p, np.clip(p + rng.normal(0, 0.05, 20_000), 0, 1)))
    assert found.verdict == "calibrated"


def test_notebook_table_frame_and_json_tell_the_same():
    """The three ways out of Python agree, and hostile cohort names stay text."""
    p, y, group = rows(3000)
    keys = (("<script>alert(1)</script>",), ("b",), ("c",))
    stacked = cohorts.Cohorts(("country",), keys, summary.summarise(p, y, groups=group, group_count=3))
    found = assess.assess(summary.summarise(p, y), stacked, resamples=20)
    frame = found.to_frame()
    assert frame.num_rows == 4
    assert frame["brier"].to_pylist()[0] == json.loads(found.json())["overall"]["brier"]
    assert set(frame["country"].to_pylist()[1:]) == {key[0] for key in keys}
    page = found._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert f"{found.overall.n:,}" in page
