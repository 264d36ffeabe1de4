"""Every picture draws without a warning, shows the numbers it was given, and says in words what it shows."""

from __future__ import annotations

import json

import numpy as np
import pytest
import vl_convert

from calibrant.charts import chart, cohorts, cost, diagram, difference, drift, forest, held_out, theme
from calibrant.stats import results


def every(case) -> dict[str, chart.Chart]:
    """One chart of each kind."""
    panels = [cohorts.Panel(name, found, 0.5 / (i + 1)) for i, (name, found) in enumerate(case.cohorts.items())]
    rows = [
        forest.Row("a", results.Estimate(0.8, 0.7, 0.9, 0.95, "wald"), 100),
        forest.Row("b", results.Insufficient(3, 20), 3),
        forest.Row("c", results.Estimate(1.1, 0.9, 1.3, 0.95, "wald"), 50),
    ]
    return {
        "diagram": diagram.draw(case.found),
        "diagram, narrow": diagram.draw(case.found, width=270, box=False, bins=False),
        "diagram, rare": diagram.draw(case.rare),
        "difference": difference.draw(case.found, tolerance=0.02),
        "cohorts": cohorts.draw(panels, case.found),
        "held out": held_out.draw(case.found, case.after),
        "cost": cost.draw(case.curve, chosen=0.25),
        "drift": drift.draw(case.found, case.after),
        "forest": forest.draw(rows, ideal=1.0, measure="Slope", overall=0.9),
    }


KINDS = (
    "diagram",
    "diagram, narrow",
    "diagram, rare",
    "difference",
    "cohorts",
    "held out",
    "cost",
    "drift",
    "forest",
)


@pytest.fixture(scope="module")
def pictures(case):
    """All charts, specified once."""
    return every(case)


@pytest.mark.parametrize("kind", KINDS)
def test_draws_without_a_warning(pictures, kind, capfd):
    """The grammar compiles the spec and has nothing to say about it."""
    spec = pictures[kind].spec
    json.dumps(spec, allow_nan=False)
    vl_convert.vegalite_to_vega(spec, vl_version=chart.GRAMMAR, show_warnings=True)
    said = capfd.readouterr()
    assert (said.out + said.err).strip() == ""
    drawn = pictures[kind].svg()
    assert "NaN" not in drawn
    assert "undefined" not in drawn


@pytest.mark.parametrize("kind", KINDS)
def test_words_and_table(pictures, kind):
    """Every picture has a description of its own and a table with rows."""
    assert pictures[kind].alt.endswith((".", "0"))
    assert len(pictures[kind].alt) > 40
    assert pictures[kind].table.num_rows > 0


def test_the_curve_is_where_the_numbers_are(case):
    """The points of the line are scores and rates of the diagram, to seven digits."""
    ruler = theme.Ruler.of(case.found)
    points = diagram.line(case.found.curve, ruler)["data"]["values"]
    assert [point["x"] for point in points] == pytest.approx(case.found.curve.score, rel=1e-6)
    assert [point["y"] for point in points] == pytest.approx(case.found.curve.rate, rel=1e-6)


def test_the_histogram_holds_all_rows(case):
    """Bars of both labels add up to the rows, negatives hanging below the line."""
    ruler = theme.Ruler.of(case.found)
    bars = diagram.histogram(case.found, ruler, width=100)["data"]["values"]
    assert sum(abs(bar["count"]) for bar in bars) == pytest.approx(case.found.box.n)
    assert all(bar["count"] <= 0 for bar in bars if bar["outcome"] == "label 0")


def test_the_box_has_every_number(case):
    """n, base rate, slope and intercept with intervals, the split of the score, smECE, ECE and its expectation."""
    told = dict(diagram.lines(case.found.box))
    assert told["rows"] == "3,200"
    assert {"base rate", "MCB − DSC + UNC", "ECE", "ECE if perfect"} <= set(told)
    for name in ("slope", "intercept", "smECE", "ECE if perfect"):
        assert "[" in told[name]


def test_missing_data_is_said_not_drawn_as_zero():
    """A number without enough data says so."""
    assert diagram.say(results.Insufficient(3, 20)) == "insufficient: 3 rows, needs 20"


def test_alt_says_whether_the_curve_leaves_the_band(case):
    """A miscalibrated set is described as outside the band, with where; a calibrated one as inside or nearly."""
    assert "leaves the 95% band" in diagram.describe(case.found)
    assert case.after.curve.outside.mean() < case.found.curve.outside.mean()


def test_cohorts_come_by_evidence(case):
    """The smallest adjusted p comes first, and those left out are counted."""
    panels = [cohorts.Panel(f"c{i}", case.after, p) for i, p in enumerate((0.5, 0.001, 0.2))]
    drawn = cohorts.draw(panels, case.found, most=2)
    assert [panel["title"]["text"] for panel in drawn.spec["concat"]] == ["c1", "c2"]
    assert drawn.spec["title"]["subtitle"][-1] == "1 more cohorts are in the table."
    assert "1 of 2 cohorts" in drawn.alt


def test_a_thin_panel_keeps_its_ends(case):
    """Fewer points, the same first and last one."""
    thin = cohorts.thin(case.found, points=10).curve
    assert len(thin.score) == 10
    assert (thin.score[0], thin.score[-1]) == (case.found.curve.score[0], case.found.curve.score[-1])


def test_the_chosen_threshold_is_marked(case):
    """The mark stands at the threshold, at the height of its cost."""
    spec = cost.draw(case.curve, chosen=0.25).spec
    mark = spec["layer"][3]["data"]["values"][0]
    assert mark["x"] == 0.25
    assert mark["y"] == pytest.approx(case.curve.at(0.25).value, rel=1e-6)


def test_shares_of_both_windows_are_whole(case):
    """Each distribution adds up to one, however many rows a window has."""
    upper = drift.draw(case.found, case.after).spec["vconcat"][0]["layer"]
    for outline in upper:
        shares = [point["y"] for point in outline["data"]["values"][:-1]]
        assert sum(shares) == pytest.approx(1.0, abs=1e-5)


def test_forest_lists_what_it_cannot_draw(case):
    """A cohort without a slope has its line in the plot and gaps in the table; equal names stay apart."""
    rows = [
        forest.Row("same name that is far too long to show", results.Estimate(0.8, 0.7, 0.9), 10),
        forest.Row("same name that is far too long to draw", results.Insufficient(1, 5), 1),
    ]
    drawn = forest.draw(rows, ideal=1.0, measure="Slope")
    names = drawn.spec["layer"][1]["encoding"]["y"]["scale"]["domain"]
    assert len(set(names)) == 2
    assert drawn.table["value"].to_pylist() == [0.8, None]


def test_difference_shows_the_whole_curve(case):
    """Whatever the intervals do at the ends, the curve itself is never cut off."""
    layer = difference.draw(case.found).spec["layer"]
    low, high = layer[0]["encoding"]["y"]["scale"]["domain"]
    assert low <= case.found.difference.rate.min()
    assert high >= case.found.difference.rate.max()
    assert np.isclose(low, -high)
