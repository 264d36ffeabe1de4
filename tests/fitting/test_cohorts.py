"""Maps by cohort: better than one map when cohorts differ, refused when they do not."""

from __future__ import annotations

import json

import numpy as np
import pytest

from calibrant import errors
from calibrant.calibrators import by_cohort, identity, logistic, scales
from calibrant.fitting import cohorts, platt
from calibrant.stats import results, summary


def draw(n: int, offsets: np.ndarray, seed: int, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, labels, cohort codes; the cohorts' log-odds are off by ``offsets``."""
    rng = np.random.default_rng(seed)
    code = rng.integers(0, len(offsets), n)
    x = rng.normal(-0.5, 1.2, n)
    return scales.expit(x), rng.random(n) < scales.expit(slope * x + offsets[code]), code


def names(count: int) -> list[tuple[str]]:
    return [(f"c{number:04d}",) for number in range(count)]


def columns(code: np.ndarray) -> list[np.ndarray]:
    return [np.array([f"c{number:04d}" for number in code])]


def log_loss(q: np.ndarray, y: np.ndarray) -> float:
    return float(-np.mean(np.where(y, np.log(q), np.log1p(-q))))


OFFSETS = np.random.default_rng(0).normal(0, 0.5, 30)


def test_shrunk_beats_pooled_and_unpooled_on_fresh_rows() -> None:
    """The order of statistics.md: shrunk, then one map for all, with unpooled no better than shrunk."""
    p, y, code = draw(3000, OFFSETS, 1)
    fresh, labels, place = draw(100_000, OFFSETS, 2)
    pooled = platt.fit(summary.summarise(p, y, grid="distinct"))
    stack = summary.summarise(p, y, groups=code, group_count=30, grid="distinct")
    shrunk = cohorts.fit(stack, names(30), ["c"], pooled=pooled).apply(fresh, columns(place))
    alone = np.empty(len(fresh))
    for number, part in enumerate(stack.groups()):
        alone[place == number] = platt.fit(part).apply(fresh[place == number])
    losses = [log_loss(q, labels) for q in (shrunk, alone, pooled.apply(fresh))]
    assert losses[0] < losses[1]
    assert losses[0] < losses[2]


def test_unseen_cohorts_get_the_population_mean() -> None:
    """Between the extremes, near the truth's centre; tiny cohorts lie close to it."""
    p, y, code = draw(5000, np.array([-1.0, -0.5, 0.0, 0.5, 1.0]), 3)
    p, y, code = np.append(p, [0.5, 0.6]), np.append(y, [True, True]), np.append(code, [5, 5])
    stack = summary.summarise(p, y, groups=code, group_count=6, grid="distinct")
    maps = cohorts.fit(stack, names(6), ["c"], pooled=identity.Identity())
    unseen, tiny, extreme = (float(maps.apply([0.5], [[name]])[0]) for name in ("elsewhere", "c0005", "c0004"))
    assert unseen == pytest.approx(0.5, abs=0.06)
    assert abs(tiny - unseen) < abs(extreme - unseen) / 2


def test_a_cohort_that_ranks_the_wrong_way_round_gets_the_mean() -> None:
    """No falling map, no error: the population's line."""
    p, y, code = draw(6000, np.zeros(12), 4)
    rng = np.random.default_rng(5)
    wrong = code == 3
    y[wrong] = rng.random(wrong.sum()) < 1 - p[wrong]
    stack = summary.summarise(p, y, groups=code, group_count=12, grid="distinct")
    maps = cohorts.fit(stack, names(12), ["c"], pooled=identity.Identity())
    assert all(isinstance(map_, logistic.Platt) and map_.slope > 0 for _, map_ in maps.maps)


def test_weights_and_order_of_rows_change_nothing() -> None:
    """w -> c w, permuted rows."""
    p, y, code = draw(2000, OFFSETS[:5], 6)
    w = np.random.default_rng(7).gamma(2.0, size=2000)
    order = np.random.default_rng(8).permutation(2000)
    one, other = (
        cohorts.fit(
            summary.summarise(p[o], y[o], weights=c * w[o], groups=code[o], grid="distinct"),
            names(5),
            ["c"],
            pooled=identity.Identity(),
        )
        for c, o in ((1.0, np.arange(2000)), (1e3, order))
    )
    at = np.full(5, 0.3)
    cohort = columns(np.arange(5))
    np.testing.assert_allclose(one.apply(at, cohort), other.apply(at, cohort), rtol=5e-4)  # where EM stops


def test_scale_reaches_every_map() -> None:
    """Raw logits in, as declared."""
    p, y, code = draw(2000, OFFSETS[:3], 9)
    stack = summary.summarise(p, y, groups=code, grid="distinct")
    pooled = platt.fit(summary.summarise(p, y, grid="distinct"), scale=scales.Scale("logit"))
    maps = cohorts.fit(stack, names(3), ["c"], pooled=pooled, scale=scales.Scale("logit"))
    plain = cohorts.fit(stack, names(3), ["c"], pooled=pooled)
    cohort = columns(code)
    np.testing.assert_allclose(maps.apply(scales.logit(p), cohort), plain.apply(p, cohort), atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_worthwhile_when_cohorts_differ(weighted: bool) -> None:
    """The proof finds it, states an interval, and the map is a ByCohort with that gain on fresh rows."""
    p, y, code = draw(8000, OFFSETS, 10)
    w = np.random.default_rng(0).uniform(0.5, 1.5, 8000) if weighted else None
    found = cohorts.select_cohorts(p, y, code, keys=names(30), fields=["c"], weights=w)
    assert found.worthwhile
    assert isinstance(found.calibrator, by_cohort.ByCohort)
    assert isinstance(found.gain, results.Estimate)
    assert found.gain.low is not None
    assert found.gain.high is not None
    fresh, labels, place = draw(200_000, OFFSETS, 11)
    gain = log_loss(found.pooled.calibrator.apply(fresh), labels) - log_loss(
        found.calibrator.apply(fresh, columns(place)), labels
    )
    assert found.gain.low - 0.003 < gain < found.gain.high + 0.003
    json.dumps(found.to_dict(), allow_nan=False)


def false_claims(seeds: int, permute: bool) -> int:
    claimed = 0
    for seed in range(seeds):
        p, y, code = draw(2000, OFFSETS[:10] if permute else np.zeros(10), [seed, 12])  # type: ignore[arg-type]
        if permute:
            code = np.random.default_rng(seed).permutation(code)
        found = cohorts.select_cohorts(p, y, code, keys=names(10), fields=["c"], seed=seed)
        claimed += found.worthwhile
    return claimed


@pytest.mark.parametrize("permute", [False, True])
def test_no_claim_without_a_difference(permute: bool) -> None:
    """Equal cohorts, or cohort names shuffled: hardly ever worthwhile (15 seeds)."""
    assert false_claims(15, permute) <= 2


@pytest.mark.theory
@pytest.mark.parametrize("permute", [False, True])
def test_no_claim_without_a_difference_at_full_size(permute: bool) -> None:
    """The same in at most 5 % of 100 seeds."""
    assert false_claims(100, permute) <= 5


def test_shuffled_labels_show_no_gain() -> None:
    """Scores that do not rank: no pooled map, no cohort maps."""
    p, y, code = draw(3000, OFFSETS, 13)
    y = np.random.default_rng(14).permutation(y)
    found = cohorts.select_cohorts(p, y, code, keys=names(30), fields=["c"])
    assert not found.worthwhile
    assert isinstance(found.gain, results.Insufficient)


def test_one_cohort_is_no_comparison() -> None:
    """A single cohort gets the pooled map."""
    p, y, code = draw(3000, np.array([0.5]), 15)
    found = cohorts.select_cohorts(p, y, code, keys=names(1), fields=["c"])
    assert not found.worthwhile
    assert isinstance(found.gain, results.Insufficient)
    assert found.calibrator == found.pooled.calibrator


def test_groups_and_times() -> None:
    """Both schemes reach a verdict; in time only later rows judge."""
    p, y, code = draw(6000, OFFSETS, 16)
    unit = np.arange(6000) // 5
    by_group = cohorts.select_cohorts(p, y, code, keys=names(30), fields=["c"], groups=unit)
    in_time = cohorts.select_cohorts(p, y, code, keys=names(30), fields=["c"], times=np.arange(6000), groups=unit)
    assert by_group.pooled.scheme == "groups"
    assert in_time.pooled.scheme == "time"
    assert by_group.worthwhile
    assert in_time.worthwhile


def test_pooled_maps_that_cannot_be_followed() -> None:
    """Asked for Venn-Abers alone, the pooled choice is the identity; given to ``fit``, it is wrong use."""
    p, y, code = draw(6000, OFFSETS[:4], 17, slope=0.5)
    found = cohorts.select_cohorts(p, y, code, keys=names(4), fields=["c"], methods=["venn_abers"])
    assert found.pooled.method == "identity"
    from calibrant.fitting import venn_abers

    pooled = venn_abers.fit(summary.summarise(p, y))
    with pytest.raises(errors.UsageError, match="CAL-463"):
        cohorts.fit(summary.summarise(p, y, groups=code), names(4), ["c"], pooled=pooled)
