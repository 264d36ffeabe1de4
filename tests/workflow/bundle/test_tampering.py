"""Every way to change an evidence bundle, or to write past the rules before it is made: refused, in words."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from calibrant import errors
from calibrant.artifacts import keys, trust
from calibrant.audit import checkpoint
from calibrant.registry import bindings, resources
from calibrant.testing.bad_artifacts import make
from calibrant.workflow import artifact_files, evidence_bundle, people

DAY_US = 86_400_000_000


def resealed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The same files with a manifest that says what is there: what somebody who changes a bundle would do."""
    return {**files, "manifest.json": evidence_bundle.manifest("fraud@1", files)}


def refused(told: Any, files: Mapping[str, bytes], why: str) -> None:
    """Refused although the manifest agrees, for this reason."""
    found, text = told(resealed(files))
    assert not found
    assert why in text


def edited(files: Mapping[str, bytes], name: str, change: Callable[[Any], Any]) -> dict[str, bytes]:
    """A JSON file changed by a function that edits its value in place."""
    value = json.loads(files[name])
    change(value)
    return {**files, name: json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"}


def test_every_file_changed_removed_or_added(good: dict[str, bytes], told: Any) -> None:
    """One bit in any file, any file gone, one more file: refused."""
    assert told(good)[0]
    for name, data in good.items():
        for place in {len(data) // 2, len(data) - 1}:
            bad = bytearray(data)
            bad[place] ^= 1
            assert not told({**good, name: bytes(bad)})[0], (name, place)
        rest = {other: content for other, content in good.items() if other != name}
        assert not told(rest)[0], name
    assert not told({**good, "artifact/more.json": b"{}"})[0]
    assert not told({**good, "note.txt": b""})[0]


@pytest.mark.parametrize("part", ["artifact/", "audit/", "decisions/", "keys/"])
def test_no_manifest_makes_a_missing_part_good(good: dict[str, bytes], part: str, told: Any) -> None:
    """Whoever takes a file away and lists what is left is refused too."""
    for name in [name for name in good if name.startswith(part)]:
        rest = {other: content for other, content in good.items() if other != name}
        assert not told(resealed(rest))[0], name


def test_swapped_approvals(good: dict[str, bytes], told: Any) -> None:
    """The answers to two requests exchanged."""

    def swap(value: Any) -> None:
        bodies = {(one["name"], one["revision"]): one for one in value["revisions"]}
        first, second = bodies["request-1", 2], bodies["request-2", 2]
        first["body"], second["body"] = second["body"], first["body"]

    refused(told, edited(good, "decisions/approvals.json", swap), "is not what the audit log says of it")


def test_changed_contents(good: dict[str, bytes], told: Any) -> None:
    """Another person, another digest, other words, another entry, another checkpoint: each is found for what it is."""

    def person(value: Any) -> None:
        value["revisions"][-1]["body"]["decisions"][0]["person"] = "mallory"

    def words(value: Any) -> None:
        value["words"][0]["text"] += "!"

    def entry(value: Any) -> None:
        value["entries"][2]["entry"] = value["entries"][2]["entry"].replace("alice", "mallo")

    def proof(value: Any) -> None:
        value["entries"][0]["proof"][0] = value["entries"][1]["proof"][1]

    def fewer(value: Any) -> None:
        value["keys"] = value["keys"][1:]

    refused(told, edited(good, "decisions/approvals.json", person), "is not what the audit log says of it")
    refused(told, edited(good, "audit/words.json", words), "a reason is not the one that was given then")
    refused(told, edited(good, "audit/entries.json", entry), "is not in the signed log")
    refused(told, edited(good, "audit/entries.json", proof), "is not in the signed log")
    refused(told, edited(good, "keys/trust.json", fewer), "the key files are not the keys of the trust policy")
    size = good["audit/checkpoint.txt"].decode().split("\n")[1]
    longer = good["audit/checkpoint.txt"].replace(f"\n{size}\n".encode(), f"\n{int(size) + 1}\n".encode())
    refused(told, {**good, "audit/checkpoint.txt": longer}, "no key of the trust policy has signed the checkpoint")
    other = good["artifact/artifact.json"].replace(b'"seed":7', b'"seed":8')
    refused(told, {**good, "artifact/artifact.json": other}, "what was signed are not these files")
    refused(told, {**good, "artifact/evidence.json": b"{}\n"}, "the evidence is not the one that the artifact names")


def test_another_key(good: dict[str, bytes], told: Any, signers: Any) -> None:
    """A checkpoint or an artifact signed anew with one's own key, the policy changed to match: not on record."""
    mine = keys.generate()
    old, new = signers[-1], mine.public
    said = checkpoint.parse(good["audit/checkpoint.txt"].decode())
    note = checkpoint.Signer(said.origin, mine).note(size=said.size, root=said.root)
    policy = json.loads(good["keys/trust.json"])
    for one in policy["keys"]:
        one["public_key"] = one["public_key"].replace(old.pem.decode(), new.pem.decode())
    files = {name: data for name, data in good.items() if name != f"keys/{old.keyid}.pem"}
    files |= {
        f"keys/{new.keyid}.pem": new.pem,
        "keys/trust.json": trust.dumps(trust.from_dict(policy)),
        "audit/checkpoint.txt": note.encode(),
    }
    refused(told, files, "the trust policy is not the one on record")
    refused(
        told, {**good, "audit/checkpoint.txt": note.encode()}, "no key of the trust policy has signed the checkpoint"
    )


def test_promoted_without_an_approval(story: Any, told: Any) -> None:
    """Somebody wrote past the rules: the log is sound, and the verifier says what is wrong."""
    story.signed()
    ref = story.held()
    body = {"champion": ref, "challenger": None, "shadow": None, "former": 0}
    story.past_the_rules(resources.Change(bindings.KIND, "fraud/production", 0, body, "binding.promote"))
    found, text = told(story.collect())
    assert not found
    assert "it was promoted without an approval: champion of fraud/production" in text


@pytest.mark.parametrize("action", ["binding.rollback", "binding.assign"])
def test_bound_by_another_name(story: Any, action: str, told: Any) -> None:
    """A rollback that restores nothing, an assignment of a champion."""
    story.signed()
    ref = story.held()
    body = {"champion": ref, "challenger": None, "shadow": None, "former": 0}
    story.past_the_rules(resources.Change(bindings.KIND, "fraud/staging", 0, body, action))
    assert not told(story.collect())[0]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"person": "alice"}, "approved by who asked or drafted"),
        ({"principal": "carl"}, "somebody spoke in another's name"),
        ({"at_us": make.SEALED_US + 100 * DAY_US}, "decided after its deadline"),
    ],
)
def test_approvals_past_the_rules(story: Any, changes: dict[str, Any], why: str, told: Any) -> None:
    """An approval by the proposer, in another's name, too late: written past the rules, and refused."""
    story.signed()
    story.asked("request-1")
    found = story.the("approval", "request-1")
    assert found.body is not None
    voice = {"principal": "otto", "person": "otto", "verdict": "approve", "at_us": story.now(), **changes}
    body = {**found.body, "decisions": [voice], "state": "approved"}
    story.who["otto"] = dataclasses.replace(story.who["otto"], roles=frozenset({"approver", "operator"}))
    story.past_the_rules(resources.Change("approval", "request-1", 1, body, "approval.decide"))
    good, text = told(story.collect())
    assert not good
    assert why in text


