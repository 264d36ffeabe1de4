"""One code for each reason not to trust an artifact; every byte counts."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibrant import errors
from calibrant.artifacts import bundle, document, folder, keys, signing, statement, trust, verify
from calibrant.calibrators import canonical

SEALED_US = 1_780_000_000_000_000
DAY_US = 86_400_000_000
NOW_US = SEALED_US + DAY_US


def refused(act: Callable[[], Any]) -> str:
    """The code of the refusal."""
    with pytest.raises(errors.ArtifactError) as caught:
        act()
    return caught.value.code


@dataclasses.dataclass(frozen=True)
class Sealed:
    """A good artifact and what verifies it."""

    files: dict[str, bytes]
    signature: bytes
    policy: trust.TrustPolicy
    key: keys.PrivateKey

    def verify(self, **changes: Any) -> verify.Verified:
        asked: dict[str, Any] = {"trust": self.policy, "now_us": NOW_US} | changes
        return verify.verify(asked.pop("files", self.files), asked.pop("signature", self.signature), **asked)

    def code(self, **changes: Any) -> str:
        return refused(lambda: self.verify(**changes))


@pytest.fixture(params=["ed25519", "ecdsa-p256"])
def sealed(request: pytest.FixtureRequest, files: dict[str, bytes]) -> Sealed:
    key = keys.generate(request.param)
    return Sealed(files, signing.sign(files, key), policy_of(key), key)


@pytest.fixture
def good(files: dict[str, bytes], key: keys.PrivateKey, policy: trust.TrustPolicy) -> Sealed:
    return Sealed(files, signing.sign(files, key), policy, key)


def policy_of(*signers: keys.PrivateKey, threshold: int = 1, **changes: Any) -> trust.TrustPolicy:
    """A policy that trusts these keys, each of an owner of its own."""
    members: dict[str, Any] = {"purposes": ("artifact",), "not_before_us": SEALED_US - 365 * DAY_US} | changes
    owners = [f"person{place}" for place in range(len(signers))]
    each = (
        trust.TrustedKey(key.public.pem.decode(), **({"owner": owner} | members))
        for owner, key in zip(owners, signers, strict=True)
    )
    return trust.TrustPolicy(tuple(each), threshold)


def test_a_good_artifact_is_what_was_sealed(sealed: Sealed, artifact: document.Artifact) -> None:
    """With everything that can be asked of it."""
    found = sealed.verify(stream="fraud", attributes={"model": "m-2013", "country": "DE"})
    assert found.artifact == artifact
    assert found.digest == document.digest(sealed.files["artifact.json"])
    assert found.keyids == (sealed.key.public.keyid,)
    assert found.owners == ("person0",)
    assert sealed.verify(newest_version=found.newest) == found


# ---------------------------------------------------------------- every byte


def changes(content: bytes, masks: tuple[int, ...] | None = None) -> Iterator[bytes]:
    """The content with one byte changed, for every byte (one bit of each in turn, or each mask), and every prefix."""
    for place in range(len(content)):
        for mask in masks or (1 << place % 8,):
            yield content[:place] + bytes([content[place] ^ mask]) + content[place + 1 :]
        yield content[:place]
    yield content + b"\n"


def demand_every_byte(sealed: Sealed, masks: tuple[int, ...] | None = None) -> None:
    for name, content in sealed.files.items():
        for other in changes(content, masks):
            assert sealed.code(files=sealed.files | {name: other}) == "CAL-653"
    for other in changes(sealed.signature, masks):
        assert sealed.code(signature=other) in {"CAL-650", "CAL-651", "CAL-657"}


def test_every_flipped_byte_and_every_truncation_is_refused(good: Sealed) -> None:
    """Of every file; not even a byte that the signature does not cover can change."""
    demand_every_byte(good)


@pytest.mark.theory
def test_every_bit_of_every_byte(sealed: Sealed) -> None:
    """All eight bits and the complement, for both kinds of keys."""
    demand_every_byte(sealed, (1, 2, 4, 8, 16, 32, 64, 128, 255))


def test_the_signature_is_looked_at_before_the_document(good: Sealed) -> None:
    """What nobody signed is not parsed: the change is found by its digest, whatever the change is."""
    for content in (b"", b"\xff", b"[" * 99_999, b"{}"):
        assert good.code(files=good.files | {"artifact.json": content}) == "CAL-653"


# ---------------------------------------------------------------- files and names


def test_missing_and_added_files_are_refused(good: Sealed) -> None:
    """Exactly what was signed."""
    without = {"artifact.json": good.files["artifact.json"]}
    assert good.code(files=without) == "CAL-654"
    assert good.code(files={}) == "CAL-654"
    assert good.code(files=good.files | {"setup.py": b""}) == "CAL-655"


def test_swapped_contents_and_names_are_refused(good: Sealed, artifact: document.Artifact) -> None:
    """Two files of one artifact, two artifacts of one key, one signature for the other."""
    swapped = dict(zip(good.files, reversed(good.files.values()), strict=True))
    assert good.code(files=swapped) == "CAL-653"
    other = good.files | {"artifact.json": document.dumps(dataclasses.replace(artifact, version=8))}
    assert good.code(files=other) == "CAL-653"
    assert good.code(signature=signing.sign(other, good.key)) == "CAL-653"


def signed(good: Sealed, payload: bytes) -> bytes:
    """A signature file over any payload, made with the trusted key."""
    return bundle.dumps(bundle.sign(payload, good.key))


def test_what_a_trusted_key_signed_by_mistake_is_refused(good: Sealed, artifact: document.Artifact) -> None:
    """Another name, other evidence, another document, another kind of statement."""
    named = statement.dumps(statement.of("fraud@8", good.files))
    assert good.code(signature=signed(good, named)) == "CAL-656"
    files = good.files | {"evidence.json": b"{}"}
    assert good.code(files=files, signature=signed(good, statement.dumps(statement.of("fraud@7", files)))) == "CAL-668"
    alone = {"artifact.json": good.files["artifact.json"]}
    assert good.code(files=alone, signature=signed(good, statement.dumps(statement.of("fraud@7", alone)))) == "CAL-668"
    more = good.files | {"weights.bin": b"1"}
    assert good.code(files=more, signature=signed(good, statement.dumps(statement.of("fraud@7", more)))) == "CAL-655"
    broken = {"artifact.json": b"{}\n"}
    assert (
        good.code(files=broken, signature=signed(good, statement.dumps(statement.of("fraud@7", broken)))) == "CAL-640"
    )
    for payload in (
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"subject":[]}',
        named + b"\n",
        named.replace(b"v1.0", b"v1.1"),
    ):
        assert good.code(signature=signed(good, payload)) == "CAL-652"


def test_nothing_unfit_is_signed(good: Sealed) -> None:
    """The signer refuses what verification would."""
    assert refused(lambda: signing.sign({}, good.key)) == "CAL-654"
    assert refused(lambda: signing.sign(good.files | {"evidence.json": b"{}"}, good.key)) == "CAL-668"
    assert refused(lambda: signing.sign(good.files | {"setup.py": b""}, good.key)) == "CAL-655"


# ---------------------------------------------------------------- keys


def test_unknown_keys_and_keys_for_other_things_are_refused(good: Sealed) -> None:
    """A key is trusted for a purpose."""
    stranger = keys.generate()
    assert good.code(signature=signing.sign(good.files, stranger)) == "CAL-657"
    assert good.code(trust=trust.TrustPolicy(())) == "CAL-657"
    assert good.code(trust=policy_of(good.key, purposes=("checkpoint",))) == "CAL-658"


def test_another_keys_name_on_a_signature_is_refused(good: Sealed) -> None:
    """Both names of the key belong to the form; neither can point elsewhere."""
    stranger = keys.generate()
    both = policy_of(good.key, stranger)
    made = bundle.loads(good.signature)
    assert (
        good.code(trust=both, signature=bundle.dumps(dataclasses.replace(made, keyid=stranger.public.keyid)))
        == "CAL-651"
    )
    assert good.code(signature=bundle.dumps(dataclasses.replace(made, hint=bundle.hint(stranger.public)))) == "CAL-651"


def test_a_key_is_good_for_what_it_sealed_in_its_time(good: Sealed) -> None:
    """Both ends included, and the allowance for clocks on top."""
    skew = verify.SKEW_US
    for first, last, fine in (
        (SEALED_US, None, True),
        (SEALED_US + skew, SEALED_US + 2 * skew, True),
        (SEALED_US + skew + 1, None, False),
        (0, SEALED_US, True),
        (0, SEALED_US - skew, True),
        (0, SEALED_US - skew - 1, False),
    ):
        policy = policy_of(good.key, not_before_us=first, not_after_us=last)
        if fine:
            assert good.verify(trust=policy)
        else:
            assert good.code(trust=policy) == "CAL-660"
    assert good.code(trust=policy_of(good.key, not_before_us=SEALED_US + 1), skew_us=0) == "CAL-660"


def test_rotation_keeps_what_was_sealed_and_revocation_does_not(good: Sealed, artifact: document.Artifact) -> None:
    """The story of a key: in use, retired beside a new one, revoked."""
    new = keys.generate()
    rotated = good.policy.retired(good.key.public.keyid, at_us=NOW_US).with_key(policy_of(new).keys[0])
    assert good.verify(trust=rotated, now_us=NOW_US + 60 * DAY_US)
    later = dataclasses.replace(artifact, version=8, sealed_at_us=NOW_US + DAY_US)
    files = good.files | {"artifact.json": document.dumps(later)}
    after = {"trust": rotated, "now_us": NOW_US + 2 * DAY_US, "files": files}
    assert good.code(**after, signature=signing.sign(files, good.key)) == "CAL-660"
    assert good.verify(**after, signature=signing.sign(files, new))
    revoked = rotated.revoked(good.key.public.keyid, at_us=NOW_US)
    assert good.code(trust=revoked) == "CAL-659"
    assert good.verify(**(after | {"trust": revoked}), signature=signing.sign(files, new))


def test_a_threshold_counts_owners_not_keys(good: Sealed) -> None:
    """Two signatures of one person are one; nothing is signed by nobody."""
    second = keys.generate("ecdsa-p256")
    pair = [good.signature, signing.sign(good.files, second)]
    two = policy_of(good.key, second, threshold=2)
    assert good.code(trust=two) == "CAL-661"
    assert good.code(trust=two, signature=[good.signature] * 2) == "CAL-661"
    assert good.code(trust=policy_of(good.key, second, threshold=2, owner="alice"), signature=pair) == "CAL-661"
    assert good.code(signature=[]) == "CAL-661"
    assert good.verify(trust=two, signature=pair).owners == ("person0", "person1")
    assert good.code(trust=two, signature=[good.signature, pair[1][:-1]]) == "CAL-650"


# ---------------------------------------------------------------- time and use


def test_expiry_and_the_future(good: Sealed) -> None:
    """Clocks may differ by the allowance, no more."""
    ends, skew = SEALED_US + 90 * DAY_US, verify.SKEW_US
    assert good.verify(now_us=ends + skew - 1)
    assert good.code(now_us=ends + skew) == "CAL-662"
    assert good.code(now_us=ends, skew_us=0) == "CAL-662"
    assert good.verify(now_us=SEALED_US - skew)
    assert good.code(now_us=SEALED_US - skew - 1) == "CAL-663"


def test_other_streams_and_other_predictions(good: Sealed) -> None:
    """The selector is inside the signature and binding."""
    assert good.code(stream="churn") == "CAL-664"
    for attributes in ({}, {"model": "m-2014"}, {"Model": "m-2013"}, {"country": "DE"}):
        assert good.code(attributes=attributes) == "CAL-665"


def test_older_versions_and_second_contents_are_refused(good: Sealed) -> None:
    """No way back, and no two contents under one number."""
    digest = good.verify().digest
    assert good.verify(newest_version=verify.NewestVersion(6, "sha256:" + "0" * 64))
    assert good.verify(newest_version=verify.NewestVersion(7, digest))
    assert good.code(newest_version=verify.NewestVersion(8, digest)) == "CAL-666"
    assert good.code(newest_version=verify.NewestVersion(7, "sha256:" + "0" * 64)) == "CAL-667"


# ---------------------------------------------------------------- any structure

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def grafted(value: Any, draw: st.DataObject) -> Any:
    """The same JSON with one member, somewhere, replaced, removed or added."""
    if isinstance(value, dict) and value and draw.draw(st.integers(0, 4)):
        name = draw.draw(st.sampled_from(sorted(value)))
        match draw.draw(st.sampled_from(["in", "in", "remove", "add"])):
            case "remove":
                return {k: v for k, v in value.items() if k != name}
            case "add":
                return value | {draw.draw(st.text(max_size=6)): draw.draw(JSON)}
            case _:
                return value | {name: grafted(value[name], draw)}
    if isinstance(value, list) and value and draw.draw(st.integers(0, 4)):
        place = draw.draw(st.integers(0, len(value) - 1))
        return [*value[:place], grafted(value[place], draw), *value[place + 1 :]]
    return draw.draw(JSON)


def write(value: Any) -> bytes:
    """Canonical where that exists, else as Python writes it: NaN and all."""
    try:
        return canonical.dumps(value) + b"\n"
    except ValueError:
        return json.dumps(value).encode() + b"\n"


ANY = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.data())
@ANY
def test_any_other_bundle_is_refused(good: Sealed, data: st.DataObject) -> None:
    """Whatever is in its place: an ArtifactError, and never another exception."""
    other = write(grafted(json.loads(good.signature), data))
    if other != good.signature:
        good.code(signature=other)


@given(st.data())
@ANY
def test_any_other_signed_statement_is_refused(good: Sealed, data: st.DataObject) -> None:
    """Even when the trusted key signed it."""
    payload = base64.b64decode(json.loads(good.signature)["dsseEnvelope"]["payload"])
    other = write(grafted(json.loads(payload), data))[:-1]
    if other != payload:
        good.code(signature=signed(good, other))


@given(st.data())
@ANY
def test_any_other_signed_document_is_refused_or_is_what_it_says(good: Sealed, data: st.DataObject) -> None:
    """A trusted key over a document that was changed: ArtifactError, or an artifact with exactly these bytes."""
    content = write(grafted(json.loads(good.files["artifact.json"]), data))
    files = good.files | {"artifact.json": content}
    payload = statement.dumps(statement.of("fraud@7", files))
    try:
        found = good.verify(files=files, signature=signed(good, payload))
    except errors.ArtifactError:
        return
    assert document.dumps(found.artifact) == content


@given(st.data())
@ANY
def test_any_other_trust_policy_is_refused_or_is_what_it_says(good: Sealed, data: st.DataObject) -> None:
    """The policy is a file too."""
    content = write(grafted(json.loads(trust.dumps(good.policy)), data))
    try:
        policy = trust.loads(content)
    except errors.ArtifactError:
        return
    assert trust.dumps(policy) == content


def test_folder_names_are_those_of_the_statement() -> None:
    """What model-signing ignores is where signatures lie."""
    payload = json.loads(statement.dumps(statement.of("fraud@7", {})))
    assert payload["predicate"]["serialization"]["ignore_paths"] == [folder.SIGNATURE, folder.SIGNATURES]
