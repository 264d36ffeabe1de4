"""The diagram as data: CORP by an independent library, laws of summaries, bands that cover, and refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss

from calibrant.evidence import reliability
from calibrant.stats import results, summary


def rows(n: int, seed: int = 0, *, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and labels whose log-odds are ``slope`` times those of the scores."""
    rng = np.random.default_rng(seed)
    x = rng.normal(-0.5, 1.3, n)
    return 1 / (1 + np.exp(-x)), (rng.random(n) < 1 / (1 + np.exp(-slope * x))).astype(int)


def diagram(scores, labels, *, weights=None, grid="distinct", seed=0, **options):
    """A diagram with few resamples."""
    one = summary.summarise(scores, labels, weights=weights, grid=grid)
    options = {"resamples": 40, "detail": "panel"} | options
    return reliability.reliability(one, rng=np.random.default_rng(seed), **options)


def test_the_curve_is_the_isotonic_fit():
    """At every score of the curve the rate is that of scikit-learn's isotonic regression."""
    scores, labels = rows(600)
    found = diagram(scores, labels)
    fit = IsotonicRegression().fit(scores, labels)
    assert found.curve.rate == pytest.approx(fit.predict(found.curve.score), abs=1e-12)
    assert (np.diff(found.curve.score) > 0).all()


def test_every_block_has_both_its_ends():
    """Drawn as a line the curve keeps every step: the values of the fit are all there."""
    scores, labels = rows(600)
    found = diagram(scores, labels)
    fit = IsotonicRegression().fit(scores, labels).predict(scores)
    assert set(np.round(np.unique(fit), 9)) == set(np.round(np.unique(found.curve.rate), 9))


def test_the_score_splits():
    """MCB - DSC + UNC is the Brier score, which is that of scikit-learn."""
    scores, labels = rows(500)
    box = diagram(scores, labels).box
    assert box.mcb.value - box.dsc.value + box.unc.value == pytest.approx(box.brier, abs=1e-12)
    assert box.brier == pytest.approx(brier_score_loss(labels, scores), abs=1e-12)


@given(st.permutations(range(120)), st.floats(1e-3, 1e3))
@settings(max_examples=15, deadline=None)
def test_order_and_scale_of_weights_do_not_matter(order, scale):
    """Rows in any order and weights in any unit give the same diagram."""
    scores, labels = rows(120)
    weights = np.linspace(0.5, 2.0, 120)
    first = diagram(scores, labels, weights=weights)
    order = np.array(order)
    second = diagram(scores[order], labels[order], weights=scale * weights[order])
    for name in ("score", "rate", "low", "high", "band_low", "band_high"):
        assert getattr(first.curve, name) == pytest.approx(getattr(second.curve, name), abs=1e-9)
    assert first.bins.rate == pytest.approx(second.bins.rate, abs=1e-9)
    assert first.box.slope.value == pytest.approx(second.box.slope.value, rel=1e-6)


def test_merged_parts_give_the_diagram_of_all_rows():
    """Summaries of parts, added up, give what the rows together give."""
    scores, labels = rows(3000)
    parts = summary.summarise(scores[:1000], labels[:1000]) + summary.summarise(scores[1000:], labels[1000:])
    merged = reliability.reliability(parts, rng=np.random.default_rng(0), resamples=40)
    whole = diagram(scores, labels, grid="dyadic", detail="full")
    assert merged.curve.rate == pytest.approx(whole.curve.rate, abs=1e-12)
    assert merged.histogram.positives == pytest.approx(whole.histogram.positives)
    assert merged.box.smece.value == pytest.approx(whole.box.smece.value)


def test_the_grid_is_close_to_the_rows():
    """On the dyadic grid the curve lies within a step of the exact one."""
    scores, labels = rows(5000)
    exact, coarse = diagram(scores, labels), diagram(scores, labels, grid="dyadic")
    at = np.linspace(0.05, 0.95, 50)
    curves = [np.interp(at, each.curve.score, each.curve.rate) for each in (exact, coarse)]
    assert np.abs(curves[0] - curves[1]).mean() < 5e-3


def test_equal_seeds_give_equal_documents():
    """All randomness comes from the generator that was given."""
    scores, labels = rows(300)
    first, second, third = (diagram(scores, labels, detail="full", seed=seed) for seed in (1, 1, 2))
    assert json.dumps(first.to_dict()) == json.dumps(second.to_dict())
    assert json.dumps(first.to_dict()) != json.dumps(third.to_dict())


def test_curve_stays_inside_its_interval():
    """The interval holds the curve, all limits are probabilities, and the band surrounds the diagonal."""
    scores, labels = rows(2000, slope=0.5)
    curve = diagram(scores, labels).curve
    assert (curve.low <= curve.rate).all()
    assert (curve.rate <= curve.high).all()
    for each in (curve.low, curve.high, curve.band_low, curve.band_high):
        assert ((each >= 0) & (each <= 1)).all()
    middle = (curve.score > 0.2) & (curve.score < 0.8)
    assert (curve.band_low[middle] <= curve.score[middle]).all()
    assert (curve.score[middle] <= curve.band_high[middle]).all()


def test_miscalibration_leaves_the_band():
    """Scores that are far too extreme leave the band over most of their range."""
    scores, labels = rows(5000, slope=0.3)
    assert diagram(scores, labels).curve.outside.mean() > 0.5