def test_more_approvals_asked_for_than_there_were(story: Any, told: Any) -> None:
    """Production asked for two people when it was promoted; the registry refuses one, and so does the verifier."""
    story.signed()
    story.asked("request-1")
    story.answered("request-1")
    people.declare_environment(story.ledger, "production", approvals=2, by=story.who["alice"])
    with pytest.raises(errors.RefusedError):
        story.promoted("request-1")
    body = {"champion": story.held(), "challenger": None, "shadow": None, "former": 0}
    used = {**story.the("approval", "request-1").body, "state": "used"}
    story.past_the_rules(
        resources.Change(bindings.KIND, "fraud/production", 0, body, "binding.promote"),
        resources.Change("approval", "request-1", 2, used, "binding.promote"),
    )
    good, text = told(story.collect())
    assert not good
    assert "fewer people approved than must" in text


@pytest.mark.parametrize(
    ("kind", "name", "changes", "action", "why"),
    [
        ("artifact", "fraud@1", {"state": "draft"}, "artifact.sign", "went back to an earlier state"),
        ("artifact", "fraud@1", {"evidence": None}, "artifact.sign", "it was sealed with other evidence"),
        ("artifact", "fraud@1", {"expires_us": 1}, "artifact.sign", "the record has another expires_us"),
        ("approval", "request-1", {"target": "fraud/staging"}, "binding.promote", "changed after it was made"),
        ("approval", "request-1", {"state": "approved"}, "binding.promote", "in a way that no rule allows"),
        ("approval", "request-1", {"digest": "sha256:" + "0" * 64}, "binding.promote", "changed after it was made"),
    ],
)
def test_records_past_the_rules(
    story: Any, told: Any, kind: str, name: str, changes: dict[str, Any], action: str, why: str
) -> None:
    """A record that goes back, or says what it did not say before."""
    story.signed()
    story.asked("request-1")
    found = story.the(kind, name)
    story.past_the_rules(resources.Change(kind, name, found.revision, {**found.body, **changes}, action))
    good, text = told(story.collect())
    assert not good
    assert why in text


def test_one_person_twice(story: Any, told: Any) -> None:
    """Two voices of one person are one."""
    people.declare_environment(story.ledger, "production", approvals=2, by=story.who["alice"])
    story.signed()
    story.asked("request-1")
    story.answered("request-1")
    found = story.the("approval", "request-1")
    again = {**found.body["decisions"][0], "principal": "otto"}
    story.who["otto"] = dataclasses.replace(story.who["otto"], roles=frozenset({"approver", "operator"}))
    body = {**found.body, "decisions": [*found.body["decisions"], again], "state": "approved"}
    story.past_the_rules(resources.Change("approval", "request-1", 2, body, "approval.decide"))
    good, text = told(story.collect())
    assert not good
    assert "one person decided on the request request-1 twice" in text


