"""Data frames through a calibrator: the values of ``apply``, in the kind of frame that came in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from calibrant import errors
from calibrant.calibrators import affine, by_cohort, logistic, multiclass
from calibrant.calibrators.scales import Scale
from calibrant.frames import transform

DATA = {"p": [20.0, 80.0, 50.0], "country": ["DE", "FR", None]}
MAPS = by_cohort.ByCohort(
    ("country",),
    logistic.Platt(1.0, 0.0, Scale("percent")),
    ((("DE",), logistic.Platt(2.0, 0.0, Scale("percent"))),),
)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pl.LazyFrame])
def test_maps_by_cohort_read_their_columns(kind: Any) -> None:
    """Known cohorts get their map, unknown and missing ones the pooled map; the declared scale is the map's."""
    out = transform.transform(MAPS, kind(DATA), score="p")
    assert type(out) is kind
    values = (out.collect() if isinstance(out, pl.LazyFrame) else out)["calibrated"].to_list()
    np.testing.assert_allclose(values, [1 / 17, 0.8, 0.5], atol=1e-12)


def test_scores_off_the_scale_of_the_map() -> None:
    """A map of percent refuses what is no percent; on request such rows stay, without a value."""
    frame = pl.DataFrame({"p": [20.0, 800.0], "country": ["FR", "FR"]})
    with pytest.raises(errors.ValueRangeError, match="CAL-302"):
        transform.transform(MAPS, frame, score="p")
    out = transform.transform(MAPS, frame, score="p", skip_bad_rows=True)
    assert out["calibrated"][0] == pytest.approx(0.2)
    assert np.isnan(out["calibrated"][1])


def test_measurements_have_no_scale() -> None:
    """An affine map of a sensor reads any finite number."""
    out = transform.transform(affine.Affine(slope=2.0, intercept=-1.0), {"p": [-7.0, 300.0]}, score="p")
    assert out["calibrated"].tolist() == [-15.0, 599.0]


def test_what_it_does_not_do() -> None:
    """Several classes and files are refused with the way to do it."""
    with pytest.raises(errors.UsageError, match="CAL-425"):
        transform.transform(multiclass.MulticlassTemperature(2.0), DATA, score="p")
    with pytest.raises(errors.UsageError, match="CAL-438"):
        transform.transform(MAPS, "rows.csv", score="p")
