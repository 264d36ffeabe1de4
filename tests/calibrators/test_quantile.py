"""Maps of levels and shifts of intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from calibrant import errors
from calibrant.calibrators import codec, quantile

FLAT = quantile.QuantileMap((0.0, 0.2, 0.4, 1.0), (0.0, 0.5, 0.5, 1.0))


@given(st.lists(st.integers(1, 998), min_size=1, max_size=9, unique=True), st.integers(0, 10**6))
def test_asking_turns_applying_round(places: list[int], seed: int) -> None:
    """apply(asked(level)) == level wherever the map has no jump: it has none."""
    levels = (0.0, *(np.sort(places) / 999).tolist(), 1.0)
    inner = np.sort(np.random.default_rng(seed).random(len(places)))
    found = quantile.QuantileMap(levels, (0.0, *inner.tolist(), 1.0))
    wanted = np.linspace(0.0, 1.0, 41)
    assert np.allclose(found.apply(found.asked(wanted)), wanted, atol=1e-9)


def test_where_the_map_is_flat_the_smallest_level_is_asked() -> None:
    """A true level that many forecast levels have is asked at the first of them."""
    assert FLAT.asked([0.5]).tolist() == [0.2]


def test_quantiles_of_a_forecast_that_is_too_narrow_come_out_right() -> None:
    """N(0, 1) is forecast, N(0, 4) is true: the map of levels is Phi(x/2) o Phi^-1."""
    tau = np.linspace(0.001, 0.999, 999)
    true = norm.cdf(norm.ppf(tau) / 2.0)
    found = quantile.QuantileMap((0.0, *tau.tolist(), 1.0), (0.0, *true.tolist(), 1.0))
    levels = np.linspace(0.001, 0.999, 999)
    repaired = found.apply_quantiles(norm.ppf(levels)[None, :], levels)[0]
    assert np.allclose(repaired[100:900], 2.0 * norm.ppf(levels[100:900]), atol=2e-2)
    assert repaired[-1] == pytest.approx(norm.ppf(0.999))  # what was not forecast cannot be repaired


def test_a_single_quantile_stays() -> None:
    """One level leaves nothing to interpolate."""
    assert FLAT.apply_quantiles([[3.0]], [0.5]).tolist() == [[3.0]]


def test_ends_that_would_cross_meet_in_the_middle() -> None:
    """A strongly negative shift leaves a point, never a reversed interval."""
    found = quantile.ConformalShift(-3.0, -2.0, 0.1).apply([[0.0, 4.0], [0.0, 10.0]])
    assert found.tolist() == [[2.5, 2.5], [3.0, 8.0]]


@pytest.mark.parametrize("found", [FLAT, quantile.ConformalShift(1.0, -0.5, 0.05)])
def test_a_file_holds_the_map(found) -> None:
    """What is read back is what was written."""
    assert codec.loads(codec.dumps(codec.Document(found))).calibrator == found


@pytest.mark.parametrize(
    "make",
    [
        lambda: quantile.QuantileMap((0.0, 0.5), (0.0, 0.5)),
        lambda: quantile.QuantileMap((0.0, 0.5, 0.5, 1.0), (0.0, 0.5, 0.6, 1.0)),
        lambda: quantile.QuantileMap((0.0, 0.4, 0.5, 1.0), (0.0, 0.6, 0.5, 1.0)),
        lambda: quantile.ConformalShift(float("inf"), 1.0, 0.1),
        lambda: quantile.ConformalShift(1.0, 1.0, 1.0),
    ],
)
def test_an_illegal_map_cannot_exist(make) -> None:
    """Parameters that break the definition are refused at construction."""
    with pytest.raises(errors.ArtifactError, match="CAL-610"):
        make()
