"""Monitors: the same value however labels are cut, a plain loop as reference, and the theorems by simulation."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibrant import errors
from calibrant.calibrators import scales
from calibrant.stats.sequential import bets, line, monitor, running

Floats = NDArray[np.float64]


def sample(seed: int, rows: int, *, shift: float = 0.0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1.0, 1.5, rows)
    return p, (rng.random(rows) < scales.expit(scales.logit(p) + shift)).astype(float)


@given(seed=st.integers(0, 1_000), cuts=st.lists(st.integers(0, 400), max_size=8))
@settings(max_examples=25, deadline=None)
def test_batches_may_be_cut_anywhere(seed: int, cuts: list[int]) -> None:
    """The state after all rows is the same to the bit, with groups and weights, through JSON in between."""
    rng = np.random.default_rng(seed)
    p, y = sample(seed, 400, shift=0.5)
    w, codes = rng.uniform(0.0, 3.0, 400), rng.integers(0, 4, 400)
    begin = monitor.start(4, heaviest=3.0, half_life=100.0)
    whole = monitor.update(begin, p, y, weights=w, groups=codes)
    state, at = begin, 0
    for cut in [*sorted(cuts), 400]:
        part = slice(at, cut)
        state = monitor.update(state, p[part], y[part], weights=w[part], groups=codes[part])
        state = monitor.MonitorState.from_dict(json.loads(json.dumps(state.to_dict())))
        at = cut
    assert state.to_dict() == whole.to_dict()


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do the chunks that bound the memory."""
    p, y = sample(0, 500)
    whole = monitor.update(monitor.start(), p, y)
    monkeypatch.setattr(monitor, "CHUNK", 37)
    assert monitor.update(monitor.start(), p, y).to_dict() == whole.to_dict()


def test_a_cohort_in_a_stack_is_as_alone() -> None:
    """What other cohorts see does not touch a cohort."""
    p, y = sample(1, 600)
    codes = np.random.default_rng(1).integers(0, 3, 600)
    stacked = monitor.update(monitor.start(3), p, y, groups=codes)
    for group in range(3):
        alone = monitor.update(monitor.start(), p[codes == group], y[codes == group])
        assert alone.log_e_values[0] == stacked.log_e_values[group]
        assert alone.run_lengths[0] == stacked.run_lengths[group]


