"""The leakage guard names what it finds."""

from __future__ import annotations

import pyarrow as pa

from calibrant.joining import leakage


def table(**columns: object) -> pa.Table:
    return pa.table(columns)


def test_time_that_runs_backwards_is_found() -> None:
    """A label before its prediction, and both kinds of rows from the future; an orphan is none of these."""
    predictions = table(id=["a", "b", "c"], at_us=[10, 20, 90])
    labels = table(prediction=["a", "b", "nobody", "b"], at_us=[9, 25, 0, 80])
    found = leakage.findings(predictions, labels, as_of_us=50)
    assert [(one.code, one.rows, one.examples) for one in found] == [
        ("CAL-891", 1, ("a",)),
        ("CAL-892", 1, ("c",)),
        ("CAL-893", 1, ("b",)),
    ]


def test_a_clean_feed_has_no_findings() -> None:
    """A label at the very time of its prediction, and one at as_of, are nothing odd."""
    assert (
        leakage.findings(table(id=["a"], at_us=[10]), table(prediction=["a", "a"], at_us=[10, 50]), as_of_us=50) == ()
    )


def test_a_unit_on_both_sides_is_found() -> None:
    """Named once, however many rows it has; missing units are nobody."""
    found = leakage.shared_units(["x", "y", "y", None], ["y", "z", None])
    assert found is not None
    assert (found.code, found.rows, found.examples) == ("CAL-894", 1, ("y",))
    assert leakage.shared_units(["x"], ["y"]) is None


def test_a_fit_on_the_future_is_found() -> None:
    """Rows as young as the first one that validates are too young."""
    found = leakage.split_in_time(pa.chunked_array([[1, 5, 7]]), pa.chunked_array([[5, 9]]))
    assert found is not None
    assert (found.code, found.rows) == ("CAL-895", 2)
    assert leakage.split_in_time(pa.chunked_array([[1, 4]]), pa.chunked_array([[5]])) is None
    assert leakage.split_in_time(pa.chunked_array([[1, 4]]), pa.chunked_array([pa.array([], pa.int64())])) is None
