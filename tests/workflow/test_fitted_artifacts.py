"""Artifacts from streams: what a fit rests on is in its provenance, and fitting again gives the same bytes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrant import errors
from calibrant.artifacts import document
from calibrant.artifacts.provenance import Source
from calibrant.storage import embedded
from calibrant.streams import declaration
from calibrant.testing import clocks, made_up
from calibrant.workflow import fitted_artifacts, partitions


def request(clock: clocks.FakeClock, **more: Any) -> fitted_artifacts.Request:
    return fitted_artifacts.Request(
        as_of_us=clock.now_us(), by=("carrier",), aims={"cost_fp": 1.0, "cost_fn": 5.0}, resamples=50, **more
    )


def drawn_up(fitted: fitted_artifacts.Fitted, clock: clocks.FakeClock) -> document.Artifact:
    return fitted_artifacts.draw_up(
        fitted, version=1, selector={}, parent=None, sealed_at_us=clock.now_us(), expires_us=None
    )


@pytest.fixture
def artifact(filled: partitions.Store, stream: declaration.Stream, clock: clocks.FakeClock) -> document.Artifact:
    return drawn_up(fitted_artifacts.fit(filled, stream, request(clock)), clock)


def test_provenance_is_the_request(
    filled: partitions.Store, stream: declaration.Stream, clock: clocks.FakeClock, artifact: document.Artifact
) -> None:
    """Read back from the bytes it asks for the same fit, and the threshold reads this map."""
    known = document.loads(document.dumps(artifact))
    assert fitted_artifacts.request_of(known) == request(clock)
    assert known.provenance.rows == 2_000
    (threshold,) = known.thresholds
    assert threshold.reads == document.map_digest(known.calibrator)
    found = fitted_artifacts.reproduce(filled, stream, known)
    assert found.same
    assert found.difference is None
    assert found.digest == document.digest(document.dumps(artifact))


def test_the_same_from_other_arrivals(
    events: Any, stream: declaration.Stream, clock: clocks.FakeClock, artifact: document.Artifact, tmp_path: Path
) -> None:
    """In small batches, shuffled, labels first, sealed in between: the same digest."""
    rng = np.random.default_rng(11)
    with embedded.open_store(tmp_path / "other") as other:
        for table, append in ((events.labels, other.append_labels), (events.predictions, other.append_predictions)):
            shuffled = table.take(rng.permutation(table.num_rows))
            for start in range(0, table.num_rows, 450):
                append(stream.name, shuffled.slice(start, 450), received_us=clock.now_us() - 5)
            other.maintain(now_us=clock.now_us())
        assert fitted_artifacts.reproduce(other, stream, artifact).same


def test_events_that_came_later_change_nothing(
    filled: partitions.Store, stream: declaration.Stream, clock: clocks.FakeClock, artifact: document.Artifact
) -> None:
    """What was not known at the recorded moment does not count when it is fitted again."""
    more = made_up.many_predictions(300, rng=np.random.default_rng(9), days=4.0, prefix="later")
    filled.append_predictions(stream.name, more, received_us=clock.now_us() + 1)
    assert fitted_artifacts.reproduce(filled, stream, artifact).same


def test_what_differs_is_said(
    filled: partitions.Store, stream: declaration.Stream, clock: clocks.FakeClock, artifact: document.Artifact
) -> None:
    """Erased data, another declaration, other code, a map that was changed by hand: causes before effects."""
    found = fitted_artifacts.reproduce(
        filled, stream, dataclasses.replace(
            artifact, provenance=dataclasses.replace(
                artifact.provenance, code=dataclasses.replace(artifact.provenance.code, numpy="1.0")
            )
        )
    )  # fmt: skip
    assert "numpy 1.0" in (found.difference or "")
    by_hand = dataclasses.replace(artifact, calibrator=_other(artifact), thresholds=())
    assert "the maps differ" in (fitted_artifacts.reproduce(filled, stream, by_hand).difference or "")
    assert "thresholds" in (
        fitted_artifacts.reproduce(filled, stream, dataclasses.replace(artifact, thresholds=())).difference or ""
    )
    assert filled.forget_unit(stream.name, "u7") > 0
    found = fitted_artifacts.reproduce(filled, stream, artifact)
    assert not found.same
    assert "2,000 rows then, 1,99" in (found.difference or "")


def _other(artifact: document.Artifact) -> Any:
    from calibrant.calibrators.logistic import Platt

    other = Platt(0.77, 0.01)
    assert artifact.calibrator != other
    return other


def test_too_little_to_fit(
    filled: partitions.Store, stream: declaration.Stream, clock: clocks.FakeClock, store: partitions.Store
) -> None:
    """Few pairs, and an aim that nothing reaches, are said; so is an artifact that was not fitted from a stream."""
    short = request(clock, start_us=made_up.START_US, end_us=made_up.START_US + made_up.DAY_US // 20)
    with pytest.raises(errors.FitError, match="CAL-560"):
        fitted_artifacts.fit(filled, stream, short)
    hopeless = fitted_artifacts.Request(as_of_us=clock.now_us(), aims={"precision": 0.9999}, resamples=20)
    with pytest.raises(errors.FitError, match="CAL-560"):
        fitted_artifacts.fit(filled, stream, hopeless)


def test_what_was_not_fitted_here(artifact: document.Artifact) -> None:
    """An artifact from a file cannot be fitted again from a stream."""
    other = dataclasses.replace(
        artifact, provenance=dataclasses.replace(artifact.provenance, source=Source("file", "rows.csv"))
    )
    with pytest.raises(errors.FitError, match="CAL-561"):
        fitted_artifacts.request_of(other)
