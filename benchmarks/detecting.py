"""Detecting: how soon a step is found at equal false alarms, and 10,000 streams of 100 cohorts assessed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks import clock, data
from calibrant.calibrators import scales
from calibrant.stats.sequential import monitor

TITLE = "Detecting"

Floats = NDArray[np.float64]
#: Scores, labels, cohort codes.
Batch = tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]
#: Healthy rows, rows after the step, the step in log-odds, how many streams, and the share of false alarms.
BEFORE, AFTER, STEP, STREAMS, FALSE = 4_000, 2_000, 0.5, 200, 0.05
#: Confidence levels of ADWIN that are tried, from deaf to nervous.
DELTAS = np.geomspace(1e-6, 1.0, 25)
FLEET, COHORTS, ROWS = 10_000, 100, 200


def run(stream: data.Stream) -> Iterator[clock.Line]:
    del stream  # made here: what matters is when it changes
    yield from one_step()
    yield one_stream()
    yield fleet()


def one_step() -> Iterator[clock.Line]:
    """Rows until a step of 0.5 in log-odds is found; limits set so that 5 % of healthy streams cross them."""
    rng = np.random.default_rng(1)
    p = rng.beta(2.0, 2.0, (BEFORE + AFTER, STREAMS))
    truth = p.copy()
    truth[BEFORE:] = scales.expit(scales.logit(p[BEFORE:]) + STEP)
    healthy = rng.beta(2.0, 2.0, (BEFORE, STREAMS))
    y = (rng.random(p.shape) < truth).astype(np.float64)
    fine = (rng.random(healthy.shape) < healthy).astype(np.float64)
    found = {
        "CUSUM that knows the step": _delay(_cusum(healthy, fine), _cusum(p, y)),
        "Shiryaev-Roberts sum, tolerance 0": _delay(_sums(healthy, fine, 0.0), _sums(p, y, 0.0)),
        "Shiryaev-Roberts sum, tolerance 0.02": _delay(_sums(healthy, fine, 0.02), _sums(p, y, 0.02)),
    }
    ours = clock.once(lambda: _sums(p, y, 0.02))
    theirs, peer = None, ""
    if clock.installed("river"):
        theirs, peer = clock.once(lambda: _adwin(p[:, :20], y[:, :20], 0.002)) * STREAMS / 20, "ADWIN (river)"
        found["ADWIN on y - p"] = _adwin_delay((healthy, fine), (p, y))
    rows = ", ".join(f"{name} {delay:,.0f}" for name, delay in found.items())
    yield clock.Line(
        f"{STREAMS} streams of {BEFORE + AFTER:,} rows, looked at every 20 rows", ours, peer, theirs,
        note=f"mean rows until a step of {STEP:g} in log-odds is found, if {FALSE:.0%} of healthy streams alarm "
        f"within {BEFORE:,} rows: {rows}",
    )  # fmt: skip


def _delay(null: Floats, path: Floats) -> float:
    limit = np.quantile(null.max(axis=0), 1.0 - FALSE)
    hit = path[BEFORE:] >= limit
    return float(np.where(hit.any(axis=0), hit.argmax(axis=0), AFTER).mean())


def _cusum(p: Floats, y: Floats) -> Floats:
    q = scales.expit(scales.logit(p) + STEP)
    gain = np.where(y > 0, np.log(q / p), np.log((1.0 - q) / (1.0 - p)))
    at, path = np.zeros(p.shape[1]), np.empty(p.shape)
    for t in range(len(p)):
        at = np.maximum(at, 0.0) + gain[t]
        path[t] = at
    return path


def _sums(p: Floats, y: Floats, tolerance: float, *, every: int = 20) -> Floats:
    streams = p.shape[1]
    state, path = monitor.start(streams, tolerance=tolerance), []
    codes = np.tile(np.arange(streams), every)
    for t in range(0, len(p), every):
        state = monitor.update(state, p[t : t + every].ravel(), y[t : t + every].ravel(), groups=codes)
        path.append(np.log(state.run_lengths))
    return np.repeat(np.array(path), every, axis=0)


def _adwin(p: Floats, y: Floats, delta: float) -> NDArray[np.bool_]:
    from river import drift

    alarms = np.zeros(p.shape, bool)
    for stream in range(p.shape[1]):
        detector = drift.ADWIN(delta=delta)
        for t, away in enumerate((y[:, stream] - p[:, stream]).tolist()):
            detector.update(away)
            alarms[t, stream] = detector.drift_detected
    return alarms


def _adwin_delay(null: tuple[Floats, Floats], moved: tuple[Floats, Floats]) -> float:
    """With the most nervous level whose healthy streams alarm no more often than they may."""
    calm = [delta for delta in DELTAS if _adwin(*null, delta).any(axis=0).mean() <= FALSE]
    hit = _adwin(*moved, calm[-1])[BEFORE:]
    return float(np.where(hit.any(axis=0), hit.argmax(axis=0), AFTER).mean())


def one_stream() -> clock.Line:
    rng = np.random.default_rng(2)
    p = rng.beta(2.0, 5.0, 100_000)
    y = rng.random(len(p)) < p
    return clock.Line("100,000 labels into one monitor", clock.median(lambda: monitor.update(monitor.start(), p, y)))


def fleet() -> clock.Line:
    """Each stream: read its state, take 200 new labels, find alarms and changes, write its state."""
    rng = np.random.default_rng(3)
    batches = [(p := rng.beta(2.0, 5.0, ROWS), rng.random(ROWS) < p, rng.integers(0, COHORTS, ROWS)) for _ in range(50)]
    kept = json.dumps(_after(monitor.start(COHORTS), batches).to_dict())

    def assess(stream: int) -> str:
        p, y, codes = batches[stream % len(batches)]
        state = monitor.update(monitor.MonitorState.from_dict(json.loads(kept)), p, y, groups=codes)
        state.alarms(0.05)
        state.changes(0.05, within=1e6)
        return json.dumps(state.to_dict())

    def all_streams() -> None:
        for stream in range(FLEET):
            assess(stream)

    return clock.Line(
        f"{FLEET:,} streams x {COHORTS} cohorts: state read, {ROWS} labels, alarms, state written",
        clock.once(all_streams), goal=clock.Goal("at_most", 60.0),
        note="one process; states as JSON text in memory, "
        f"{len(kept) / 1e3:,.0f} kB each",
    )  # fmt: skip


def _after(state: monitor.MonitorState, batches: list[Batch]) -> monitor.MonitorState:
    for p, y, codes in batches:
        state = monitor.update(state, p, y, groups=codes)
    return state
