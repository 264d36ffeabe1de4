"""Rows for the commands: scores that are twice too extreme in one country and right in the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest


@pytest.fixture(scope="session")
def data() -> pl.DataFrame:
    """Three thousand rows in order of time, a column for everything."""
    rng = np.random.default_rng(7)
    n = 3_000
    truth = rng.normal(-0.5, 1.2, n)
    country = rng.choice(["DE", "FR"], n)
    start = np.datetime64("2026-01-05T00:00:00", "us")
    return pl.DataFrame(
        {
            "id": [f"{index:05}" for index in range(n)],
            "p": 1 / (1 + np.exp(-truth * np.where(country == "DE", 2.5, 1.0))),
            "y": (rng.random(n) < 1 / (1 + np.exp(-truth))).astype(int),
            "w": rng.random(n).round(3) + 0.5,
            "country": country,
            "at": start + np.arange(n) * np.timedelta64(10, "m"),
        }
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: pl.DataFrame) -> Path:
    """A working directory with the rows as CSV and Parquet."""
    monkeypatch.chdir(tmp_path)
    data.write_csv("rows.csv")
    data.write_parquet("rows.parquet")
    return tmp_path
