"""Maps of measurements: the straight line and the broken line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant import errors
from calibrant.calibrators import affine, codec, piecewise


def test_a_line_keeps_the_shape() -> None:
    """Any shape in, the same shape out; Affine() changes nothing."""
    assert affine.Affine(1.8, 32.0).apply([[0.0, 100.0]]).tolist() == [[32.0, 212.0]]
    assert affine.Affine().apply(3.5) == 3.5


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=8, unique=True), st.integers(0, 10**6))
def test_a_broken_line_rises_through_its_knots(places: list[int], seed: int) -> None:
    """It meets every knot, never falls, and does not extrapolate."""
    knots = np.sort(places).astype(float)
    values = np.sort(np.random.default_rng(seed).normal(size=len(knots)))
    found = piecewise.Piecewise(tuple(knots.tolist()), tuple(values.tolist()))
    assert np.allclose(found.apply(knots), values)
    assert (np.diff(found.apply(np.linspace(-1500, 1500, 101))) >= 0).all()
    assert found.apply([-1e9, 1e9]).tolist() == [values[0], values[-1]]


@pytest.mark.parametrize("found", [affine.Affine(-0.5, 3.0), piecewise.Piecewise((0.0, 1.5), (2.0, 2.0))])
def test_a_file_holds_the_map(found) -> None:
    """What is read back is what was written."""
    assert codec.loads(codec.dumps(codec.Document(found))).calibrator == found


@pytest.mark.parametrize(
    "make",
    [
        lambda: affine.Affine(0.0, 1.0),
        lambda: affine.Affine(float("inf"), 1.0),
        lambda: piecewise.Piecewise((), ()),
        lambda: piecewise.Piecewise((0.0, 0.0), (1.0, 2.0)),
        lambda: piecewise.Piecewise((0.0, 1.0), (2.0, 1.0)),
        lambda: piecewise.Piecewise((0.0, 1.0), (2.0,)),
    ],
)
def test_an_illegal_map_cannot_exist(make) -> None:
    """Parameters that break the definition are refused at construction."""
    with pytest.raises(errors.ArtifactError, match="CAL-610"):
        make()