class Loop:
    """The same e-process for one cohort, row by row, from the formulas."""

    def __init__(self, tolerance: float, half_life: float) -> None:
        self.tolerance, self.kept, self.n = tolerance, 0.5 ** (running.BLOCK / half_life), 0
        self.wealth = [1.0 - self.unspent(running.BLOCK)] * bets.COUNT
        self.run = [float(running.BLOCK)] * bets.COUNT
        self.line, self.information = np.array([[0.0], [1.0]]), running.PRIOR.information(1)
        self.sums = np.zeros(5)
        self.residual, self.seen, self.shift = np.zeros((3, bets.BANDS))

    @staticmethod
    def unspent(n: float) -> float:
        return 0.5 * math.sqrt(128.0 / (128.0 + n))

    def row(self, p: float, y: float) -> None:
        x = math.log(p / (1.0 - p))
        band = sum(p >= edge for edge in bets.EDGES)
        by_line = 1.0 / (1.0 + math.exp(-float(self.line[0, 0] + self.line[1, 0] * x)))
        low, high = max(p - self.tolerance, 0.0), min(p + self.tolerance, 1.0)
        expected = [1.0 / (1.0 + math.exp(-(a + b * x))) for a, b in bets.FIXED]
        expected += [min(max(q, low / 2), (1 + high) / 2) for q in (by_line, p + self.shift[band])]
        for a, q in enumerate(expected):
            gain = 1.0
            if q > high and high < 1.0:
                gain = q / high if y else (1.0 - q) / (1.0 - high)
            elif q < low:
                gain = q / low if y else (1.0 - q) / (1.0 - low)
            self.wealth[a] *= gain
            self.run[a] *= gain
        v = by_line * (1.0 - by_line)
        self.sums += [y - by_line, (y - by_line) * x, v, v * x, v * x * x]
        self.residual[band] += y - p
        self.seen[band] += 1.0
        self.n += 1
        if self.n % running.BLOCK == 0:
            self.close()

    def close(self) -> None:
        bet = self.unspent(self.n) - self.unspent(self.n + running.BLOCK)
        self.wealth = [wealth + bet for wealth in self.wealth]
        self.run = [run + running.BLOCK for run in self.run]
        gradient, curvature = self.sums[:2, None], self.sums[2:, None]
        self.line, self.information = line.newton(
            self.line, self.information, gradient=gradient, curvature=curvature, prior=running.PRIOR, kept=self.kept
        )
        self.sums = np.zeros(5)
        self.shift = self.residual / (self.seen + running.SHRINKAGE)
        self.residual, self.seen = self.residual * self.kept, self.seen * self.kept

    def values(self) -> tuple[float, float]:
        shares = bets.SHARES[:, 0]
        left = self.unspent((self.n // running.BLOCK + 1) * running.BLOCK)
        return float(shares @ self.wealth) + left, float(shares @ self.run)


@pytest.mark.parametrize(("tolerance", "shift"), [(0.0, 0.0), (0.02, 0.0), (0.02, 0.8), (0.1, -0.8)])
def test_row_by_row_from_the_formulas(tolerance: float, shift: float) -> None:
    """e-value and Shiryaev-Roberts sum equal a plain loop, at every kind of place within a block."""
    p, y = sample(2, 300, shift=shift)
    loop, state, at = Loop(tolerance, 200.0), monitor.start(tolerance=tolerance, half_life=200.0), 0
    for stop in (1, 31, 32, 33, 64, 150, 300):
        for row in range(at, stop):
            loop.row(float(p[row]), float(y[row]))
        state = monitor.update(state, p[at:stop], y[at:stop])
        at = stop
        assert (state.e_values[0], state.run_lengths[0]) == pytest.approx(loop.values(), rel=1e-9)


def test_weights_of_one_are_no_weights() -> None:
    """Declared weight 1 equals none; weight 0 carries no evidence; only the share of the heaviest counts."""
    p, y = sample(3, 300, shift=1.0)
    plain = monitor.update(monitor.start(), p, y)
    ones = monitor.update(monitor.start(), p, y, weights=np.ones(300))
    none = monitor.update(monitor.start(heaviest=2.0), p, y, weights=np.zeros(300))
    half = monitor.update(monitor.start(heaviest=2.0), p, y)
    share = monitor.update(monitor.start(), p, y, weights=np.full(300, 0.5))
    assert ones.to_dict() == plain.to_dict()
    assert none.e_values[0] == pytest.approx(1.0)
    assert half.e_values[0] == share.e_values[0] != plain.e_values[0]


def test_finds_a_shift_and_only_where_it_is() -> None:
    """Of ten cohorts one is off: alarms and changes name it."""
    p, y = sample(4, 20_000)
    codes = np.arange(20_000) % 10
    off = codes == 3
    y[off] = np.random.default_rng(4).random(int(off.sum())) < scales.expit(scales.logit(p[off]) + 0.7)
    state = monitor.update(monitor.start(10), p, y, groups=codes)
    assert np.flatnonzero(state.alarms(0.05)).tolist() == [3]
    assert np.flatnonzero(state.changes(0.05, within=2_000)).tolist() == [3]
    assert state.p_values[3] < 1e-6
    assert state.change_p_values(within=2_000)[3] < 1e-4


def test_p_values_remember_what_e_values_forget() -> None:
    """After it is mended the e-value falls, the anytime p-value stays."""
    p, y = sample(5, 32 * 30, shift=1.0)
    state = monitor.update(monitor.start(), p, y)
    p, y = sample(6, 5_000)
    later = monitor.update(state, p, y)
    assert later.e_values[0] < state.e_values[0]
    assert later.p_values[0] <= state.p_values[0]


def test_changes_after_the_horizon() -> None:
    """Who does not restart in time is told changes by the rows there were, not by those that were planned."""
    p, y = sample(9, 3_000, shift=0.15)
    state = monitor.update(monitor.start(tolerance=0.0), p, y)
    assert state.change_p_values(within=10)[0] == state.change_p_values(within=3_000)[0]
    assert state.change_p_values(within=30_000)[0] > state.change_p_values(within=3_000)[0]


def test_restart_and_grow() -> None:
    """A restarted cohort has seen nothing, the others keep what they saw; new cohorts come behind."""
    p, y = sample(7, 500, shift=0.5)
    state = monitor.update(monitor.start(2), p, y, groups=np.arange(500) % 2)
    again = state.restart([True, False])
    assert again.rows.tolist() == [0, 250]
    assert again.log_e_values[1] == state.log_e_values[1]
    assert again.e_values[0] == pytest.approx(1.0)
    more = again.grow(5)
    assert more.rows.tolist() == [0, 250, 0, 0, 0]
    assert state.restart().to_dict() == monitor.start(2).to_dict()
    assert more.log_e_values[1] == state.log_e_values[1]


@pytest.mark.parametrize("score", [0.0, 1e-300, 1e-9, 0.5, 1.0 - 1e-16, 1.0])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_scores_at_the_ends(score: float, label: float) -> None:
    """Scores of 0 and 1, right or wrong, leave finite logarithms; wrong ones are found."""
    state = monitor.update(monitor.start(), np.full(200, score), np.full(200, label))
    assert np.isfinite(state.log_e_values).all()
    assert (state.p_values[0] < 0.001) == (abs(score - label) > 0.02)


def test_no_rows_and_no_cohorts() -> None:
    """An empty batch changes nothing; a monitor of no cohorts is legal and can grow."""
    state = monitor.start(3)
    assert monitor.update(state, [], [], groups=[]) is state
    assert monitor.start(0).grow(2).alarms(0.05).tolist() == [False, False]


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("CAL-302", {"scores": [1.5]}),
        ("CAL-302", {"scores": [float("nan")]}),
        ("CAL-302", {"labels": [2.0]}),
        ("CAL-334", {"weights": [1.5]}),
        ("CAL-334", {"weights": [-1.0]}),
        ("CAL-334", {"weights": [float("nan")]}),
        ("CAL-444", {"weights": [1.0, 1.0]}),
        ("CAL-444", {"labels": [1.0, 1.0]}),
        ("CAL-444", {"groups": None}),
        ("CAL-444", {"groups": [2]}),
        ("CAL-444", {"groups": [0.0]}),
        ("CAL-444", {"groups": [[0]]}),
    ],
)
def test_refused_rows(code: str, changes: dict[str, object]) -> None:
    """Each with its code."""
    rows: dict[str, object] = {"scores": [0.5], "labels": [1.0], "weights": [1.0], "groups": [0], **changes}
    with pytest.raises(errors.CalibrantError) as caught:
        monitor.update(monitor.start(2), **rows)  # type: ignore[arg-type]
    assert caught.value.code == code


