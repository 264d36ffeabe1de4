"""Summaries as Arrow tables and Parquet files: one row a cell, everything else in the schema's metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from calibrant import errors
from calibrant.calibrators.scales import Scale
from calibrant.frames import atomic, files
from calibrant.stats import cohorts, summary

SCHEMA = "calibrant.summary_table/1"
META = b"calibrant"


@dataclass(frozen=True, eq=False, slots=True)
class Stored:
    """What a summary table holds; ``cohorts`` is None for the summary of one group. ``scale`` made the scores."""

    overall: summary.Summary
    cohorts: cohorts.Cohorts | None
    scale: Scale


def to_arrow(summed: summary.Summary | cohorts.Cohorts, *, scale: Scale | None = None) -> pa.Table:
    """Columns: the cohort fields (if any), ``cell``, ``n`` and the nine sums of ``stats.summary.SUMS``."""
    fields, keys, cells = (
        (summed.fields, summed.keys, summed.summary) if isinstance(summed, cohorts.Cohorts) else ((), (), summed.only())
    )
    group = pa.array(cells.group.astype(np.int32))
    columns: dict[str, Any] = {
        f"cohort:{field}": pa.DictionaryArray.from_arrays(group, pa.array([key[place] for key in keys], pa.string()))
        for place, field in enumerate(fields)
    }
    columns["cell"], columns["n"] = pa.array(cells.keys), pa.array(cells.n)
    columns |= {name: pa.array(row) for name, row in zip(summary.SUMS, cells.sums, strict=True)}
    about = {"schema": SCHEMA, "grid": cells.grid, "scale": str(scale or Scale()), "fields": list(fields)}
    return pa.table(columns).replace_schema_metadata({META: json.dumps(about, sort_keys=True).encode()})


def from_arrow(table: pa.Table) -> Stored:
    """Read what ``to_arrow`` made.

    Raises ArtifactError when the table is no summary, of a newer schema, or does not fit together.
    """
    about = _about(table)
    fields: list[str] = about["fields"]
    expected = [*(f"cohort:{field}" for field in fields), "cell", "n", *summary.SUMS]
    if table.column_names != expected:
        raise _refuse(f"its columns are {', '.join(table.column_names)}")
    cells = table["cell"].to_numpy().astype(np.int64)
    n = table["n"].to_numpy().astype(np.int64)
    sums = np.stack([table[name].to_numpy().astype(np.float64) for name in summary.SUMS])
    scale = Scale.parse(about["scale"])
    if not fields:
        whole = summary.Summary(about["grid"], cells, n, sums, np.zeros(1, np.int64))
        whole.check()
        return Stored(whole, None, scale)
    coded = [table[f"cohort:{field}"].combine_chunks().dictionary_encode() for field in fields]
    starts = _starts([column.indices.to_numpy() for column in coded], len(n))
    stacked = summary.Summary(about["grid"], cells, n, sums, starts)
    stacked.check()
    words = [column.take(pa.array(starts)).to_pylist() for column in coded]
    found = cohorts.Cohorts(tuple(fields), tuple(zip(*words, strict=True)), stacked)
    return Stored(found.pooled(), found, scale)


def _starts(codes: list[NDArray[np.int32]], rows: int) -> NDArray[np.int64]:
    """The first row of each run of equal keys."""
    differs = np.zeros(max(rows - 1, 0), bool)
    for column in codes:
        differs |= column[1:] != column[:-1]
    return np.flatnonzero(np.append(True, differs)) if rows else np.zeros(0, np.int64)


def write_parquet(summed: summary.Summary | cohorts.Cohorts, path: str | Path, *, scale: Scale | None = None) -> None:
    """Write ``to_arrow`` to a Parquet file, whole or not at all."""
    with atomic.replacing(Path(path)) as file:
        parquet.write_table(to_arrow(summed, scale=scale), file)


def read_parquet(path: str | Path) -> Stored:
    """Read a summary from a Parquet file."""
    try:
        table = parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise errors.SourceError(
            "CAL-104",
            f"{path} cannot be read as Parquet",
            cause=files.shorten(str(error)),
            fix="the file is missing, truncated or damaged: write it again",
        ) from error
    return from_arrow(table)


def _about(table: pa.Table) -> dict[str, Any]:
    try:
        about = json.loads((table.schema.metadata or {})[META])
    except (KeyError, ValueError):
        raise _refuse("its metadata do not say so") from None
    if not isinstance(about, dict) or set(about) != {"schema", "grid", "scale", "fields"} or about["schema"] != SCHEMA:
        raise _refuse(f"its metadata are {files.shorten(str(about))}")
    return about


def _refuse(cause: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        "CAL-604",
        "this table is not a summary that can be read here",
        cause=cause,
        fix="write it with calibrant.frames.summary_tables of a version not newer than this one",
    )
