"""Slices of made-up streams whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from calibrant.calibrators import scales
from calibrant.slo import members, slices
from calibrant.stats import summary as summaries

DAY = 86_400_000_000
NAMES = (members.WHOLE, (("carrier", "AA"),))


def made(days: int, rows: int, *, shift: float = 0.0, seed: int = 1) -> summaries.Summary:
    """One group a day; the truth is off by ``shift`` in logits."""
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 2, days * rows)
    truth = scales.expit(scales.logit(p) + shift)
    return summaries.summarise(p, rng.random(len(p)) < truth, groups=np.repeat(np.arange(days), rows))


def judged(stacked: summaries.Summary | None, days: int, *, least: int = 100, matured: int = 500) -> slices.Slices:
    """Slices of the whole stream, the cohort without any rows."""
    return slices.judge(
        stacked, member=[0] * days, place=range(days), names=NAMES, starts_us=np.arange(days) * DAY, width_us=DAY,
        matured=np.full(days, matured), tolerance=0.02, level=0.99, least=least,
    )  # fmt: skip


def test_a_calibrated_stream_is_good_and_one_that_is_far_off_is_bad() -> None:
    """The verdict of each slice follows the truth."""
    assert not judged(made(20, 1000), 20).bad.any()
    off = judged(made(20, 1000, shift=1.0), 20)
    assert off.bad[0].all()
    assert (off.lower[0] > 0.02).all()
    assert (off.lower[0] < off.value[0]).all()


def test_slices_with_too_few_pairs_do_not_count() -> None:
    """However bad they look; and a cohort without any row is there with nothing."""
    found = judged(made(5, 90, shift=3.0), 5)
    assert not found.counted.any()
    assert not found.bad.any()
    assert found.rows[0].tolist() == [90] * 5
    assert found.rows[1].tolist() == [0] * 5


def test_no_slice_has_pairs() -> None:
    """A stream whose labels all failed to come: predictions without a counted slice."""
    found = judged(None, 3)
    assert found.predictions.tolist() == [[500] * 3, [0] * 3]
    assert not found.counted.any()


def test_the_newest_slice_is_the_last_whose_labels_have_had_their_time() -> None:
    """On the label clock: the end of the slice lies a horizon back."""
    assert slices.newest(10 * DAY + 5, width_us=DAY, horizon_us=2 * DAY) == 8 * DAY
    assert slices.newest(10 * DAY - 1, width_us=DAY, horizon_us=2 * DAY) == 7 * DAY
    assert slices.starts(8 * DAY, width_us=DAY, period_us=3 * DAY).tolist() == [5 * DAY, 6 * DAY, 7 * DAY]


@pytest.mark.theory
def test_a_stream_at_its_tolerance_spends_a_fifth_of_its_budget_at_most() -> None:
    """Bad slices by chance alone: at most 1 % at objective 0.95, on the edge of the tolerance."""
    rng = np.random.default_rng(3)
    days, rows = 2_000, 1_000
    p = rng.uniform(0.1, 0.9, days * rows)
    edge = summaries.summarise(p, rng.random(len(p)) < p + 0.02, groups=np.repeat(np.arange(days), rows))
    share = judged(edge, days).bad[0].mean()
    assert share <= 0.01 + 3 * np.sqrt(0.01 / days)
