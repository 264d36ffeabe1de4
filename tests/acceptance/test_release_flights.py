"""A release on the flights data, through the command line: drafted per carrier, promoted, fitted again byte by byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from calibrant import datasets
from calibrant.events import wire_arrow
from calibrant.storage import embedded
from calibrant.streams import yaml_file

DECLARATION = """\
apiVersion: calibrant/v1
kind: Stream
metadata: {name: flights}
spec:
  labels: {horizon: 2d}
  cohorts: [{field: carrier, cap: 20}]
  unit: airport
"""


@pytest.fixture(params=[3, pytest.param(59, marks=pytest.mark.theory)], ids="{} days".format)
def flights(request: pytest.FixtureRequest) -> pa.Table:
    """Flights of the first days from February 2013 on."""
    table = parquet.read_table(datasets.flights())
    end = int((datetime(2013, 2, 1, tzinfo=UTC) + timedelta(days=request.param)).timestamp() * 1e6)
    return table.filter(pa.array(table["predicted_at"].cast(pa.int64()).to_numpy() < end))


def ingest(store: Any, table: pa.Table, *, at_us: int, rng: np.random.Generator | None = None) -> None:
    """Both feeds, in order or shuffled and in pieces."""
    stream, zone = yaml_file.load(Path("calibrant.d/streams/flights.yaml")), pa.timestamp("us", "UTC")
    made = pa.table(
        {
            "id": table["prediction_id"], "at": table["predicted_at"].cast(zone), "score": table["score"],
            "cohorts.carrier": table["carrier"], "unit": table["dest"],
        }
    )  # fmt: skip
    known = pa.table(
        {
            "prediction": table["prediction_id"], "value": table["label"].cast(pa.float64()),
            "at": table["labeled_at"].cast(zone),
        }
    )  # fmt: skip
    names = {name: name for name in made.column_names}
    feeds = [
        (wire_arrow.read_predictions(made, stream=stream, columns=names), store.append_predictions),
        (wire_arrow.read_labels(known, stream=stream), store.append_labels),
    ]
    for parts, append in feeds if rng is None else reversed(feeds):
        whole = pa.concat_tables([part.batch.table for part in parts])
        if rng is not None:
            whole = whole.take(rng.permutation(whole.num_rows))
        step = whole.num_rows if rng is None else 2_000
        for start in range(0, whole.num_rows, step):
            append("flights", whole.slice(start, step), received_us=at_us)


def test_a_release(office: Any, flights: pa.Table) -> None:
    """Draft, seal, sign, approve, promote; the same digest from a sealed store and another one; then an erasure."""
    streams = Path("calibrant.d/streams")
    streams.mkdir()
    (streams / "flights.yaml").write_text(DECLARATION)
    with embedded.open_store(Path("calibrant.d/store")) as store:
        ingest(store, flights, at_us=office.now)
    received = office.now
    office.clock.us += 1

    drafted = office.run(
        "artifact", "draft", "flights", "--by", "carrier", "--cost-fp", "1", "--cost-fn", "4", "--json"
    )
    assert drafted.code == 0, drafted
    assert (drafted.json["name"], drafted.json["state"], drafted.json["drafted_by"]) == ("flights@1", "draft", "alice")
    assert office.run("artifact", "seal", "flights@1").code == 0
    assert office.run("artifact", "sign", "flights@1", by="otto").code == 0
    digest = office.status("flights@1").digest
    shown = office.run("artifact", "show", "flights@1").out
    assert f"{flights.num_rows:,} pairs of flights" in shown
    assert "threshold  default: 0.2 (costs fp=1 fn=4 action=0)" in shown

    request = office.run("approval", "request", "flights@1", "production", "--json").json["name"]
    assert office.run("approval", "approve", request, "--digest", digest, by="bob").code == 0
    promoted = office.run("binding", "promote", "flights@1", "production", "--request", request, by="otto")
    assert promoted.out == f"flights/production (revision 1): champion flights@1 ({digest[7:19]})\n"

    def reproduced() -> None:
        ran = office.run("artifact", "reproduce", "flights@1", "--json")
        assert ran.code == 0, ran
        assert (ran.json["same"], ran.json["digest"], ran.json["again"]) == (True, digest, digest)

    reproduced()
    with embedded.open_store(Path("calibrant.d/store")) as store:
        store.maintain(now_us=office.now)
    reproduced()
    Path("calibrant.d/store").rename("first")
    with embedded.open_store(Path("calibrant.d/store")) as store:
        ingest(store, flights, at_us=received, rng=np.random.default_rng(3))
    reproduced()

    with embedded.open_store(Path("calibrant.d/store")) as store:
        erased = store.forget_unit("flights", "ATL")
    assert erased > 0
    told = office.run("artifact", "reproduce", "flights@1")
    assert told.code == 1
    assert f"not the same: the data differ: {flights.num_rows:,} rows then, " in told.out
    # what serves goes on serving: erasing data undoes no decision, and the record of it stays sound
    assert office.run("artifact", "verify", "flights@1").code == 0
    assert office.run("audit", "verify").code == 0