def test_fewer_signatures_than_on_record(good: dict[str, bytes], told: Any) -> None:
    """One of two signature files taken away."""
    further = next(name for name in good if name.startswith("artifact/signatures/"))
    rest = {name: data for name, data in good.items() if name != further}
    refused(told, rest, "the signatures are not those on record")


def test_a_revision_that_was_left_out(good: dict[str, bytes], told: Any) -> None:
    """An answer taken out of decisions and entries: what came before the next revision is missing."""

    def without(value: Any) -> None:
        value["revisions"] = [one for one in value["revisions"] if (one["name"], one["revision"]) != ("request-1", 2)]

    def unentered(value: Any) -> None:
        about = {"kind": "approval", "name": "request-1", "revision": 2}
        value["entries"] = [one for one in value["entries"] if json.loads(one["entry"])["resource"] != about]

    files = edited(edited(good, "decisions/approvals.json", without), "audit/entries.json", unentered)
    refused(told, files, "what came before approval request-1 revision 3 is missing")


def test_bound_with_other_bytes_or_after_its_time(story: Any, told: Any) -> None:
    """Other bytes under the same name; and a promotion of what was deprecated."""
    story.signed()
    artifact_files.deprecate(story.ledger, "fraud@1", by=story.who["otto"])
    body = {"champion": story.held(), "challenger": None, "shadow": None, "former": 0}
    story.past_the_rules(resources.Change(bindings.KIND, "fraud/staging", 0, body, "binding.promote"))
    assert "it was deprecated when it became champion" in told(story.collect())[1]
    other = {**body, "champion": {"artifact": "fraud@1", "digest": "sha256:" + "0" * 64}}
    story.past_the_rules(resources.Change(bindings.KIND, "fraud/aside", 0, other, "binding.promote"))
    assert "fraud/aside holds other bytes under this name" in told(story.collect())[1]


def test_a_champion_beside_its_successor(story: Any, told: Any) -> None:
    """The artifact that a rollout keeps for comparison needs no new approval; one that never served does."""
    story.signed()
    story.promoted(None, "staging")
    people.declare_environment(story.ledger, "staging", approvals=1, by=story.who["alice"])
    other = {"artifact": "fraud@2", "digest": "sha256:" + "0" * 64}
    body = {"champion": other, "challenger": story.held(), "shadow": None, "former": 1}
    story.past_the_rules(resources.Change(bindings.KIND, "fraud/staging", 1, body, "binding.promote"))
    good, text = told(story.collect())
    assert good
    assert "kept beside the new champion" in text
    story.past_the_rules(
        resources.Change(bindings.KIND, "fraud/staging", 2, {**body, "challenger": None}, "binding.assign")
    )
    story.past_the_rules(resources.Change(bindings.KIND, "fraud/staging", 3, body, "binding.promote"))
    assert "promoted without an approval: challenger of fraud/staging" in told(story.collect())[1]


# ---------------------------------------------------------------- hostile ones


ODD: list[Any] = [None, True, -1, 1.5, 2**60, "", "\x1b[31m", "\ud800", [], {}, [[]], {"a": 1}, "9" * 30]


def test_hostile_values_end_in_words(good: dict[str, bytes], capsys: pytest.CaptureFixture[str], told: Any) -> None:
    """Any value anywhere replaced by any other: refused or harmless, never an exception, never a control character."""
    rng = random.Random(11)
    names = [name for name in good if name.endswith((".json", ".sig")) and name != "manifest.json"]
    for _ in range(60):
        name = rng.choice(names)
        value = json.loads(good[name])
        replace_one(value, rng)
        data = json.dumps(value, sort_keys=True, indent=1 if "decisions" in name else None).encode()
        found, text = told(resealed({**good, name: data}))
        assert "\x1b" not in text
        if name.startswith(("artifact/", "keys/trust")):
            assert not found


def replace_one(value: Any, rng: random.Random) -> None:
    """Replace one value somewhere below, or take it away."""
    place = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if isinstance(value[place], dict | list) and value[place] and rng.random() < 0.8:
        replace_one(value[place], rng)
    elif rng.random() < 0.2:
        del value[place]
    else:
        value[place] = rng.choice(ODD)


@pytest.mark.parametrize("data", [b"", b"\xff", b"[" * 100_000, b"null", b'{"a":1,"a":2}', b'{"a":NaN}'])
def test_hostile_files_end_in_words(good: dict[str, bytes], data: bytes, told: Any) -> None:
    """Any file replaced by what is no such file."""
    for name in good:
        if name != "manifest.json":
            files = resealed({**good, name: data})
            found, _ = told(files)
            assert found == (name in {"index.html", "evidence.html", "verify.py", "__main__.py", "software.json"})
    assert not told({**good, "manifest.json": data})[0]
