"""Webhook, PagerDuty and chat against servers that listen: what arrives, word for word."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest

from calibrant import errors
from calibrant.integrations import guarded, pagerduty, slack, webhook
from calibrant.slo import members
from calibrant.streams import addresses
from calibrant.testing import receivers

KEY = bytes(range(32))
LOCAL = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> receivers.Authority:
    """A certificate authority."""
    return receivers.authority(Path(tmp_path_factory.mktemp("tls")))


@pytest.fixture
def receiver(own: receivers.Authority) -> Iterator[receivers.Receiver]:
    """An HTTPS server."""
    with receivers.receiver(own.server) as made:
        yield made


@pytest.fixture
def guard(own: receivers.Authority) -> guarded.Guard:
    """One that may reach it."""
    return guarded.Guard(LOCAL, 5.0, own.client)


def test_a_webhook_is_signed_as_the_specification_says(receiver: receivers.Receiver, guard: guarded.Guard) -> None:
    """Recomputed from what arrived, as a receiver would."""
    notice = receivers.notice()
    assert webhook.Webhook(receiver.address, KEY, guard).send(notice).result == "delivered"
    arrived = receiver.requests[0]
    headers = {name.lower(): text for name, text in arrived.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + arrived.body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == notice.id
    assert arrived.path == "/in"
    assert arrived.json["type"] == "calibrant.alerts.firing"
    assert arrived.json["data"]["alerts"][0]["labels"]["stream"] == "fraud"
    assert arrived.json["data"]["alerts"][0]["startsAt"].startswith("2026-03-01T00:00:00")


def test_the_signature_of_the_specification() -> None:
    """Its own example."""
    key = webhook.key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signed = webhook.signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!!", "short", "whsec_" + base64.b64encode(bytes(8)).decode()])
def test_a_secret_that_cannot_be_used_is_refused_and_not_repeated(secret: str) -> None:
    """Too short, or no base64."""
    with pytest.raises(errors.UsageError, match="CAL-848") as refused:
        webhook.key_of(secret)
    assert not secret or secret not in str(refused.value) or secret in ("whsec_", "short")


def test_an_incident_is_triggered_and_resolved_under_one_key(
    receiver: receivers.Receiver, guard: guarded.Guard
) -> None:
    """The key holds no value and no time: other numbers, same incident."""
    channel = pagerduty.PagerDuty("R0UT1NG", receiver.address, guard)
    receiver.status = 202
    for notice in (
        receivers.notice(receivers.alert(summary="2 of 7 slices are bad")),
        receivers.notice(receivers.alert(summary="3 of 7 slices are bad")),
        receivers.notice(receivers.alert(status="resolved")),
    ):
        assert channel.send(notice).result == "delivered"
    events = [one.json for one in receiver.requests]
    assert [one["event_action"] for one in events] == ["trigger", "trigger", "resolve"]
    assert len({one["dedup_key"] for one in events}) == 1
    assert events[0]["routing_key"] == "R0UT1NG"
    payload = events[0]["payload"]
    assert (payload["severity"], payload["source"], payload["class"]) == ("critical", "fraud", "burn")
    assert payload["summary"] == "fraud: 2 of 7 slices are bad"
    assert payload["timestamp"].startswith("2026-03-01T00:00:00")
    assert events[0]["links"] == [{"href": "https://example.org/runbooks/fraud", "text": "runbook"}]


def test_many_cohorts_are_one_incident(receiver: receivers.Receiver, guard: guarded.Guard) -> None:
    """Twenty written out, the others counted."""
    many = [receivers.alert(cohort=f"carrier=C{number}") for number in range(50)]
    assert pagerduty.PagerDuty("K", receiver.address, guard).send(receivers.notice(*many)).result == "delivered"
    details = receiver.requests[0].json["payload"]["custom_details"]
    assert (len(details["alerts"]), details["more"]) == (20, 30)


def test_chat_cannot_be_made_to_mention_everybody(receiver: receivers.Receiver, guard: guarded.Guard) -> None:
    """What came from outside is escaped; a link is only made of https."""
    hostile = receivers.alert(
        cohort=members.write((("carrier", "<!channel>"),)), summary="<https://evil.example|click> & <@U123>"
    )
    assert slack.Slack(receiver.address, guard).send(receivers.notice(hostile)).result == "delivered"
    text = receiver.requests[0].json["blocks"][1]["text"]["text"]
    assert "<!" not in text
    assert "<@" not in text
    assert "<https://evil" not in text
    assert "<https://example.org/runbooks/fraud|runbook>" in text
    assert receiver.requests[0].json["text"] == "FIRING: fraud/burn/page"


def test_a_receiver_that_is_not_there(guard: guarded.Guard, own: receivers.Authority) -> None:
    """A failure, to be tried again."""
    with receivers.receiver(own.server) as gone:
        address = gone.address
    outcome = slack.Slack(address, guard).send(receivers.notice())
    assert (outcome.result, outcome.detail) == ("failed", "no answer: ConnectionRefusedError")


def test_secrets_are_not_in_what_a_channel_shows() -> None:
    """A traceback prints values."""
    address = addresses.parse("https://hooks.slack.example/T0/B0/s3cr3t")
    for channel in (slack.Slack(address), webhook.Webhook(address, b"s3cr3t" * 6), pagerduty.PagerDuty("s3cr3t")):
        assert "s3cr3t" not in repr(channel).replace(str(address), "")
