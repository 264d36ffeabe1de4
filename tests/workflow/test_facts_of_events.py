"""What diagnosis learns from events."""

from __future__ import annotations

from typing import Any

from calibrant.diagnosis import facts
from calibrant.testing import made_up
from calibrant.workflow import evidence_of_stream, facts_of_events

NOW = made_up.START_US + 9 * made_up.DAY_US


def known(store: Any, stream: Any, *, start_us: int = made_up.START_US) -> facts.Events:
    matured = evidence_of_stream.matured(store, stream, now_us=NOW, start_us=start_us, end_us=NOW)
    return facts_of_events.gather(store, stream, matured, start_us=start_us, end_us=NOW, now_us=NOW)


def test_arms_units_and_decisions_are_counted(store: Any, stream: Any) -> None:
    """Two arms with their cohorts, a unit in both of them, who was served what, and what was decided."""
    made = [
        made_up.prediction("a", arm="canary", unit="u1", cohorts={"carrier": "AA"}, served=0.4, decision="act"),
        made_up.prediction("b", arm="canary", unit="u2", cohorts={"carrier": "DL"}, served=0.4),
        made_up.prediction("c", arm="control", unit="u1", cohorts={"carrier": "AA"}, threshold=0.5),
        made_up.prediction("d", unit="u3"),
    ]
    store.append_predictions("s", made_up.predictions(*made), received_us=NOW)
    found = known(store, stream)
    assert found.arms == (
        facts.Arm("canary", 2, {"carrier=AA": 1, "carrier=DL": 1}), facts.Arm("control", 1, {"carrier=AA": 1}),
    )  # fmt: skip
    assert (found.in_both_arms, found.served, found.decided) == (1, 2, 2)
    assert found.values == {"carrier": {"AA": 2, "DL": 1, "": 1}}


def test_sources_are_compared_by_what_each_said_last(store: Any, stream: Any) -> None:
    """A source may correct itself; two that still differ disagree; one alone is compared with nobody."""
    store.append_predictions("s", made_up.predictions(*map(made_up.prediction, "abc")), received_us=NOW)
    said = [
        made_up.label("a", source="x", value=0.0),
        made_up.label("a", source="x", value=1.0, revision=1),
        made_up.label("a", source="y", value=1.0),
        made_up.label("b", source="x", value=0.0),
        made_up.label("b", source="y", value=1.0),
        made_up.label("c", source="x", value=1.0),
    ]
    store.append_labels("s", made_up.labels(*said), received_us=NOW)
    found = known(store, stream)
    assert (found.compared, found.disagreeing) == (2, 1)


def test_an_empty_window_counts_nothing(store: Any, stream: Any) -> None:
    """No events, no shares, no error."""
    found = known(store, stream)
    assert (found.join.predictions, found.labels, found.arms, found.compared) == (0, 0, (), 0)
    assert found.last_at_us is None