@pytest.mark.parametrize(
    "numbers", [{"groups": -1}, {"tolerance": -0.1}, {"tolerance": 0.5}, {"heaviest": 0.0}, {"half_life": math.inf}]
)
def test_refused_numbers(numbers: dict[str, float]) -> None:
    """No monitor is made of them."""
    with pytest.raises(errors.UsageError, match="CAL-450"):
        monitor.start(**numbers)  # type: ignore[arg-type]


# -------------------------------------------------------------------------------------- theorems


@pytest.mark.theory
@pytest.mark.parametrize("tolerance", [0.0, 0.02])
def test_false_alarms_under_peeking(tolerance: float) -> None:
    """1,000 streams at the edge of the tolerance, 100 looks: at most 5 % ever alarm, where a fixed test gives 38 %."""
    rng = np.random.default_rng(5)
    streams, looks, rows = 1_000, 100, 100
    state, codes = monitor.start(streams, tolerance=tolerance), np.tile(np.arange(streams), rows)
    ever, fixed = np.zeros(streams, bool), np.zeros(streams, bool)
    errors_, variance = np.zeros(streams), np.zeros(streams)
    for _ in range(looks):
        p = rng.beta(1.0, 1.5, (rows, streams))
        edge = np.clip(p + tolerance * np.sign(np.sin(7.0 * p)), 0.0, 1.0)
        y = rng.random(p.shape) < edge
        state = monitor.update(state, p.ravel(), y.ravel(), groups=codes)
        ever |= state.e_values >= 20.0
        errors_ += (y - edge).sum(axis=0)
        variance += (edge * (1.0 - edge)).sum(axis=0)
        fixed |= np.abs(errors_) > 1.96 * np.sqrt(variance)
    assert 0.33 < fixed.mean() < 0.45
    assert ever.mean() <= 0.05
    assert (state.p_values <= 0.05).mean() <= 0.05
    assert (state.change_p_values(within=looks * rows) <= 0.05).mean() <= 0.05