@pytest.mark.theory
def test_the_band_covers_a_perfect_model():
    """Of calibrated curves about one point in twenty lies outside the pointwise 95 % band."""
    shares = [
        diagram(*rows(1000, seed), grid="dyadic", resamples=100, seed=seed).curve.outside.mean() for seed in range(80)
    ]
    assert 0.02 < np.mean(shares) < 0.09


@pytest.mark.parametrize(
    ("scores", "labels", "unit"),
    [
        (np.linspace(0.1, 0.9, 20), np.arange(20) % 2, "rows"),
        (np.linspace(0.1, 0.9, 100), np.zeros(100, int), "rows of the rarer label"),
        (np.linspace(0.1, 0.9, 100), np.arange(100) < 97, "rows of the rarer label"),
        (np.full(100, 0.5), np.arange(100) % 2, "distinct scores"),
    ],
)
def test_too_little_is_refused(scores, labels, unit):
    """Few rows, one label or one score: the answer is what is missing, not a picture."""
    found = diagram(scores, labels)
    assert isinstance(found, results.Insufficient)
    assert found.unit == unit


def test_weights_count_by_their_effective_rows():
    """A hundred rows of which one weighs nearly everything are too few."""
    scores, labels = rows(100)
    weights = np.full(100, 1e-3)
    weights[0] = 1e3
    assert isinstance(diagram(scores, labels, weights=weights), results.Insufficient)


@pytest.mark.parametrize(
    ("score", "rate", "axis"),
    [
        (0.3, 0.3, "probability"),
        (0.3, 0.01, "logit"),
        (0.3, 0.995, "logit"),
        (0.001, 0.1, "logit"),
        (0.999, 0.9, "logit"),
    ],
)
def test_rare_events_get_the_log_odds_axis(score, rate, axis):
    """By base rate, or because most scores lie in the tails."""
    assert reliability.choose_axis(np.array([score]), np.ones(1), rate) == axis


def test_rare_events_get_bins_with_rows():
    """On the log-odds axis bins have equal mass, and the histogram bars equal width in log-odds."""
    rng = np.random.default_rng(5)
    scores = rng.beta(0.5, 60, 20_000)
    found = diagram(scores, rng.random(20_000) < scores)
    assert found.axis == "logit"
    assert found.bins.n.max() < 1.5 * found.bins.n.min()
    widths = np.diff(np.log(found.histogram.left / (1 - found.histogram.left)))
    assert widths == pytest.approx(reliability.STEP)


@pytest.mark.parametrize("axis", ["probability", "logit"])
@pytest.mark.parametrize("grid", ["distinct", "dyadic"])
def test_the_histogram_holds_every_row(axis, grid):
    """Positives and negatives add up to the labels, scores of 0 and 1 included."""
    scores, labels = rows(1000)
    scores[:2] = 0.0, 1.0
    bars = diagram(scores, labels, axis=axis, grid=grid).histogram
    assert bars.positives.sum() == pytest.approx(labels.sum())
    assert bars.negatives.sum() == pytest.approx((1 - labels).sum())


def test_bars_of_two_windows_stand_at_the_same_places():
    """On the linear axis the bars do not depend on the data."""
    first, second = diagram(*rows(200, 1)).histogram, diagram(*rows(900, 2)).histogram
    assert first.left.tolist() == second.left.tolist()


def test_bins_are_the_second_layer():
    """Observed rates lie in their Wilson intervals, and all rows are in some bin."""
    scores, labels = rows(1000)
    bins = diagram(scores, labels, bins=10).bins
    assert bins.n.sum() == 1000
    assert len(bins.n) <= 10
    assert ((bins.rate_low <= bins.rate) & (bins.rate <= bins.rate_high)).all()


def test_the_smooth_curve_is_optional():
    """It is there when asked for, near the truth, and never on the log-odds axis."""
    scores, labels = rows(20_000)
    assert diagram(scores, labels, grid="dyadic").smooth is None
    smooth = diagram(scores, labels, grid="dyadic", smoothed=True).smooth
    middle = (smooth.score > 0.1) & (smooth.score < 0.9)
    assert np.abs(smooth.rate - smooth.score)[middle].max() < 0.06
    assert diagram(scores, labels, grid="dyadic", smoothed=True, axis="logit").smooth is None


def test_smece_has_an_interval_in_full_detail():
    """``full`` gives the bootstrap interval, ``panel`` the value alone; the value is the same."""
    scores, labels = rows(400)
    full, panel = (diagram(scores, labels, detail=detail).box.smece for detail in ("full", "panel"))
    assert full.value == panel.value
    assert full.low is not None
    assert panel.low is None


def test_plain_data():
    """The document is JSON; the table has a row for each score, with the difference to the diagonal."""
    scores, labels = rows(300)
    caption = reliability.Caption(matured=0.95, window="May", data_cutoff="2024-06-01", artifact="sha256:00")
    found = diagram(scores, labels, smoothed=True, caption=caption)
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["schema"] == "calibrant.reliability/1"
    assert document["caption"]["window"] == "May"
    assert document["box"]["n"] == 300
    table = found.to_frame()
    assert table.num_rows == len(found.curve.score)
    assert table["difference"].to_pylist() == pytest.approx((found.curve.rate - found.curve.score).tolist())
    assert str(caption) == "window May · data until 2024-06-01 · 95.0% of labels matured · artifact sha256:00"
    assert str(reliability.Caption()) == ""
