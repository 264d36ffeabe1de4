"""Events of a small stream with everything that goes wrong, as plain tables."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from calibrant.streams import declaration

HOUR = 3_600_000_000
START = 1_700_000_000_000_000
COUNTRIES = ["US", "DE", "CH", "FR", 'É"x\\', "__other__"]


class Feeds(NamedTuple):
    predictions: pa.Table
    labels: pa.Table


def make(rows: int, *, seed: int = 1, rates: bool = False) -> Feeds:
    """Revisions, several sources, orphans, late and early labels, repeats, conflicts, bad scores, no labels."""
    rng = np.random.default_rng(seed)
    scores = np.concatenate([[0.0, 1.0, 0.5, 1e-12], rng.beta(0.5, 1.5, rows)])[:rows]
    scores[rng.random(rows) < 0.01] = np.nan
    scores[rng.random(rows) < 0.01] = 1.5
    at = START + rng.integers(0, 72, rows) * HOUR
    countries = rng.choice(COUNTRIES, rows, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.05]).tolist()
    kinds = rng.choice(["a", "b", ""], rows).tolist()
    predictions = pa.table(
        {
            "id": [f"p{number}" for number in range(rows)],
            "at_us": at,
            "received_us": at + rng.integers(0, 3, rows) * HOUR,
            "score": scores,
            "model": rng.choice(["m1", "m2"], rows),
            "cohorts": [
                json.dumps({"country": c, "kind": k} if k else {"country": c}, separators=(",", ":"))
                for c, k in zip(countries, kinds, strict=True)
            ],
            "weight": rng.choice([0.0, 0.5, 1.0, 2.0], rows, p=[0.05, 0.15, 0.7, 0.1]),
        }
    )  # fmt: skip
    count = 2 * rows
    owner = rng.integers(0, int(rows * 1.1), count)
    given = np.where(owner < rows, at[np.minimum(owner, rows - 1)], START) + rng.integers(-1, 30, count) * HOUR
    value = rng.choice([0.0, 0.25, 1.0], count) if rates else rng.integers(0, 2, count).astype(float)
    value[rng.random(count) < 0.01] = np.nan
    value[rng.random(count) < 0.01] = 2.0
    chance = rng.choice([0.25, 0.5, 1.0, 0.0], count, p=[0.2, 0.3, 0.49, 0.01])
    labels = pa.table(
        {
            "prediction": [f"p{number}" for number in owner],
            "at_us": given,
            "received_us": given + rng.integers(0, 10, count) * HOUR,
            "value": value,
            "source": rng.choice(["", "desk", "judge", "é"], count),
            "revision": rng.integers(0, 3, count),
            "weight": rng.choice([0.0, 1.0, 1.5], count, p=[0.02, 0.9, 0.08]),
            "propensity": pa.array(chance, mask=rng.random(count) < 0.3),
        }
    )  # fmt: skip
    again = predictions.take(rng.integers(0, rows, rows // 20))
    other = predictions.take(rng.integers(0, rows, rows // 50))
    other = other.set_column(3, "score", pa.array(rng.random(other.num_rows)))
    repeated = labels.take(rng.integers(0, count, count // 10))
    return Feeds(pa.concat_tables([predictions, again, other]), pa.concat_tables([labels, repeated]))


def contract(
    conflicts: declaration.Conflicts = "last_revision", *, negative: bool = False, terminal: tuple[float, ...] = ()
) -> declaration.LabelContract:
    return declaration.LabelContract(
        horizon=timedelta(hours=24),
        implicit_negative=negative,
        terminal=terminal,
        conflicts=conflicts,
        priority=("judge", "desk") if conflicts == "labeler_priority" else (),
    )


@pytest.fixture(scope="session")
def feeds() -> Feeds:
    return make(600)


CONTRACTS = [
    contract("last_revision"),
    contract("last_revision", negative=True, terminal=(1.0,)),
    contract("labeler_priority", terminal=(0.0, 1.0)),
    contract("majority_vote", negative=True),
    contract("reject", terminal=(1.0,)),
]
COHORTS = (declaration.CohortField("country", 3), declaration.CohortField("kind", 5))
AS_OF = START + 60 * HOUR
