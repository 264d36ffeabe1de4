"""Each injected fault does what it says, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from calibrant import errors
from calibrant.events import batch
from calibrant.stats import cox
from calibrant.stats import summary as summaries
from calibrant.testing import drift, made_up

N = 20_000
HALF = made_up.START_US + 5 * made_up.DAY_US
LATER = drift.Where(start_us=HALF)


@pytest.fixture(scope="module")
def feed() -> drift.Feed:
    """Ten days of calibrated predictions, each labelled a day later."""
    return drift.Feed.made(N, rng=np.random.default_rng(1), days=10.0)


@pytest.fixture(scope="module")
def small() -> drift.Feed:
    """The same with few events."""
    return drift.Feed.made(1_000, rng=np.random.default_rng(1), days=10.0)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def pairs(feed: drift.Feed, *, later: bool | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels of the labelled predictions, of both halves or one."""
    joined = feed.labels.select(["prediction", "value"]).join(
        feed.predictions.select(["id", "score", "at_us"]), "prediction", "id", join_type="inner"
    )
    scores, values, at = (joined[name].to_numpy() for name in ("score", "value", "at_us"))
    mine = np.ones(len(at), bool) if later is None else (at >= HALF) == later
    return scores[mine], values[mine]


def line(feed: drift.Feed, *, later: bool | None = None) -> tuple[float, float]:
    """Slope and intercept of the calibration line."""
    scores, values = pairs(feed, later=later)
    found = cox.cox(summaries.summarise(scores, values))
    assert isinstance(found, cox.Cox)
    return found.slope.value, found.intercept.value


INJECTORS: dict[str, Callable[[drift.Feed, np.random.Generator, drift.Where], drift.Feed]] = {
    "logit": lambda feed, rng, where: drift.logit_shifted(feed, 1.0, where=where),
    "slope": lambda feed, rng, where: drift.slope_changed(feed, 2.0, where=where),
    "base rate": lambda feed, rng, where: drift.base_rate_shifted(feed, -0.7, rng=rng, where=where),
    "covariates": lambda feed, rng, where: drift.covariate_shifted(feed, 2.0, rng=rng, where=where),
    "lag": lambda feed, rng, where: drift.labels_lagging(
        feed, positive=drift.Lag(1, "exponential"), negative=drift.Lag(7), rng=rng, where=where
    ),
    "bias": lambda feed, rng, where: drift.labels_biased(feed, edges=[0.5], coverage=[0.3, 0.95], rng=rng, where=where),
    "dropped": lambda feed, rng, where: drift.labels_dropped(feed, 0.4, rng=rng, where=where),
    "renamed": lambda feed, rng, where: drift.cohorts_renamed(
        feed, "carrier", {"AA": "aa"}, rng=rng, share=0.5, where=where
    ),
    "telemetry": lambda feed, rng, where: drift.telemetry_lost(feed, 0.5, rng=rng, where=where),
}


@pytest.mark.parametrize("name", INJECTORS)
def test_the_same_seed_gives_the_same_feed_and_the_rest_of_it_stays(name: str, small: drift.Feed) -> None:
    """Events outside the window are untouched, digests are those of the events, no window is no fault."""
    found, again = (INJECTORS[name](small, rng(), LATER) for _ in range(2))
    assert found == again
    assert found != small
    nowhere = INJECTORS[name](small, rng(), drift.Where(end_us=made_up.START_US))
    assert nowhere == small
    before = made_up.rows([small.predictions.slice(0, 500)])
    assert made_up.rows([found.predictions.slice(0, 500)]) == before
    early = set(small.predictions["id"].slice(0, 500).to_pylist())
    kept, same = ([row for row in made_up.rows([one.labels]) if row["prediction"] in early] for one in (found, small))
    assert kept == same
    some = batch.PredictionBatch(found.predictions.slice(500, 50))
    assert batch.PredictionBatch.of(some.events()).table == some.table.combine_chunks()
    more = batch.LabelBatch(found.labels.slice(500, 50))
    assert batch.LabelBatch.of(more.events()).table == more.table.combine_chunks()


