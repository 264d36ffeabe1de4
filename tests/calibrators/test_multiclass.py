"""Maps of class probabilities: what they compute, what they refuse, and that files hold them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import log_softmax, softmax

from calibrant import errors
from calibrant.calibrators import codec, multiclass, scales

LOGIT = scales.Scale("logit")
MAPS = (
    multiclass.MulticlassTemperature(1.7),
    multiclass.MulticlassTemperature(0.6, mixing=0.01, scale=LOGIT),
    multiclass.VectorScaling((1.1, 0.9, 1.3), (0.1, -0.3, 0.2), temperature=1.4, mixing=0.001),
    multiclass.MatrixScaling(
        ((1.0, 0.1, 0.0), (0.0, 0.8, -0.1), (0.2, 0.0, 1.2)), (0.0, 0.5, -0.5), temperature=2.0, mixing=0.01
    ),
)
logits = hnp.arrays(np.float64, (4, 3), elements=st.floats(-20, 20))


def ask(
    found: multiclass.MulticlassTemperature | multiclass.VectorScaling | multiclass.MatrixScaling, z: np.ndarray
) -> np.ndarray:
    return found.apply(z if found.scale.kind == "logit" else softmax(z, axis=1))


def test_the_formulas_against_scipy() -> None:
    """Temper, mix, multiply, softmax: written out once more with scipy's functions."""
    z = np.random.default_rng(0).normal(size=(50, 3)) * 3
    t = np.log(0.99 * softmax(z / 2.0, axis=1) + 0.01 / 3)
    matrix, biases = np.array(MAPS[3].matrix), np.array(MAPS[3].biases)
    assert np.allclose(ask(MAPS[3], z), softmax(t @ matrix.T + biases, axis=1), atol=1e-14)
    assert np.allclose(ask(MAPS[0], z), softmax(z / 1.7, axis=1), atol=1e-14)
    t = np.log(0.999 * softmax(z / 1.4, axis=1) + 0.001 / 3)
    assert np.allclose(ask(MAPS[2], z), softmax(t * MAPS[2].weights + MAPS[2].biases, axis=1), atol=1e-14)


@pytest.mark.parametrize("found", MAPS, ids=lambda found: found.kind)
@given(z=logits, shift=st.floats(-50, 50))
def test_rows_are_distributions_and_logits_have_no_origin(found, z: np.ndarray, shift: float) -> None:
    """Rows sum to 1, and a constant added to all logits of a row changes nothing."""
    p = ask(found, z)
    assert np.allclose(p.sum(axis=1), 1.0, atol=1e-12)
    assert ((p >= 0) & (p <= 1)).all()
    assert np.allclose(ask(found, z + shift), p, atol=1e-9)


@given(z=logits)
def test_probabilities_percent_and_logits_are_the_same_rows(z: np.ndarray) -> None:
    """The declared scale decides how a row is read, and nothing else."""
    p = softmax(z, axis=1)
    by_scale = [
        multiclass.MulticlassTemperature(1.3, scale=scales.Scale(kind)).apply(raw)
        for kind, raw in (("probability", p), ("percent", 100 * p), ("logit", z))
    ]
    assert np.allclose(by_scale[0], by_scale[1], atol=1e-12)
    assert np.allclose(by_scale[0], by_scale[2], atol=1e-9)


def test_temperature_one_is_the_identity_and_zeros_stay_finite() -> None:
    """Also for rows with a probability of exactly 0 or 1, up to the machine epsilon."""
    p = np.array([[0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])
    assert np.allclose(multiclass.MulticlassTemperature(1.0).apply(p), p, atol=1e-15)
    assert np.isfinite(np.log(MAPS[3].apply(p))).all()
    assert multiclass.MulticlassTemperature(1.0).apply(p[1]).shape == (3,)


def test_log_softmax_is_scipys() -> None:
    """Large logits do not overflow."""
    z = np.array([[1e4, 0.0, -1e4], [1.0, 2.0, 3.0]])
    assert np.allclose(multiclass.log_softmax(z), log_softmax(z, axis=1), atol=1e-12)


@pytest.mark.parametrize("found", MAPS, ids=lambda found: found.kind)
def test_a_file_holds_the_map(found) -> None:
    """What is read back is what was written."""
    assert codec.loads(codec.dumps(codec.Document(found))).calibrator == found


@pytest.mark.parametrize(
    "make",
    [
        lambda: multiclass.MulticlassTemperature(0.0),
        lambda: multiclass.MulticlassTemperature(1.0, mixing=1.0),
        lambda: multiclass.MulticlassTemperature(1.0, scale=scales.Scale("unbounded")),
        lambda: multiclass.VectorScaling((1.0,), (0.0, 0.0)),
        lambda: multiclass.VectorScaling((1.0, float("nan")), (0.0, 0.0)),
        lambda: multiclass.MatrixScaling(((1.0, 0.0),), (0.0, 0.0)),
        lambda: multiclass.MatrixScaling(((1.0, 0.0), (0.0,)), (0.0, 0.0)),
    ],
)
def test_an_illegal_map_cannot_exist(make) -> None:
    """Parameters that break the definition are refused at construction."""
    with pytest.raises(errors.ArtifactError, match="CAL-610"):
        make()


def test_rows_of_another_number_of_classes_are_refused() -> None:
    """A map of three classes says so when it is given two."""
    with pytest.raises(errors.ValueRangeError, match="CAL-341"):
        MAPS[2].apply([[0.5, 0.5]])
