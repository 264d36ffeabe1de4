"""The same event twice is one event; two events under one identity are none: decided without regard to order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pyarrow import compute


def distinct(table: pa.Table, keys: Sequence[str]) -> tuple[pa.Table, int, int]:
    """Rows of unambiguous identity, once each; how many repeated rows were left out, how many conflicting ones.

    A store refuses the second body under one identity and keeps the first. A plain table does not say which came
    first, so there both are left out and counted.
    """
    coded = table.group_by(list(keys), use_threads=False).aggregate([([], "count_all")])
    if coded.num_rows == table.num_rows:
        return table, 0, 0
    often = coded.filter(compute.greater(coded["count_all"], 1)).select(list(keys))
    # nulls never join, and no key is null
    marked = often.append_column("often", pa.array(np.ones(often.num_rows, bool)))
    both = table.join(marked, list(keys), join_type="left outer", use_threads=False)
    again = compute.is_valid(both["often"])
    single = both.filter(compute.invert(again)).select(table.column_names)
    several = both.filter(again).select(table.column_names)
    bodies = several.group_by(table.column_names, use_threads=False).aggregate([([], "count_all")])
    count = bodies.group_by(list(keys), use_threads=False).aggregate([([], "count_all"), ("count_all", "sum")])
    unanimous = count.filter(compute.equal(count["count_all"], 1))
    kept = bodies.join(unanimous.select(list(keys)), list(keys), join_type="left semi", use_threads=False)
    rows = int(compute.sum(count["count_all_sum"]).as_py())
    repeats = int(compute.sum(unanimous["count_all_sum"]).as_py() or 0)
    return (
        pa.concat_tables([single, kept.select(table.column_names)]),
        repeats - unanimous.num_rows,
        rows - repeats,
    )