@pytest.mark.parametrize("name", INJECTORS)
def test_a_feed_without_events_stays_one(name: str, small: drift.Feed) -> None:
    """Nothing to harm is no error."""
    empty = drift.Feed(small.predictions.slice(0, 0), small.labels.slice(0, 0))
    assert INJECTORS[name](empty, rng(), drift.EVERYWHERE) == empty


def test_the_model_drifts(feed: drift.Feed) -> None:
    """The line that repairs it takes the shift back, or the slope; before the window nothing is to repair."""
    slope, intercept = line(drift.logit_shifted(feed, 1.0, where=LATER), later=True)
    assert (slope, intercept) == (pytest.approx(1.0, abs=0.06), pytest.approx(-1.0, abs=0.1))
    assert line(drift.logit_shifted(feed, 1.0, where=LATER), later=False) == line(feed, later=False)
    slope, intercept = line(drift.slope_changed(feed, 2.0))
    assert (slope, intercept) == (pytest.approx(0.5, abs=0.03), pytest.approx(0.0, abs=0.08))


@pytest.mark.parametrize("log_odds", [1.0, -1.0])
def test_the_base_rate_moves_at_every_score_alike(log_odds: float, feed: drift.Feed) -> None:
    """The line is parallel to the diagonal, so far above it; the scores of each class stay as they were."""
    found = drift.base_rate_shifted(feed, log_odds, rng=rng())
    slope, intercept = line(found)
    assert (slope, intercept) == (pytest.approx(1.0, abs=0.06), pytest.approx(log_odds, abs=0.1))
    for value in (0.0, 1.0):
        mine, theirs = (scores[values == value] for scores, values in (pairs(found), pairs(feed)))
        assert mine.mean() == pytest.approx(theirs.mean(), abs=0.01)


@pytest.mark.parametrize("tilt", [3.0, -3.0])
def test_other_cases_with_the_same_meaning(tilt: float, feed: drift.Feed) -> None:
    """The mean score is that of a density in proportion to exp(tilt s); the scores stay calibrated."""
    found = drift.covariate_shifted(feed, tilt, rng=rng())
    want = np.exp(tilt) / np.expm1(tilt) - 1.0 / tilt
    assert pairs(found)[0].mean() == pytest.approx(want, abs=0.01)
    assert line(found) == (pytest.approx(1.0, abs=0.08), pytest.approx(0.0, abs=0.12))


def test_labels_lag_by_class(feed: drift.Feed) -> None:
    """Positives after a day on average, exponentially; negatives after exactly seven; values and bodies stay."""
    found = drift.labels_lagging(feed, positive=drift.Lag(1, "exponential"), negative=drift.Lag(7), rng=rng())
    lag = (found.labels["at_us"].to_numpy() - feed.predictions["at_us"].to_numpy()) / made_up.DAY_US
    positive = found.labels["value"].to_numpy() == 1.0
    assert (lag[~positive] == 7.0).all()
    assert lag[positive].mean() == pytest.approx(1.0, abs=0.04)
    assert np.quantile(lag[positive], 0.5) == pytest.approx(np.log(2), abs=0.04)
    assert found.labels.drop_columns(["at_us", "digest"]) == feed.labels.drop_columns(["at_us", "digest"])


def test_orphans_and_times_of_observation_when_labels_lag() -> None:
    """An orphan has no prediction to count from; the time of observation moves with the label."""
    predictions = made_up.predictions(made_up.prediction("a"))
    labels = made_up.labels(
        made_up.label("a", observed=made_up.at(1.5)), made_up.label("b"), made_up.label("a", revision=1)
    )
    lag = drift.Lag(3)
    found = drift.labels_lagging(drift.Feed(predictions, labels), positive=lag, negative=lag, rng=rng())
    assert [row["at_us"] for row in made_up.rows([found.labels])] == [
        made_up.START_US + days * made_up.DAY_US for days in (3, 1, 3)
    ]
    assert found.labels["observed_us"].to_pylist() == [made_up.START_US + int(3.5 * made_up.DAY_US), None, None]


