"""What a loop is compared with: small months of which the answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from calibrant.workflow import baselines

MONTH = np.repeat([201302, 201303, 201304], 4_000)


@pytest.fixture(scope="module")
def made() -> tuple[baselines.Floats, baselines.Floats]:
    """Scores and outcomes: right in February, half of what they should be in log-odds after that."""
    rng = np.random.default_rng(5)
    raw = rng.uniform(0.05, 0.95, len(MONTH))
    odds = np.log(raw / (1.0 - raw))
    truth = 1.0 / (1.0 + np.exp(-np.where(MONTH == 201302, odds, 0.5 * odds - 0.5)))
    return raw, (rng.random(len(MONTH)) < truth).astype(np.float64)


def test_maps_see_only_months_before_except_the_oracle(made: tuple[baselines.Floats, baselines.Floats]) -> None:
    raw, outcome = made
    found = baselines.answers(raw, raw, outcome, MONTH)
    changed = outcome.copy()
    changed[np.flatnonzero(MONTH == 201304)[:400]] = 1.0
    again = baselines.answers(raw, raw, changed, MONTH)
    for name in ("frozen", "governed", "first_platt", "last_isotonic"):
        assert np.array_equal(found[name], again[name])
    assert not np.array_equal(found["oracle"], again["oracle"])
    assert np.array_equal(found["last_isotonic"][MONTH == 201302], raw[MONTH == 201302])


def test_the_table_leaves_out_the_first_month_and_adds_up(made: tuple[baselines.Floats, baselines.Floats]) -> None:
    raw, outcome = made
    march, april, whole = baselines.table(baselines.answers(raw, raw, outcome, MONTH), outcome, MONTH)
    assert (march.name, april.name, whole.name) == ("201303", "201304", "all")
    assert whole.rows == march.rows + april.rows == 8_000
    assert whole.brier["frozen"] == pytest.approx((march.brier["frozen"] + april.brier["frozen"]) / 2.0)
    # February says nothing of what comes; March says what April is
    assert march.log_loss["oracle"] < march.log_loss["last_isotonic"]
    assert april.log_loss["last_isotonic"] < april.log_loss["first_platt"]
    assert april.log_loss["oracle"] < april.log_loss["frozen"] == april.log_loss["governed"]


def test_a_sure_answer_that_is_wrong_costs_a_finite_loss() -> None:
    assert np.isfinite(baselines.log_losses(np.array([0.0, 1.0]), np.array([1.0, 0.0]))).all()