@pytest.mark.theory
def test_no_alarm_among_500_healthy_cohorts() -> None:
    """Families of 500 cohorts, 198 looks each: any alarm in at most 5 % of families (here 12 of them)."""
    rng = np.random.default_rng(6)
    families, cohorts, looks, rows = 12, 500, 198, 4
    count = families * cohorts
    state, codes = monitor.start(count, tolerance=0.0), np.tile(np.arange(count), rows)
    alarmed, largest = np.zeros(families, bool), np.zeros(families)
    for _ in range(looks):
        p = rng.beta(1.0, 1.5, rows * count)
        state = monitor.update(state, p, rng.random(len(p)) < p, groups=codes)
        family = state.e_values.reshape(families, cohorts)
        largest = np.maximum(largest, family.mean(axis=1))
        alarmed |= [bool((np.sort(one)[::-1] * np.arange(1, cohorts + 1) >= cohorts / 0.05).any()) for one in family]
    # e-BH rejects nothing unless the mean e-value of the family is 20: the reason why the family-wise rate holds
    assert not alarmed[largest < 20.0].any()
    assert alarmed.sum() <= 2
    assert (state.p_values <= 0.05).mean() <= 0.05


def _cusum(p: Floats, y: Floats, shift: float) -> Floats:
    """The best detector there is for a known change: Page's CUSUM of the exact log likelihood ratio."""
    q = scales.expit(scales.logit(p) + shift)
    gain = np.where(y > 0, np.log(q / p), np.log((1.0 - q) / (1.0 - p)))
    at, path = np.zeros(p.shape[1]), np.empty(p.shape)
    for t in range(len(p)):
        at = np.maximum(at, 0.0) + gain[t]
        path[t] = at
    return path


def _sums(p: Floats, y: Floats, tolerance: float, every: int) -> Floats:
    streams = p.shape[1]
    state, path = monitor.start(streams, tolerance=tolerance), []
    for t in range(0, len(p), every):
        codes = np.tile(np.arange(streams), every)
        state = monitor.update(state, p[t : t + every].ravel(), y[t : t + every].ravel(), groups=codes)
        path.append(np.log(state.run_lengths))
    return np.repeat(np.array(path), every, axis=0)


@pytest.mark.theory
@pytest.mark.parametrize(("shape", "tolerance"), [((2.0, 2.0), 0.02), ((1.0, 9.0), 0.0)])
def test_power_next_to_the_best_detector(shape: tuple[float, float], tolerance: float) -> None:
    """A step of 0.5 in log-odds after 4,000 rows: at most 1.5 times the rows of CUSUM with the step known.

    Both have the limit that 5 % of healthy streams cross within 4,000 rows; ours is not told what changes.
    """
    rng = np.random.default_rng(11)
    streams, before, after, every = 200, 4_000, 2_400, 20
    size = (before + after, streams)
    p, healthy = rng.beta(*shape, size), rng.beta(*shape, size)[:before]
    truth = p.copy()
    truth[before:] = scales.expit(scales.logit(p[before:]) + 0.5)
    y, fine = (rng.random(size) < truth).astype(float), (rng.random(healthy.shape) < healthy).astype(float)

    def delay(null: Floats, path: Floats) -> float:
        hit = path[before:] >= np.quantile(null.max(axis=0), 0.95)
        return float(np.where(hit.any(axis=0), hit.argmax(axis=0), after).mean())

    best = delay(_cusum(healthy, fine, 0.5), _cusum(p, y, 0.5))
    ours = delay(_sums(healthy, fine, tolerance, every), _sums(p, y, tolerance, every))
    assert ours <= 1.5 * best


@pytest.mark.theory
def test_selected_labels_with_weights_are_no_alarm() -> None:
    """Half of the positives get no label: weighted by the inverse it is healthy, without weights it is off."""
    rng = np.random.default_rng(8)
    streams, rows = 400, 2_000
    p = rng.beta(1.0, 1.5, (rows, streams))
    y = rng.random(p.shape) < p
    kept = ~y | (rng.random(p.shape) < 0.5)
    codes = np.broadcast_to(np.arange(streams), p.shape)[kept]
    weights = np.where(y, 2.0, 1.0)[kept]
    weighted = monitor.update(
        monitor.start(streams, tolerance=0.0, heaviest=2.0), p[kept], y[kept], weights=weights, groups=codes
    )
    plain = monitor.update(monitor.start(streams, tolerance=0.0), p[kept], y[kept], groups=codes)
    assert (weighted.p_values <= 0.05).mean() <= 0.05
    assert (plain.p_values <= 0.05).mean() > 0.95
