"""What is on record of an alert; silences; who explains whom."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from calibrant import errors
from calibrant.registry import policy, resources
from calibrant.slo import alerts, inhibition, labels, lifecycle, silences

DAY = lifecycle.DAY_US
RUNBOOK = {"runbook_url": "https://example.org/fraud"}


def kept(change: resources.Change) -> resources.Resource:
    """The resource that a change makes."""
    assert change.action in policy.ACTIONS
    return resources.Resource(change.kind, change.name, change.expected + 1, change.body, 0, 0)


def test_it_is_recorded_when_it_fires_and_when_it_ends(named: Callable[..., labels.Labels]) -> None:
    """With what was so when it fired, and nothing in between."""
    snapshot = labels.Snapshot(5, "sha256:aa", "sha256:ee", 1000, 900)
    reading = labels.Reading(named(), "bad", RUNBOOK, snapshot)
    pending = lifecycle.step(lifecycle.Life(), "bad", now_us=0, rules=lifecycle.Rules())
    assert alerts.after(None, reading, pending.life, pending.events) is None
    fired = lifecycle.step(pending.life, "bad", now_us=DAY, rules=lifecycle.Rules())
    alert = alerts.after(None, reading, fired.life, fired.events)
    assert alert is not None
    change = alerts.record(None, alert)
    assert change is not None
    assert change.evidence == ("sha256:aa", "sha256:ee")
    assert alerts.read(kept(change)) == alert
    assert alerts.record(kept(change), alert) is None
    later = lifecycle.step(fired.life, "bad", now_us=2 * DAY, rules=lifecycle.Rules())
    assert alerts.after(alert, reading, later.life, later.events) == alert
    life = lifecycle.step(later.life, "good", now_us=3 * DAY, rules=lifecycle.Rules()).life
    ended = lifecycle.step(life, "good", now_us=4 * DAY, rules=lifecycle.Rules())
    after = alerts.after(alert, reading, ended.life, ended.events)
    assert after is not None
    assert (after.status, after.ended_us, after.snapshot) == ("resolved", 3 * DAY, snapshot.to_dict())


def test_a_step_that_is_made_twice_is_recorded_once(named: Callable[..., labels.Labels]) -> None:
    """A crash after the record: the same firing again changes nothing."""
    reading = labels.Reading(named(), "bad", RUNBOOK)
    stepped = lifecycle.step(lifecycle.Life(), "bad", now_us=7, rules=lifecycle.Rules(after_us=0))
    first = alerts.after(None, reading, stepped.life, stepped.events)
    again = lifecycle.step(lifecycle.Life(), "bad", now_us=9, rules=lifecycle.Rules(after_us=0))
    assert alerts.after(first, reading, again.life, again.events) == first


def test_acknowledging(fired: Callable[..., alerts.Alert]) -> None:
    """Once, while it fires; it ends with the episode."""
    change = alerts.record(None, fired())
    assert change is not None
    found = kept(change)
    after = kept(alerts.acknowledge(found, found.name, by="ada").changes[0])
    assert alerts.read(after).acknowledged_by == "ada"
    with pytest.raises(errors.ConflictError, match="ada"):
        alerts.acknowledge(after, found.name, by="bob")
    over = alerts.record(None, fired(status="resolved"))
    assert over is not None
    with pytest.raises(errors.RefusedError, match="CAL-920"):
        alerts.acknowledge(kept(over), found.name, by="ada")
    with pytest.raises(errors.UsageError, match="CAL-941"):
        alerts.acknowledge(None, "fraud/none", by="ada")


def test_a_silence_covers_what_it_says_for_as_long_as_it_says(named: Callable[..., labels.Labels]) -> None:
    """All of its labels, from its start to before its end."""
    command = silences.begin("s1", {"stream": "fraud", "severity": "ticket"}, starts_us=10, ends_us=20, by="ada")
    silence = silences.read(kept(command.changes[0]))
    ticket, page = named(severity="ticket"), named()
    assert [silences.covering([silence], ticket, at) for at in (9, 10, 19, 20)] == [(), ("s1",), ("s1",), ()]
    assert silences.covering([silence], page, 15) == ()
    assert [silence.state(at) for at in (9, 10, 20)] == ["pending", "active", "expired"]


def test_a_silence_ends_early(named: Callable[..., labels.Labels]) -> None:
    """Active or not yet begun; one that is over is over."""
    found = kept(silences.begin("s1", {"stream": "fraud"}, starts_us=10, ends_us=20, by="ada").changes[0])
    assert silences.read(kept(silences.end(found, "s1", now_us=15).changes[0])).state(15) == "expired"
    assert silences.read(kept(silences.end(found, "s1", now_us=5).changes[0])).state(12) == "expired"
    with pytest.raises(errors.RefusedError, match="CAL-920"):
        silences.end(found, "s1", now_us=20)


@pytest.mark.parametrize(
    ("matches", "days"), [({}, 1.0), ({"team": "x"}, 1.0), ({"stream": "fraud"}, 0.0), ({"stream": "fraud"}, 31.0)]
)
def test_a_silence_that_would_hide_too_much_is_refused(matches: dict[str, str], days: float) -> None:
    """Everything, something that there is not, or for too long."""
    with pytest.raises(errors.UsageError, match="CAL-992"):
        silences.begin("s1", matches, starts_us=0, ends_us=int(days * DAY), by="ada")


def test_who_explains_whom(named: Callable[..., labels.Labels]) -> None:
    """The pipeline its stream, a parent its cohorts, a page its ticket; never a ticket a page, nor another stream."""
    whole, child = named(), named(cohort="carrier=AA")
    ticket = named(severity="ticket")
    child_ticket = named(severity="ticket", cohort="carrier=AA")
    grandchild = named(cohort="carrier=AA,origin=JFK")
    pipeline = named(alertname="LabelsNotArriving", kind="pipeline", slo="pipeline")
    late = named(alertname="LabelsLate", kind="pipeline", slo="pipeline", severity="ticket")
    every = {whole, child, ticket, child_ticket, grandchild, pipeline}

    def explained(one: labels.Labels, *firing: labels.Labels) -> bool:
        return bool(inhibition.reasons(one, firing))

    assert all(explained(one, pipeline) for one in every - {pipeline})
    assert not explained(pipeline, *every)
    assert explained(child, whole)
    assert explained(grandchild, child)
    assert explained(ticket, whole)
    assert explained(child_ticket, whole)
    assert not explained(whole, child, ticket, grandchild, child_ticket, late)
    assert explained(ticket, late)
    assert not explained(child, ticket)
    assert not explained(child, named(stream="other"), named(cohort="carrier=DL"))
    assert not explained(named(alertname="GuardCrossed", kind="guardrail"), whole, pipeline)
