"""Plans: what is declared becomes what a rollout is started with."""

from __future__ import annotations

from datetime import timedelta

import pytest

from calibrant import errors
from calibrant.rollout import plans
from calibrant.streams import policies


def test_from_the_defaults() -> None:
    """Safe without a word: manual, four steps, a day each."""
    made = plans.of(policies.Policies())
    assert (made.mode, made.weights, made.hold_us) == ("manual", (10_000, 50_000, 250_000, 500_000), 86_400_000_000)
    assert made.control == 100_000
    assert plans.read(made.to_body()) == made


def test_what_no_data_means_is_declared_once() -> None:
    """It holds for every guard but those of labels, which cannot be skipped."""
    skipping = policies.Policies(rollout=policies.RolloutPolicy(no_data="skip", hold=timedelta(hours=2)))
    kinds = {(one.kind, one.no_data) for one in plans.of(skipping).guards}
    assert kinds == {("matured", "hold"), ("label_free", "skip")}


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": ()},
        {"weights": (50_000, 10_000)},
        {"weights": (0, 10_000)},
        {"weights": (10_000, 500_001)},
        {"guards": (plans.Guard("latency", "label_free"),)},
        {"guards": (plans.Guard("paired_loss", "matured", "skip"),)},
    ],
)
def test_what_is_no_plan(tools, changes) -> None:
    """Canaries that do not grow, none at all, more than half, or nothing that looks at labels."""
    with pytest.raises(errors.UsageError, match="CAL-954"):
        tools.plan(**changes)
