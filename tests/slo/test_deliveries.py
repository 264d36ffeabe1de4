"""What channels are told: news, ends, repeats; again after failures; nothing twice, and nothing lost."""

from __future__ import annotations

import json
from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from calibrant.slo import alerts, deliveries, labels

MINUTE = 60_000_000
HOUR = 60 * MINUTE
Fired = Callable[..., alerts.Alert]


def planned(
    delivery: deliveries.Delivery,
    *each: alerts.Alert,
    at: int = 0,
    hidden: tuple[str, ...] = (),
    repeat: int | None = None,
) -> deliveries.Delivery:
    """What is to be told of these alerts."""
    content = deliveries.wanted(delivery, each, hidden=hidden)
    return deliveries.plan(delivery, content, name="g|c", now_us=at, repeat_us=repeat)


def told(delivery: deliveries.Delivery, *each: alerts.Alert, at: int = 0) -> deliveries.Delivery:
    """The same, delivered at once."""
    after = planned(delivery, *each, at=at)
    assert deliveries.due(after, at) is not None
    return deliveries.tried(after, "delivered", detail="HTTP 200", now_us=at)


def test_an_alert_is_told_once_and_its_end_once(fired: Fired) -> None:
    """Nothing while nothing changes."""
    first = told(deliveries.Delivery(), fired())
    assert deliveries.due(planned(first, fired(), at=HOUR), HOUR) is None
    ended = told(first, fired(status="resolved"), at=HOUR)
    assert planned(ended, fired(status="resolved"), at=2 * HOUR).waiting is None
    again = told(ended, fired(episode=2), at=3 * HOUR)
    assert [one.result for one in again.log] == ["delivered"] * 3
    assert len({one.message for one in again.log}) == 3


def test_an_end_is_not_told_to_who_never_heard_of_the_beginning(fired: Fired) -> None:
    """A new channel hears of what fires, not of the past."""
    assert planned(deliveries.Delivery(), fired(status="resolved")).waiting is None


def test_an_alert_that_came_and_went_during_an_outage_is_told_as_ended(fired: Fired) -> None:
    """Somebody should know."""
    failing = deliveries.tried(planned(deliveries.Delivery(), fired()), "failed", detail="no answer", now_us=0)
    after = planned(failing, fired(status="resolved"), at=MINUTE)
    assert after.waiting is not None
    assert {one.status for one in after.waiting.content} == {"resolved"}
    assert deliveries.due(after, MINUTE) is not None


def test_a_failure_is_tried_again_later_and_later_under_the_same_id(fired: Fired) -> None:
    """5 s, 10 s, 20 s … 15 min, shortened by up to a quarter."""
    delivery, at, waits = planned(deliveries.Delivery(), fired()), 0, []
    for _ in range(12):
        message = deliveries.due(delivery, at)
        assert message is not None
        assert message.id == delivery.waiting.id if delivery.waiting else False
        delivery = deliveries.tried(delivery, "failed", detail="HTTP 503", now_us=at)
        assert deliveries.due(planned(delivery, fired(), at=at), at) is None
        waits.append(delivery.next_us - at)
        at = delivery.next_us
    limits = [min(5_000_000 * 2**n, 15 * MINUTE) for n in range(12)]
    assert all(0.74 * limit <= wait <= limit for wait, limit in zip(waits, limits, strict=True))
    assert len({one.message for one in delivery.log}) == 1


def test_a_receiver_says_when(fired: Fired) -> None:
    """Retry-After is kept to, up to an hour."""
    waiting = planned(deliveries.Delivery(), fired())
    after = deliveries.tried(waiting, "failed", detail="HTTP 429", now_us=0, retry_after_us=10 * MINUTE)
    assert after.next_us == 10 * MINUTE
    assert deliveries.tried(waiting, "refused", detail="HTTP 404", now_us=0).next_us == HOUR


def test_after_three_days_it_is_given_up_and_the_log_says_so(fired: Fired) -> None:
    """And the next news is told."""
    failing = deliveries.tried(planned(deliveries.Delivery(), fired()), "refused", detail="HTTP 403", now_us=0)
    after = planned(failing, fired(), at=73 * HOUR)
    assert after.waiting is None
    assert after.log[-1].detail == "given up after 1 attempts"
    assert planned(after, fired(status="resolved"), at=74 * HOUR).waiting is not None


