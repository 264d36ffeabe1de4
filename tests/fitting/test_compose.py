"""A line after a map is one map of the same family."""

from __future__ import annotations

import numpy as np
import pytest

from calibrant import errors
from calibrant.calibrators import identity, linear, scales
from calibrant.fitting import compose, selection
from calibrant.stats import summary


def data() -> summary.Summary:
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    return summary.summarise(scales.expit(x), rng.random(4000) < scales.expit(0.6 * x + 0.02 * x * x))


@pytest.mark.parametrize("name", compose.CLOSED)
def test_equals_applying_one_after_the_other(name: str) -> None:
    """expit(intercept + slope * logit(first(p))), for every kind that is closed."""
    first = identity.Identity() if name == "identity" else selection.METHODS[name](data())
    both = compose.after(first, slope=0.7, intercept=-0.4)
    p = np.linspace(0.001, 0.999, 500)
    np.testing.assert_allclose(both.apply(p), scales.expit(-0.4 + 0.7 * scales.logit(first.apply(p))), atol=1e-12)


@pytest.mark.parametrize("name", sorted(set(selection.METHODS) - set(compose.CLOSED)))
def test_other_kinds_are_refused(name: str) -> None:
    """Centred isotonic and Venn-Abers are not closed, and say so."""
    with pytest.raises(errors.UsageError, match="CAL-463"):
        compose.after(selection.METHODS[name](data()), slope=0.7, intercept=0.0)


def test_refusal_names_the_kind() -> None:
    """The message says which map it was."""
    with pytest.raises(errors.UsageError, match="centered_isotonic"):
        compose.after(linear.CenteredIsotonic((0.1, 0.9), (0.2, 0.8)), slope=1.0, intercept=0.0)
