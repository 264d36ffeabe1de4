"""The pages of a bundle: cohorts beside themselves, bins by name, evidence of another form."""

from __future__ import annotations

from typing import Any

from calibrant.charts import bundle_page


def measured(slope: float, **more: Any) -> dict[str, Any]:
    """A measurement with a slope and its interval."""
    return {
        "n": 1_200,
        "verdict": "calibrated",
        "slope": {"value": slope, "low": slope - 0.1, "high": slope + 0.1},
        "intervals": {"slope": {"low": slope - 0.1, "high": slope + 0.1, "level": 0.95}},
        **more,
    }


def test_cohorts_are_compared_with_themselves() -> None:
    """Before and after are lists in orders of their own."""
    de, fr = {"country": "DE"}, {"country": "FR"}
    document = {
        "before": {"cohorts": [measured(0.5, cohort=de), measured(0.6, cohort=fr)]},
        "after": {"cohorts": [measured(1.6, cohort=fr), measured(1.5, cohort=de)]},
    }
    rows = {row[0]: row[-1] for row in bundle_page.cohort_rows(document)}
    assert rows == {
        "country=DE": "0.5 (0.4 to 0.6, 95%) → 1.5 (1.4 to 1.6, 95%)",
        "country=FR": "0.6 (0.5 to 0.7, 95%) → 1.6 (1.5 to 1.7, 95%)",
    }


def test_numbers_before_and_after() -> None:
    """With intervals and levels; numbers by bins say so; what could not be measured is a dash, never a zero."""
    before = measured(0.5, ece={"10": 0.07, "15": 0.08}, auc=None, brier=0.2)
    document = {"before": {"overall": before}, "after": {"overall": measured(1.0, brier=0.1)}}
    rows = {row.name: (row.before, row.after) for row in bundle_page.numbers(document)}
    assert rows["ECE"] == ("0.07 (10 bins), 0.08 (15 bins)", "–")
    assert rows["AUC"] == ("–", "–")
    assert rows["Brier score"] == ("0.2", "0.1")
    assert [row.name for row in bundle_page.numbers(document, ["brier"])] == ["Brier score"]


def test_evidence_of_another_form() -> None:
    """Text, a list, nothing, another schema: a page without tables that says where to look."""
    for document in (None, [], "x", {"schema": "other/1"}):
        assert "artifact/evidence.json" in bundle_page.evidence("fraud@1", document)
