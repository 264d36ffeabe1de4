"""Spiegelhalter's Z: the formula on rows, its level, and what it cannot see."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from calibrant.stats import results, spiegelhalter, summary


def test_formula_on_rows() -> None:
    """Equal to the row-wise formula with weights on the distinct grid, and close on the dyadic one."""
    rng = np.random.default_rng(0)
    p, w = rng.random(500), rng.uniform(0.5, 2.0, 500)
    y = rng.random(500) < p**1.2
    z = (w * (y - p) * (1 - 2 * p)).sum() / (w**2 * (1 - 2 * p) ** 2 * p * (1 - p)).sum() ** 0.5
    exact = spiegelhalter.spiegelhalter(summary.summarise(p, y, weights=w, grid="distinct"))
    rough = spiegelhalter.spiegelhalter(summary.summarise(p, y, weights=w))
    assert isinstance(exact, spiegelhalter.Spiegelhalter)
    assert isinstance(rough, spiegelhalter.Spiegelhalter)
    assert exact.z == pytest.approx(z, abs=1e-9)
    assert exact.p_value == pytest.approx(2 * norm.sf(abs(z)), rel=1e-9)
    assert rough.z == pytest.approx(z, rel=1e-3)
    scaled = spiegelhalter.spiegelhalter(summary.summarise(p, y, weights=7 * w, grid="distinct"))
    assert isinstance(scaled, spiegelhalter.Spiegelhalter)
    assert scaled.z == pytest.approx(z, abs=1e-9)


def test_level() -> None:
    """Exactly calibrated scores are rejected at 5 % in about 5 % of 1,000 samples."""
    rng = np.random.default_rng(1)
    rejected = 0
    for _ in range(1000):
        p = rng.beta(0.7, 1.5, 200)
        found = spiegelhalter.spiegelhalter(summary.summarise(p, rng.random(200) < p))
        assert isinstance(found, spiegelhalter.Spiegelhalter)
        rejected += found.p_value < 0.05
    assert 0.03 <= rejected / 1000 <= 0.07


def test_sign() -> None:
    """Overconfident scores have a worse Brier score than they promise: z > 0; timid ones z < 0."""
    p = np.repeat([0.1, 0.9], 100)
    timid = np.concatenate([np.zeros(100), np.ones(100)])
    bold = np.concatenate([np.arange(100) < 30, np.arange(100) < 70])
    for labels, sign in ((timid, -1), (bold, 1)):
        found = spiegelhalter.spiegelhalter(summary.summarise(p, labels))
        assert isinstance(found, spiegelhalter.Spiegelhalter)
        assert np.sign(found.z) == sign
        assert found.p_value < 0.001


def test_insufficient() -> None:
    """Few rows, and scores of 1/2, 0 and 1 only, say what is missing."""
    few = spiegelhalter.spiegelhalter(summary.summarise([0.3] * 9, [0] * 9))
    mute = spiegelhalter.spiegelhalter(summary.summarise([0.5, 0.0, 1.0] * 10, [0, 0, 1] * 10))
    assert few == results.Insufficient(9.0, 10, "effective rows")
    assert isinstance(mute, results.Insufficient)
