"""The recommendation: proved on rows it was not fitted on, reproducible, and silent where nothing is to be gained."""

from __future__ import annotations

import numpy as np
import pytest

from calibrant import errors
from calibrant.calibrators import by_cohort, codec
from calibrant.calibrators.scales import Scale, expit, logit
from calibrant.decisions import costs, thresholds
from calibrant.evidence import recommend
from calibrant.frames import columns
from calibrant.stats import results


def rows(n: int, truth, *, seed: int = 0, scale: str = "probability", cohorts: int = 0, times: bool = False):
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 3, n)
    group = rng.integers(0, max(cohorts, 1), n)
    raw = {"probability": p, "percent": 100 * p, "logit": logit(p)}[scale]
    source = {"s": raw, "y": (rng.random(n) < truth(p, group)).astype(int), "g": group.astype(str)}
    source["t"] = np.datetime64("2024-01-01", "s") + np.arange(n).astype("timedelta64[m]")
    return columns.read(
        source, score="s", label="y", scale=Scale(scale), cohorts=("g",) if cohorts else (), time="t" if times else None
    )


def recommended(data, **options):
    return recommend.recommend(data, resamples=20, **options)


def off(p, group):
    return expit(0.5 + 0.6 * logit(p))


def test_a_distorted_stream_is_repaired_on_rows_never_seen():
    """The map is applied, its gain is above zero with its interval, and the held-out rows end calibrated."""
    found = recommended(rows(30_000, off))
    assert found.action == "apply"
    assert isinstance(found.gain, results.Estimate)
    assert found.gain.low > 0
    assert found.before.verdict == "miscalibrated"
    assert found.after.overall.measures["ecce"].value < found.before.overall.measures["ecce"].value / 3
    assert found.before.overall.n == found.after.overall.n == found.document.provenance["rows_judged"]


def test_a_calibrated_stream_is_left_alone():
    """Identity wins where there is nothing to gain: in at most one of twenty files is a map applied."""
    applied = [recommended(rows(1500, lambda p, g: p, seed=seed)).action for seed in range(20)]
    assert applied.count("apply") <= 1


@pytest.mark.parametrize("scale", ["percent", "logit"])
def test_the_delivered_map_reads_raw_scores(scale):
    """Fitted on another scale of the same scores, the delivered map says the same."""
    plain, other = (recommended(rows(5000, off, scale=s)) for s in ("probability", scale))
    p = np.linspace(0.01, 0.99, 50)
    raw = {"percent": 100 * p, "logit": logit(p)}[scale]
    assert other.document.calibrator.scale == Scale(scale)
    np.testing.assert_allclose(other.document.calibrator.apply(raw), plain.document.calibrator.apply(p), atol=1e-6)


def test_with_times_the_latest_rows_judge():
    """No judged row is older than a fitted one."""
    data = rows(4000, off, times=True)
    provenance = recommended(data).document.provenance
    assert provenance["judged_from"] > str(data.times[0])
    assert provenance["rows_fitted"] == 2800
    assert provenance["judged_from"] == str(np.sort(data.times)[2800])


def test_same_rows_and_seed_give_the_same_file():
    """Bit for bit: the digest is the same, another seed judges other rows."""
    one, other, third = (recommended(rows(3000, off), seed=seed).document for seed in (1, 1, 2))
    assert codec.dumps(one) == codec.dumps(other)
    assert one.provenance["data_digest"] == third.provenance["data_digest"]
    assert codec.dumps(one) != codec.dumps(third)


def test_cohorts_that_differ_get_maps_of_their_own():
    """Opposite shifts by cohort: a map per cohort is proved better and repairs each of them."""
    found = recommended(rows(20_000, lambda p, g: expit(logit(p) + np.where(g == 0, -0.8, 0.8)), cohorts=2))
    assert isinstance(found.document.calibrator, by_cohort.ByCohort)
    verdicts = [one.measurement.verdict.outcome for one in found.after.cohorts]
    assert "miscalibrated" not in verdicts
    assert [one.measurement.verdict.outcome for one in found.before.cohorts] == ["miscalibrated"] * 2


def test_cohorts_that_do_not_differ_share_one_map():
    """Where cohorts are alike, one map for all is kept."""
    found = recommended(rows(8000, off, cohorts=5))
    assert not isinstance(found.document.calibrator, by_cohort.ByCohort)


def test_the_threshold_is_in_the_document_and_in_calibrated_units():
    """Prices 1 and 9 give .1 whatever the raw scores look like."""
    found = recommended(rows(10_000, off, scale="percent"), objective=costs.Costs(1, 9))
    assert found.document.threshold is not None
    assert found.document.threshold.value == 0.1
    assert isinstance(found.choice, thresholds.Choice)
    assert codec.loads(codec.dumps(found.document)) == found.document


def test_rows_of_one_time_cannot_judge():
    """If all rows have one time there is nothing later to judge on: the error says what to do."""
    source = {"s": [0.1, 0.6] * 50, "y": [0, 1] * 50, "t": ["2024-01-01"] * 100}
    data = columns.read(source, score="s", label="y", time="t")
    with pytest.raises(errors.UsageError, match="CAL-415"):
        recommended(data)


def test_shuffled_labels_gain_nothing():
    """Labels without relation to the scores: no map is applied in at least 19 of 20 seeds."""
    applied = [recommended(rows(600, lambda p, g: np.full(len(p), 0.25), seed=s)).action for s in range(20)]
    assert applied.count("apply") <= 1
