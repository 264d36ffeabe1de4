"""Online Platt scaling: follows a shift, stays in its envelope, goes home without labels, replays exactly."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from calibrant import errors
from calibrant.calibrators import identity, linear, logistic, scales
from calibrant.fitting import online, platt
from calibrant.stats import summary
from calibrant.stats.sequential import losses

Floats = NDArray[np.float64]
WIDE = online.Envelope(step=5.0, slope=5.0, intercept=10.0)


def period(rng: np.random.Generator, rows: int, *, intercept: float = 0.0, slope: float = 1.0) -> tuple[Floats, Floats]:
    x = rng.normal(-0.5, 1.5, rows)
    return scales.expit(x), (rng.random(rows) < scales.expit(intercept + slope * x)).astype(float)


def after(state: online.OnlineState, p: Floats, y: Floats, *, half_lives: float = 0.1) -> online.OnlineState:
    return online.advance(online.observe(state, p, y), half_lives=half_lives)


def test_one_long_period_is_the_fit() -> None:
    """Without forgetting, a few periods of one law come to the Platt map of all rows."""
    rng = np.random.default_rng(1)
    p, y = period(rng, 20_000, intercept=-0.4, slope=0.7)
    state = online.start(identity.Identity(), envelope=WIDE)
    for part in np.array_split(np.arange(20_000), 20):
        state = after(state, p[part], y[part], half_lives=0.0)
    best = platt.fit(summary.summarise(p, y, grid="distinct"))
    found = state.calibrator()
    assert isinstance(found, logistic.Platt)
    assert (found.slope, found.intercept) == pytest.approx((best.slope, best.intercept), abs=0.03)
    assert state.rows == 20_000


def test_labels_may_be_cut_anywhere_within_a_period() -> None:
    """Batches and JSON within a period change no bit."""
    rng = np.random.default_rng(2)
    p, y = period(rng, 500, intercept=0.5)
    begin = online.start(logistic.Platt(0.8, -0.1, scales.Scale.parse("unbounded:1.5,2.0")), calibeat=True)
    whole = after(begin, p, y)
    state = begin
    for part in np.split(np.arange(500), [0, 1, 50, 333]):
        state = online.observe(state, p[part], y[part])
        state = online.OnlineState.from_dict(json.loads(json.dumps(state.to_dict())))
    assert online.advance(state, half_lives=0.1).to_dict() == whole.to_dict()
    assert whole.calibrator().scale == begin.scale


def test_no_step_and_no_distance_beyond_the_envelope() -> None:
    """A shift of 2 with steps of 0.1 and a reach of 0.3: ten small steps, the last ones at the edge, and it is told."""
    rng = np.random.default_rng(3)
    envelope = online.Envelope(step=0.1, slope=0.2, intercept=0.3)
    state = online.start(logistic.Platt(1.0, 0.5), envelope=envelope)
    left = []
    for _ in range(10):
        before = state.line
        state = after(state, *period(rng, 500, intercept=2.5))
        assert np.abs(state.line - before).max() <= 0.1 + 1e-12
        intercept, slope = state.distance
        assert abs(intercept) <= 0.3 + 1e-12
        assert abs(slope) <= 0.2 + 1e-12
        left.append(state.left)
    assert left[:2] == [False, False]
    assert left[-1]
    assert state.distance[0] == pytest.approx(0.3)


def test_the_slope_never_turns() -> None:
    """Labels turned round for weeks: the map still rises."""
    rng = np.random.default_rng(4)
    state = online.start(identity.Identity(), envelope=WIDE)
    for _ in range(30):
        state = after(state, *period(rng, 1_000, slope=-1.0))
    found = state.calibrator()
    assert isinstance(found, logistic.Platt)
    assert 0.0 < found.slope < 0.6


def test_without_labels_it_goes_home() -> None:
    """After twenty half-lives of silence the line is its anchor again."""
    rng = np.random.default_rng(5)
    state = after(online.start(logistic.Intercept(0.2), envelope=WIDE), *period(rng, 5_000, intercept=-1.0))
    assert state.distance[0] < -0.5
    for _ in range(80):
        state = online.advance(state, half_lives=0.25)
    assert state.distance == pytest.approx((0.0, 0.0), abs=1e-3)


def test_follows_a_moving_truth() -> None:
    """The intercept swings by one through a season: less log loss than the anchor and than any fixed map."""
    rng = np.random.default_rng(6)
    state = online.start(identity.Identity(), envelope=WIDE)
    served, raw, truth, best = [], [], [], []
    for day in range(120):
        shift = math.sin(day / 10.0)
        p, y = period(rng, 400, intercept=shift)
        served.append(state.calibrator().apply(p))
        raw.append(p)
        truth.append(y)
        best.append(scales.expit(scales.logit(p) + shift))
        state = after(state, p, y, half_lives=1.0 / 3.0)
    y, q, p, ideal = (np.concatenate(columns) for columns in (truth, served, raw, best))
    gain, possible = losses.differences(y, p, q).mean(), losses.differences(y, p, ideal).mean()
    assert gain > 0.8 * possible


def test_calibeating_mends_what_no_line_can() -> None:
    """A bump in the middle: the corrected table loses less than the line, rises, and stays inside (0, 1)."""
    rng = np.random.default_rng(7)
    line = online.start(identity.Identity(), envelope=WIDE)
    table = online.start(identity.Identity(), envelope=WIDE, calibeat=True)

    def day() -> tuple[Floats, Floats]:
        p = rng.uniform(0.02, 0.98, 1_000)
        return p, (rng.random(1_000) < np.where(np.abs(p - 0.4) < 0.1, 0.25, p)).astype(float)

    for _ in range(30):
        p, y = day()
        line, table = after(line, p, y), after(table, p, y)
    p, y = (np.concatenate(columns) for columns in zip(*(day() for _ in range(20)), strict=True))
    map_ = table.calibrator()
    assert isinstance(map_, linear.CenteredIsotonic)
    assert losses.differences(y, line.calibrator().apply(p), map_.apply(p)).mean() > 0.001
    assert 0.0 < map_.values[0] < map_.values[-1] < 1.0


def test_weights_count_rows() -> None:
    """Weight 2 is the row twice."""
    rng = np.random.default_rng(8)
    p, y = period(rng, 300, intercept=1.0)
    begin = online.start(identity.Identity(), envelope=WIDE, calibeat=True)
    once = online.advance(online.observe(begin, p, y, weights=np.full(300, 2.0)), half_lives=0.1)
    twice = after(begin, np.repeat(p, 2), np.repeat(y, 2))
    np.testing.assert_allclose(once.line, twice.line)
    np.testing.assert_allclose(once.shifts, twice.shifts)


def test_refused() -> None:
    """An envelope without room, labels that are none, a state that is none."""
    with pytest.raises(errors.UsageError, match="CAL-499"):
        online.start(identity.Identity(), envelope=online.Envelope(step=0.0))
    state = online.start(identity.Identity())
    with pytest.raises(errors.ValueRangeError, match="CAL-302"):
        online.observe(state, [0.5], [2.0])
    with pytest.raises(errors.ValueRangeError, match="CAL-334"):
        online.observe(state, [0.5], [1.0], weights=[float("nan")])
    for change in ({"scale": 3}, {"step": "wide"}, {"line": "AAAA"}, {"more": 1.0}):
        with pytest.raises(errors.UsageError, match="CAL-468"):
            online.OnlineState.from_dict({**state.to_dict(), **change})
