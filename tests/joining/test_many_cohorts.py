"""A million different cohort values: memory stays within bounds and every one of them is counted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.joining import caps, reference

CODE = """
from pathlib import Path
import numpy as np, pyarrow as pa
from calibrant.joining import joined, reference
from calibrant.streams import declaration

ROWS = 1_000_000
rng = np.random.default_rng(1)
texts = pa.chunked_array([pa.array(['{"shop":"s%07d"}' % number for number in rng.permutation(ROWS)])])
table = pa.table({"model": pa.repeat("m", ROWS), "cohorts": texts})
ones = np.ones(ROWS)
found = reference.Pairs(
    table, np.zeros(ROWS, np.int64), rng.random(ROWS), rng.integers(0, 2, ROWS).astype(float), ones, ones,
    joined.JoinCounts(),
)

def megabytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) // 1024

warm = reference.summarise(
    reference.Pairs(table.slice(0, 9), *(each[:9] for each in (found.state, found.scores, found.value, ones, ones)),
    found.counts), as_of_us=0, cohorts=[declaration.CohortField("shop", 5)],
)
Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
before = megabytes("VmRSS")
got = reference.summarise(found, as_of_us=0, cohorts=[declaration.CohortField("shop", 1_000)])
print(len(got.cohorts), got.counts.overflow["shop"], int(got.cohorts.summary.rows.sum()), megabytes("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read from Linux")
def test_a_million_values_of_one_field() -> None:
    """1,000 are kept, the overflow is exact, and summing by cohort adds at most 200 MiB to the peak."""
    # the pool that gives memory back at once: others keep some of it for a while, which is not the join's
    env = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=env)
    cohorts, overflow, rows, megabytes = map(int, done.stdout.split())
    assert (cohorts, overflow, rows) == (1_001, 999_000, 1_000_000)
    assert 10 <= megabytes <= 200


@given(
    counts=st.dictionaries(st.sampled_from([*"abcdefgh", caps.OTHER]), st.integers(1, 4), min_size=1),
    cap=st.integers(1, 9),
)
def test_the_quick_rule_is_the_plain_rule(counts: dict[str, int], cap: int) -> None:
    """Ties, and ``__other__`` at any place among the most frequent, change nothing."""
    values = [value for value, count in counts.items() for _ in range(count)]
    column = reference._encode(pa.chunked_array([pa.array(values)]))
    assert reference._most_frequent(column, cap) == caps.most_frequent(counts.items(), cap)
