"""A million different cohort values: memory stays within bounds and every one of them is counted."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import resource
import numpy as np, pyarrow as pa
from datetime import timedelta
from calibrant.joining import reference
from calibrant.streams import declaration
ROWS = 1_000_000
rng = np.random.default_rng(1)
ids = pa.array([f"p{number}" for number in range(ROWS)])
texts = pa.array(['{"shop":"s%07d"}' % number for number in rng.permutation(ROWS)])
predictions = pa.table({"id": ids, "at_us": np.arange(ROWS), "score": rng.random(ROWS), "cohorts": texts})
labels = pa.table({"prediction": ids, "at_us": np.arange(ROWS), "value": rng.integers(0, 2, ROWS).astype(float)})
rule = declaration.LabelContract(timedelta(days=1))
found = reference.pairs(predictions, labels, rule=rule, as_of_us=10**12)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
got = reference.summarise(found, as_of_us=10**12, cohorts=[declaration.CohortField("shop", 1_000)])
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(got.cohorts), got.counts.overflow["shop"], int(got.cohorts.summary.rows.sum()), (after - before) // 1024)
"""


def test_a_million_values_of_one_field() -> None:
    """1,000 are kept, the overflow is exact, and summing by cohort adds at most 200 MiB to the peak."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    cohorts, overflow, rows, megabytes = map(int, done.stdout.split())
    assert (cohorts, overflow, rows) == (1_001, 999_000, 1_000_000)
    assert megabytes <= 200
