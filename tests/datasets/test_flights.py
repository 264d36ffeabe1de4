"""The shipped data are what their README says."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pyarrow import parquet

from calibrant import datasets


def test_digest_and_columns() -> None:
    """The file has the digest, the rows and the columns that the README states."""
    path = datasets.flights()
    readme = (path.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(path.read_bytes()).hexdigest() in readme
    file = parquet.ParquetFile(path)
    assert file.metadata.num_rows == 300_948
    assert all(name in readme for name in file.schema_arrow.names)
    assert path.parent == Path(datasets.__file__).parent
