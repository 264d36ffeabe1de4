"""Keys, times and orders that the verifier knows by itself: written past the registry, refused for what they are."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from calibrant.artifacts import trust
from calibrant.registry import bindings, resources
from calibrant.testing.bad_artifacts import make
from calibrant.workflow import artifact_files, evidence_bundle, people

DAY_US = 86_400_000_000
EMPTY = {"champion": None, "challenger": None, "shadow": None, "former": 0}
Trust = trust.TrustPolicy


def bound(story: Any, revision: int = 0, target: str = "fraud/production", **changes: Any) -> resources.Change:
    """The change that makes the artifact champion."""
    body = {**EMPTY, "champion": story.held(), **changes}
    return resources.Change(bindings.KIND, target, revision, body, "binding.promote")


def used(story: Any, **changes: Any) -> resources.Change:
    """The change that uses request-1 up."""
    found = story.the("approval", "request-1")
    return resources.Change(
        "approval", "request-1", found.revision, {**found.body, "state": "used", **changes}, "binding.promote"
    )


def test_a_wrong_signature(good: dict[str, bytes], told: Any) -> None:
    """The right form, the right key, the right statement, and one bit of the signature."""
    value = json.loads(good["artifact/model.sig"])
    signed = value["dsseEnvelope"]["signatures"][0]
    data = bytearray(base64.b64decode(signed["sig"]))
    data[3] ^= 1
    signed["sig"] = base64.b64encode(data).decode()
    changed = json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    files = {**good, "artifact/model.sig": changed}
    found, text = told({**files, "manifest.json": evidence_bundle.manifest("fraud@1", files)})
    assert not found
    assert "the signature of the artifact is wrong" in text


def retired(policy: Trust, keyid: str) -> Trust:
    """The key ended years before anything was sealed."""
    others = [
        dataclasses.replace(key, not_after_us=DAY_US) if key.public.keyid == keyid else key for key in policy.keys
    ]
    return dataclasses.replace(policy, keys=tuple(others))


def for_checkpoints(policy: Trust, keyid: str) -> Trust:
    """The key may only sign checkpoints."""
    others = [
        dataclasses.replace(key, purposes=("checkpoint",)) if key.public.keyid == keyid else key for key in policy.keys
    ]
    return dataclasses.replace(policy, keys=tuple(others))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda policy, keyid: policy.revoked(keyid, at_us=make.SEALED_US), "was revoked"),
        (retired, "was not valid then"),
        (for_checkpoints, "does not sign artifacts"),
        (lambda policy, keyid: dataclasses.replace(policy, threshold=2), "fewer owners signed"),
        (
            lambda policy, keyid: dataclasses.replace(
                policy, keys=tuple(key for key in policy.keys if key.public.keyid != keyid)
            ),
            "that the trust policy does not name",
        ),
    ],
)
def test_what_the_trust_policy_says_now(story: Any, told: Any, change: Callable[[Trust, str], Trust], why: str) -> None:
    """A key that was revoked, retired, given another purpose or taken out; more owners asked for."""
    story.signed()
    keyid = story.artifact_key.public.keyid
    people.change_trust(story.ledger, lambda policy: change(policy, keyid), by=story.who["alice"])
    good, text = told(story.collect())
    assert not good
    assert why in text


def test_bound_before_it_was_signed(story: Any, told: Any) -> None:
    """Signed afterwards does not count."""
    story.drafted()
    story.past_the_rules(bound(story, target="fraud/staging"))
    artifact_files.sign(
        story.ledger, story.kept, "fraud@1", key=story.artifact_key, by=story.who["otto"], now_us=story.now()
    )
    assert "it was not signed when it became champion of fraud/staging" in told(story.collect())[1]


def test_bound_after_it_expired(story: Any, told: Any) -> None:
    """An artifact has a time."""
    story.drafted(expires_us=make.SEALED_US + 2 * DAY_US)
    artifact_files.sign(
        story.ledger, story.kept, "fraud@1", key=story.artifact_key, by=story.who["otto"], now_us=story.now()
    )
    story.clock.advance(days=3)
    story.past_the_rules(bound(story, target="fraud/staging"))
    assert "it had expired when it became champion" in told(story.collect())[1]


def test_an_approval_that_had_expired(story: Any, told: Any) -> None:
    """An approval has a deadline, also for the promotion."""
    story.signed()
    story.asked("request-1")
    story.answered("request-1")
    story.clock.advance(days=8)
    story.past_the_rules(bound(story), used(story))
    assert "the approval had expired: champion" in told(story.collect())[1]


def test_an_approval_that_was_used_at_another_time(story: Any, told: Any) -> None:
    """Promoted first, approval used a minute later."""
    story.signed()
    story.asked("request-1")
    story.answered("request-1")
    story.past_the_rules(bound(story))
    story.now()
    story.past_the_rules(used(story))
    assert "the approval was used for something else" in told(story.collect())[1]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"digest": "sha256:" + "0" * 64}, "is about something else"),
        ({"evidence": None}, "is about something else"),
        ({"drafted_by": "mallory"}, "is about something else"),
        ({"state": "approved"}, "does not begin as a request"),
        ({"needs": 0}, "does not begin as a request"),
    ],
)
def test_a_request_that_begins_otherwise(story: Any, told: Any, changes: dict[str, Any], why: str) -> None:
    """About other bytes, other evidence, another drafter; approved from the start; asking nobody."""
    story.signed()
    story.asked("request-1")
    body = {**story.the("approval", "request-1").body, **changes}
    story.past_the_rules(resources.Change("approval", "request-9", 0, body, "approval.request"))
    good, text = told(story.collect())
    assert not good
    assert f"request-9 {why}" in text


@pytest.mark.parametrize(
    ("decisions", "state", "why"),
    [
        (["approve"], "requested", "wrong sum"),
        (["maybe"], "approved", "another answer than yes or no"),
        ([], "approved", "what was said to the request request-1 was changed"),
        (["approve", "approve"], "approved", "what was said to the request request-1 was changed"),
    ],
)
def test_answers_that_do_not_add_up(story: Any, told: Any, decisions: list[str], state: str, why: str) -> None:
    """A state that does not follow from what was said; answers of another kind, none, or two at once."""
    story.signed()
    story.asked("request-1")
    voices = [
        {"principal": "otto", "person": f"otto{place}", "verdict": verdict, "at_us": make.SEALED_US}
        for place, verdict in enumerate(decisions)
    ]
    story.who["otto"] = dataclasses.replace(story.who["otto"], roles=frozenset({"approver", "operator"}))
    body = {**story.the("approval", "request-1").body, "decisions": voices, "state": state}
    story.past_the_rules(resources.Change("approval", "request-1", 1, body, "approval.decide"))
    good, text = told(story.collect())
    assert not good
    assert why in text