def test_what_is_hidden_brings_no_news_but_its_end_is_told(fired: Fired) -> None:
    """Silenced before it fired: nothing. Silenced afterwards: the incident is closed nevertheless."""
    hidden = (fired().fingerprint,)
    assert planned(deliveries.Delivery(), fired(), hidden=hidden).waiting is None
    first = told(deliveries.Delivery(), fired())
    assert planned(first, fired(), at=HOUR, hidden=hidden).waiting is None
    ended = planned(first, fired(status="resolved"), at=HOUR, hidden=hidden)
    assert ended.waiting is not None


def test_more_of_a_group_waits_a_little_and_the_end_of_all_does_not(fired: Fired) -> None:
    """A hundred cohorts in five minutes are two messages."""
    first = told(deliveries.Delivery(), fired())
    more = planned(first, fired(), fired(cohort="carrier=AA"), at=MINUTE)
    assert deliveries.due(more, MINUTE) is None
    most = planned(more, fired(), fired(cohort="carrier=AA"), fired(cohort="carrier=DL"), at=2 * MINUTE)
    assert most.next_us == 5 * MINUTE
    both = deliveries.tried(most, "delivered", detail="", now_us=5 * MINUTE)
    over = planned(
        both, *(fired(status="resolved", cohort=one) for one in ("all", "carrier=AA", "carrier=DL")), at=6 * MINUTE
    )
    assert deliveries.due(over, 6 * MINUTE) is not None


def test_it_is_repeated_while_it_fires(fired: Fired) -> None:
    """As often as the channel says, and never after the end."""
    first = told(deliveries.Delivery(), fired())
    assert planned(first, fired(), at=3 * HOUR, repeat=4 * HOUR).waiting is None
    repeated = planned(first, fired(), at=4 * HOUR, repeat=4 * HOUR)
    assert repeated.waiting is not None
    assert repeated.waiting.id != first.log[0].message


NAMED = [labels.Labels("Burn", "page", "fraud", "burn", cohort) for cohort in ("all", "carrier=AA", "carrier=DL")]
RUNBOOK = {"runbook_url": "https://example.org"}


class Telling(RuleBasedStateMachine):
    """Alerts come and go, receivers fail, the process dies between an answer and writing it down."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.alerts: dict[str, alerts.Alert] = {}
        self.delivery = deliveries.Delivery()
        self.seen: dict[str, deliveries.Content] = {}
        self.last: deliveries.Content = frozenset()

    @rule(which=st.sampled_from(NAMED))
    def change(self, which: labels.Labels) -> None:
        before = self.alerts.get(which.fingerprint)
        begins = before is None or before.status == "resolved"
        self.alerts[which.fingerprint] = alerts.Alert(
            which, "firing" if begins else "resolved",
            (before.episode if before else 0) + begins, self.now, self.now, None if begins else self.now, RUNBOOK, None,
        )  # fmt: skip

    @rule(minutes=st.integers(0, 60))
    def wait(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @rule(outcome=st.sampled_from(["delivered", "failed", "refused", "crashed"]))
    def round(self, outcome: str) -> None:
        after = planned(self.delivery, *self.alerts.values(), at=self.now)
        message = deliveries.due(after, self.now)
        if message is not None and outcome in ("delivered", "crashed"):
            # one id says one thing, however often it comes
            assert self.seen.setdefault(message.id, message.content) == message.content
            self.last = message.content
        if message is not None and outcome != "crashed":
            after = deliveries.tried(after, outcome, detail="", now_us=self.now)  # type: ignore[arg-type]
        self.delivery = deliveries.Delivery.from_body(json.loads(json.dumps(after.to_body())))

    @precondition(lambda self: self.delivery.log)
    @invariant()
    def the_log_is_bounded(self) -> None:
        assert len(self.delivery.log) <= 20

    def teardown(self) -> None:
        """Whatever happened: once receivers answer again, what was heard last is how things are."""
        for _ in range(5):
            self.now += 2 * HOUR
            self.round("delivered")
        firing = {one.fingerprint for one in self.alerts.values() if one.status == "firing"}
        heard = {one.fingerprint: one.status for one in self.last}
        assert firing == {name for name, status in heard.items() if status == "firing"}


Telling.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestTelling = Telling.TestCase