def test_coverage_depends_on_the_score(feed: drift.Feed) -> None:
    """30 % below a half, 95 % above; predictions all stay."""
    found = drift.labels_biased(feed, edges=[0.5], coverage=[0.3, 0.95], rng=rng())
    scores = pairs(found)[0]
    every = feed.predictions["score"].to_numpy()
    assert (scores < 0.5).sum() / (every < 0.5).sum() == pytest.approx(0.3, abs=0.02)
    assert (scores >= 0.5).sum() / (every >= 0.5).sum() == pytest.approx(0.95, abs=0.01)
    assert found.predictions == feed.predictions
    with pytest.raises(errors.UsageError, match="one coverage more"):
        drift.labels_biased(feed, edges=[0.5], coverage=[0.3], rng=rng())


def test_all_labels_of_a_prediction_are_lost_together() -> None:
    """Revisions share the fate of the first label, and an outage takes everything in its window."""
    names = [f"p{number}" for number in range(200)]
    predictions = made_up.predictions(*(made_up.prediction(name) for name in names))
    labels = made_up.labels(*(made_up.label(name, revision=revision) for name in names for revision in (0, 1)))
    found = drift.labels_dropped(drift.Feed(predictions, labels), 0.5, rng=rng())
    count = np.unique(found.labels["prediction"].to_pylist(), return_counts=True)[1]
    assert set(count.tolist()) == {2}
    assert 70 <= len(count) <= 130
    assert not drift.labels_dropped(drift.Feed(predictions, labels), rng=rng()).labels.num_rows


def carriers(table: pa.Table) -> dict[str, int]:
    names, counts = np.unique(table["cohorts"].to_pylist(), return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def test_cohorts_take_other_names(feed: drift.Feed) -> None:
    """One value splits in two halves, two values change places; scores stay."""
    before = carriers(feed.predictions)
    split = carriers(drift.cohorts_renamed(feed, "carrier", {"AA": "aa"}, rng=rng(), share=0.5).predictions)
    assert split['{"carrier":"AA"}'] + split['{"carrier":"aa"}'] == before['{"carrier":"AA"}']
    assert split['{"carrier":"aa"}'] == pytest.approx(before['{"carrier":"AA"}'] / 2, rel=0.05)
    flipped = drift.cohorts_renamed(feed, "carrier", {"AA": "UA", "UA": "AA"}, rng=rng())
    assert flipped.predictions["cohorts"][0].as_py() == '{"carrier":"UA"}'
    assert flipped.predictions["cohorts"][1] == feed.predictions["cohorts"][1]
    assert flipped.predictions["score"] == feed.predictions["score"]


def test_only_the_cohort_that_is_meant(feed: drift.Feed) -> None:
    """Two cohorts shifted against each other: each is off, the whole is not."""
    up, down = (drift.Where(cohorts=(("carrier", name),)) for name in ("AA", "DL"))
    found = drift.logit_shifted(drift.logit_shifted(feed, 0.5, where=up), -0.5, where=down)
    moved = found.predictions["score"].to_numpy() - feed.predictions["score"].to_numpy()
    assert [np.sign(moved[place::3]).tolist() for place in range(3)] == [
        [sign] * len(moved[place::3]) for place, sign in enumerate((1.0, -1.0, 0.0))
    ]
    assert abs(moved.mean()) < 0.002


def test_lost_telemetry_leaves_orphans(feed: drift.Feed) -> None:
    """An hour is dark; what was known of it later still comes."""
    hour = drift.Where(start_us=HALF, end_us=HALF + made_up.DAY_US // 24)
    found = drift.telemetry_lost(feed, rng=rng(), where=hour)
    at = found.predictions["at_us"].to_numpy()
    assert not ((at >= HALF) & (at < HALF + made_up.DAY_US // 24)).any()
    assert found.predictions.num_rows == N - int(hour.holds(feed.predictions).sum()) < N
    assert found.labels == feed.labels
