"""Positives known in a day, negatives after a week: a calibrated score stays calibrated on every one of thirty days."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa

from calibrant.joining import contract, reference
from calibrant.stats import summary
from calibrant.streams import declaration

DAY = 86_400_000_000
RULE = declaration.LabelContract(timedelta(days=8), terminal=(1.0,))


def z(found: summary.Summary) -> float:
    """How far the label sum is from what the scores say, in standard deviations."""
    return float((found.total("wy") - found.total("wp")).item() / np.sqrt(found.total("wwv").item()))


def test_no_day_raises_a_false_finding() -> None:
    """Looked at up to as_of less the horizon, 30 daily answers are quiet; young days would show positives alone."""
    rng = np.random.default_rng(9)
    rows = 40_000
    at = np.sort(rng.integers(0, 45 * DAY, rows))
    scores = rng.beta(1.0, 9.0, rows)
    value = (rng.random(rows) < scores).astype(float)
    lag = np.where(value == 1.0, np.minimum(rng.exponential(DAY, rows), 7.9 * DAY), 7.0 * DAY).astype(np.int64)
    names = [f"p{number}" for number in range(rows)]
    predictions = pa.table({"id": names, "at_us": at, "score": scores})
    labels = pa.table({"prediction": names, "at_us": at + lag, "value": value})
    quiet, misled = [], []
    for day in range(15, 45):
        now = day * DAY
        for answers, end in ((quiet, now - contract.horizon_us(RULE)), (misled, now)):
            found = reference.join(predictions, labels, rule=RULE, as_of_us=now, end_us=end)
            answers.append(z(found.cohorts.pooled()))
    assert max(map(abs, quiet)) < 3.5
    assert min(misled) > 5.0
