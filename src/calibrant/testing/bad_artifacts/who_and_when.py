"""Good artifacts in the wrong hands, at the wrong time, for the wrong use, and trust policies that are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from calibrant.artifacts import document, trust
from calibrant.testing.bad_artifacts import make
from calibrant.testing.bad_artifacts.make import DAY_US, DOCUMENT, FILES, SEALED_US, SIGNATURE, case, policy, trusted


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from _keys()
    yield from _owners()
    yield from _use()
    yield from _policies()


def _keys() -> Iterator[tuple[str, dict[str, Any]]]:
    stranger = [make.signed(FILES, "mallory")]
    yield "key-unknown", case("signed by somebody whom nobody trusts", expected="CAL-657", signatures=stranger)
    yield "key-none", case("nobody is trusted", expected="CAL-657", trust=policy())
    for name, expected, why, changes in (
        ("other-purpose", "CAL-658", "the key signs checkpoints of the audit log", {"purposes": ("checkpoint",)}),
        ("revoked", "CAL-659", "the key was revoked after the sealing", {"revoked_at_us": SEALED_US + 10}),
        ("revoked-later", "CAL-659", "the key was revoked much later", {"revoked_at_us": SEALED_US + 90 * DAY_US}),
        ("retired", "CAL-660", "sealed after the key was retired", {"not_after_us": SEALED_US - DAY_US}),
        ("not-yet", "CAL-660", "sealed before the key was valid", {"not_before_us": SEALED_US + DAY_US}),
    ):  # fmt: skip
        yield f"key-{name}", case(why, expected=expected, trust=policy(trusted("alice", **changes)))


def _owners() -> Iterator[tuple[str, dict[str, Any]]]:
    two = policy(trusted("alice"), trusted("bob"), threshold=2)
    yield "owners-one-of-two", case("two owners must sign and one did", expected="CAL-661", trust=two)
    yield (
        "owners-twice-the-same",
        case("one signature counted twice", expected="CAL-661", trust=two, signatures=[SIGNATURE] * 2),
    )
    yield "owners-nobody", case("there is no signature", expected="CAL-661", signatures=[])
    one = policy(trusted("alice"), trusted("bob", owner="alice"), threshold=2)
    both = [SIGNATURE, make.signed(FILES, "bob")]
    yield "owners-two-keys-of-one", case("two keys of one owner", expected="CAL-661", trust=one, signatures=both)
    second = [SIGNATURE, make.signed(FILES, "mallory")]
    yield (
        "owners-second-unknown",
        case("one of two signatures is a stranger's", expected="CAL-657", trust=two, signatures=second),
    )
    other = [SIGNATURE, make.signed(FILES | {"evidence.json": b"{}"}, "bob")]
    yield (
        "owners-second-about-another",
        case("the second signed other files", expected="CAL-653", trust=two, signatures=other),
    )


def _use() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "expired", case("its time is over", expected="CAL-662", now_us=SEALED_US + 91 * DAY_US)
    yield "from-the-future", case("sealed an hour from now", expected="CAL-663", now_us=SEALED_US - DAY_US // 24)
    yield "other-stream", case("asked for another stream", expected="CAL-664", stream="churn")
    yield (
        "other-model",
        case("asked for predictions of another model", expected="CAL-665", attributes={"model": "m-2014"}),
    )
    yield (
        "other-case",
        case("a model that differs in its letters' size", expected="CAL-665", attributes={"model": "m-2013".upper()}),
    )
    yield "no-attribute", case("asked for predictions of an unknown model", expected="CAL-665", attributes={})
    newer = {"version": 8, "digest": document.digest(make.other_version(8))}
    yield "older-version", case("a newer version was seen before", expected="CAL-666", newest_version=newer)
    same = {"version": 7, "digest": document.digest(DOCUMENT + b" ")}
    yield "same-version", case("another content was seen under this number", expected="CAL-667", newest_version=same)


def _policies() -> Iterator[tuple[str, dict[str, Any]]]:
    fine = policy(trusted("alice"))
    twice = trust.dumps(trust.TrustPolicy((trusted("alice"),))).replace(
        b'{"keys":[', b'{"keys":[%b,' % _first_key(fine)
    )
    for name, expected, why, content in (
        ("spaced", "CAL-643", "not in canonical form", fine.replace(b",", b", ")),
        ("no-json", "CAL-640", "no JSON", b"alice"),
        ("newer", "CAL-641", "of a newer schema", fine.replace(b"calibrant.trust/1", b"calibrant.trust/2")),
        ("unknown-key", "CAL-642", "a key that the schema does not have", b'{"anybody":true,' + fine[1:]),
        ("purpose", "CAL-642", "a purpose that does not exist", fine.replace(b'["artifact"]', b'["anything"]')),
        ("zero", "CAL-646", "nobody needs to sign", fine.replace(b'"threshold":1', b'"threshold":0')),
        ("twice", "CAL-646", "one key in two places", twice),
    ):  # fmt: skip
        assert content != fine
        yield f"trust-{name}", case(f"trust policy: {why}", expected=expected, trust=content)


def _first_key(content: bytes) -> bytes:
    begin = content.index(b"[") + 1
    return content[begin : content.index(b'],"schema"')]
