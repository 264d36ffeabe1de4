"""Made-up events: a few by hand, many by numpy, any by Hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from calibrant.events import batch, columns
from calibrant.events.label import Label
from calibrant.events.prediction import Prediction

#: The day on which made-up events begin.
START: Final = datetime(2026, 3, 1, tzinfo=UTC)
START_US: Final = int(START.timestamp()) * 1_000_000
DAY_US: Final = 86_400_000_000


def at(days: float) -> datetime:
    """So many days after the beginning."""
    return START + timedelta(days=days)


def prediction(name: str, *, days: float = 0.0, score: float = 0.5, **more: Any) -> Prediction:
    """One prediction."""
    return Prediction(name, at(days), score, **more)


def label(name: str, *, days: float = 1.0, value: float = 1.0, **more: Any) -> Label:
    """One label for the prediction of that name."""
    return Label(name, value, at(days), **more)


def predictions(*each: Prediction) -> pa.Table:
    """A batch, as the event log takes it."""
    return batch.PredictionBatch.of(each).table


def labels(*each: Label) -> pa.Table:
    """A batch, as the event log takes it."""
    return batch.LabelBatch.of(each).table


def many_predictions(
    n: int, *, first: int = 0, rng: np.random.Generator, days: float = 1.0, prefix: str = "p", random_ids: bool = False
) -> pa.Table:
    """Predictions ``first`` to ``first + n`` at equal steps over so many days, with cohorts and units."""
    numbers = np.arange(first, first + n)
    ids = [rng.bytes(16).hex() for _ in range(n)] if random_ids else [f"{prefix}{number:012d}" for number in numbers]
    carriers = [f'{{"carrier":"{code}"}}' for code in ("AA", "DL", "UA")]
    made = columns.Predictions(
        id=ids,
        at_us=START_US + np.linspace(0, days * DAY_US, n, endpoint=False).astype(np.int64),
        score=rng.random(n),
        model=["m1"] * n,
        served=None,
        artifact=None,
        threshold=None,
        decision=None,
        arm=None,
        unit=[f"u{number % 997}" for number in numbers],
        cohorts=[carriers[number % 3] for number in numbers],
        weight=None,
        context=None,
        trace=None,
    )
    return batch.of_predictions(made).table


def many_labels(of: pa.Table, *, rng: np.random.Generator, delay_days: float = 1.0) -> pa.Table:
    """One label for each of these predictions, right on average."""
    made = columns.Labels(
        prediction=of["id"].to_pylist(),
        at_us=of["at_us"].to_numpy() + int(delay_days * DAY_US),
        value=(rng.random(of.num_rows) < of["score"].to_numpy()).astype(np.float64),
        observed_us=None,
        source=None,
        revision=None,
        weight=None,
        propensity=None,
    )
    return batch.of_labels(made).table


# -------------------------------------------------------------------- strategies

#: Ids from a small set, so that events meet each other; some of them unpleasant.
IDS: Final = st.sampled_from(["a", "b", "c", "ä", "'; --", "../../etc/passwd", "%s", "x" * 200])
UNITS: Final = st.sampled_from([None, "u1", "u2"])
DAYS: Final = st.integers(0, 4 * 48).map(lambda half_hours: half_hours / 48)
SCORES: Final = st.sampled_from([0.0, 0.25, 0.5, 1.0])


def some_predictions() -> st.SearchStrategy[Prediction]:
    """A prediction of few possible ones, so that duplicates and conflicts are common."""
    return st.builds(
        lambda name, days, score, unit: prediction(name, days=days, score=score, unit=unit), IDS, DAYS, SCORES, UNITS
    )


def some_labels() -> st.SearchStrategy[Label]:
    """A label of few possible ones."""
    return st.builds(
        lambda name, days, value, source, revision: label(
            name, days=days, value=value, source=source, revision=revision
        ),
        IDS,
        DAYS,
        st.sampled_from([0.0, 1.0]),
        st.sampled_from(["", "s1"]),
        st.integers(0, 2),
    )


def rows(tables: Sequence[pa.Table]) -> list[dict[str, Any]]:
    """All rows of several tables."""
    return [row for table in tables for row in table.to_pylist()]
