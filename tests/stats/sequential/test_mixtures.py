"""The gamma-exponential mixture: its integral, its boundary, and that it is a supermartingale."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from calibrant.stats.sequential import mixtures


@pytest.mark.parametrize(("s", "v"), [(0.0, 5.0), (3.0, 10.0), (20.0, 50.0), (-2.0, 4.0)])
@pytest.mark.parametrize(("bound", "rho"), [(1.0, 3.0), (2.5, 10.0)])
def test_closed_form_is_the_integral(s: float, v: float, bound: float, rho: float) -> None:
    """The mixture of exp(l s - psi(l) v) by quadrature: 1 - bound l has a gamma density, cut at 1."""
    r = rho / bound**2

    def density(t: float) -> float:
        return float(stats.gamma(r, scale=1.0 / r).pdf(t) / stats.gamma(r, scale=1.0 / r).cdf(1.0))

    def wealth(t: float) -> float:
        x = 1.0 - t
        return float(np.exp(x * s / bound - (-np.log(t) - x) * v / bound**2))

    expected, _ = integrate.quad(lambda t: wealth(t) * density(t), 0.0, 1.0)
    found = mixtures.log_wealth(s, v, bound=bound, rho=rho)
    assert float(found) == pytest.approx(np.log(expected), abs=1e-6)


def test_boundary_is_where_the_wealth_is() -> None:
    """At the boundary the wealth is 1 / alpha; it rises with the variance."""
    v = np.array([0.0, 1e-6, 1.0, 1e3, 1e6])
    for alpha in (0.2, 0.05, 1e-6):
        u = mixtures.boundary(v, alpha=alpha, bound=0.5, rho=7.0)
        np.testing.assert_allclose(mixtures.log_wealth(u, v, bound=0.5, rho=7.0), -np.log(alpha), rtol=1e-6)
        assert (np.diff(u) > 0.0).all()


def test_best_rho_is_about_best() -> None:
    """No rho in a wide range makes the boundary more than 3 % smaller there."""
    v = 400.0
    chosen = float(mixtures.boundary(v, alpha=0.05, bound=1.0, rho=mixtures.best_rho(v, alpha=0.05)))
    others = [float(mixtures.boundary(v, alpha=0.05, bound=1.0, rho=rho)) for rho in np.geomspace(1.0, 4_000.0, 40)]
    assert chosen <= 1.03 * min(others)


def test_far_from_the_bet_nothing_is_left() -> None:
    """Deviations the other way leave wealth near 0, without a warning, also at sizes where doubles end."""
    found = mixtures.log_wealth([-1e3, -1e9, 0.0], [1e4, 1e9, 1e12], bound=1.0, rho=100.0)
    assert (found < 0.0).all()
    assert not np.isnan(found).any()


@pytest.mark.parametrize("rate", [0.02, 0.5, 0.98])
def test_expected_wealth_falls(rate: float) -> None:
    """One row of a two-valued X >= -bound with mean m: E[m(s + X - m, v + X^2)] <= m(s, v)."""
    low, high = -1.0, 0.6
    mean = rate * high + (1.0 - rate) * low
    for s, v in ((0.0, 0.0), (1.0, 5.0), (-2.0, 3.0), (30.0, 100.0)):
        now = np.exp(mixtures.log_wealth(s, v, bound=1.0, rho=4.0))
        x = np.array([low, high])
        after = np.exp(mixtures.log_wealth(s + x - mean, v + x**2, bound=1.0, rho=4.0))
        assert float((1.0 - rate) * after[0] + rate * after[1]) <= float(now) * (1.0 + 1e-9)
