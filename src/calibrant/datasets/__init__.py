"""Real data that ship with the package, each with its provenance in the README beside it.

Card
----
Lives here: data files and their paths. Comes in: nothing. Goes out: paths. Never: downloads, synthetic data.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path


def flights() -> Path:
    """300,948 departures from New York in 2013 with the probability of a late arrival and what happened.

    Columns: prediction_id, predicted_at, score, label, labeled_at, carrier, origin, dest. See the README.

    >>> flights().name
    'flights.parquet'
    """
    # the package is installed as files, never as an archive: pip unpacks wheels
    return Path(str(importlib.resources.files(__name__) / "flights.parquet"))
