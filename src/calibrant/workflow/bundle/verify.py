"""Verifies an evidence bundle with Python 3.8 or newer and nothing else: no package, no network, no Calibrant.

    python verify.py                    the bundle that this file lies in, as a folder or still as a zip
    python verify.py bundle.zip         another one: by a copy of this file that you trust
    python verify.py --trust KEYID      demand that a key which you know has signed; may be given again

Whoever made a bundle could have changed this file too. Read it, or use a copy from a Calibrant that you trust, and
compare the fingerprints of the keys with those that you were given in another way: they are what everything rests on.

Exit code 0: everything fits together; 1: something does not; 2: this is no bundle that can be read.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import stat
import struct
import sys
import zipfile
import zlib
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

SCHEMA = "calibrant.evidence-bundle/1"
#: How far clocks may differ: five minutes.
SKEW_US = 300_000_000
#: A bundle with more, or with larger files, is not read.
MOST_FILES, LARGEST_FILE, LARGEST_BUNDLE = 1_000, 2**28, 2**30
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
SLOTS = ("champion", "challenger", "shadow")
#: What damaged or hostile content makes the readers below raise.
MALFORMED = (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError)


class Bad(Exception):
    """Something does not fit, in words."""


class Unusable(Exception):
    """There is nothing that could be verified."""


def need(condition: bool, text: str) -> None:
    """Raise Bad with the text unless the condition holds."""
    if not condition:
        raise Bad(text)


# ------------------------------------------------------------------ Ed25519 (RFC 8032, section 5.1), strict

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def ed_add(a: Any, b: Any) -> Any:
    """Sum of two points in extended coordinates."""
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def ed_multiply(factor: int, point: Any) -> Any:
    total = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = ed_add(total, point)
        point, factor = ed_add(point, point), factor >> 1
    return total


def ed_encode(point: Any) -> bytes:
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return int(y | (x & 1) << 255).to_bytes(32, "little")


def ed_decode(data: bytes) -> Any:
    """The point of 32 bytes; None if they are not the one encoding of a point on the curve."""
    number = int.from_bytes(data, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


ED_BASE = ed_decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519_verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature is the key's; keys of small order and scalars beyond the order are refused."""
    point = ed_decode(public) if len(public) == 32 else None
    if point is None or len(signature) != 64 or ed_encode(ed_multiply(8, point)) == ed_encode((0, 1, 1, 0)):
        return False
    first, scalar = signature[:32], int.from_bytes(signature[32:], "little")
    if scalar >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(first + public + message).digest(), "little") % L
    negative = (P - point[0], point[1], 1, P - point[3])
    return ed_encode(ed_add(ed_multiply(scalar, ED_BASE), ed_multiply(challenge, negative))) == first


# ------------------------------------------------------------------ ECDSA on P-256 with SHA-256 (FIPS 186-5), strict

Q = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def ec_add(a: Any, b: Any) -> Any:
    """Sum of two points; None is the point at infinity."""
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % Q == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, Q) % Q
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, Q) % Q
    x = (slope * slope - a[0] - b[0]) % Q
    return (x, (slope * (a[0] - x) - a[1]) % Q)


def ec_multiply(factor: int, point: Any) -> Any:
    total = None
    while factor:
        if factor & 1:
            total = ec_add(total, point)
        point, factor = ec_add(point, point), factor >> 1
    return total


def der_pair(data: bytes) -> Any:
    """The two integers of an ECDSA signature in DER; None if this is not their one encoding."""
    if len(data) < 8 or data[0] != 0x30 or data[1] != len(data) - 2 or data[1] > 0x7F:
        return None
    numbers: list[int] = []
    rest = data[2:]
    while len(rest) >= 3 and len(numbers) < 2:
        length = rest[1]
        content, after = rest[2 : 2 + length], rest[2 + length :]
        padded = length > 1 and content[:1] == b"\0" and content[1] < 0x80
        if rest[0] != 0x02 or not 1 <= length <= 33 or len(content) != length or content[0] >= 0x80 or padded:
            return None
        numbers.append(int.from_bytes(content, "big"))
        rest = after
    return tuple(numbers) if len(numbers) == 2 and not rest else None


def p256_verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature is the key's; ``public`` are the 64 bytes of its point."""
    point = (int.from_bytes(public[:32], "big"), int.from_bytes(public[32:], "big"))
    pair = der_pair(signature)
    on_curve = (point[1] ** 2 - point[0] ** 3 + 3 * point[0] - B) % Q == 0 and max(point) < Q and len(public) == 64
    if not on_curve or pair is None or not 0 < min(pair) <= max(pair) < N:
        return False
    inverse = pow(pair[1], -1, N)
    number = int.from_bytes(hashlib.sha256(message).digest(), "big")
    found = ec_add(ec_multiply(number * inverse % N, G), ec_multiply(pair[0] * inverse % N, point))
    return found is not None and found[0] % N == pair[0]


# ------------------------------------------------------------------ keys

ED25519_DER = bytes.fromhex("302a300506032b6570032100")
P256_DER = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


class Key:
    """A key of the trust policy: its PEM text, and what the policy says of it."""

    def __init__(self, said: Any) -> None:
        self.pem: str = said["public_key"]
        lines = self.pem.split("\n")
        self.der = base64.b64decode("".join(lines[1:-2]), validate=True)
        text = base64.b64encode(self.der).decode()
        rows = [text[at : at + 64] for at in range(0, len(text), 64)]
        same = ["-----BEGIN PUBLIC KEY-----", *rows, "-----END PUBLIC KEY-----", ""] == lines
        need(same, "a public key is not written in its one form")
        self.is_ed25519 = self.der[:12] == ED25519_DER and len(self.der) == 44
        is_p256 = self.der[:27] == P256_DER and len(self.der) == 91
        need(self.is_ed25519 or is_p256, "a public key is neither Ed25519 nor P-256")
        self.raw = self.der[12:] if self.is_ed25519 else self.der[27:]
        self.keyid = hashlib.sha256(self.der).hexdigest()
        self.owner: str = said["owner"]
        self.purposes: list[str] = said["purposes"]
        self.not_before_us: int = said["not_before_us"]
        self.not_after_us: int | None = said["not_after_us"]
        self.revoked: bool = said["revoked_at_us"] is not None

    def verifies(self, signature: bytes, message: bytes) -> bool:
        verifies = ed25519_verifies if self.is_ed25519 else p256_verifies
        return verifies(self.raw, signature, message)

    def demand(self, purpose: str) -> None:
        need(purpose in self.purposes, f"the key {self.keyid[:16]} does not sign {purpose}s")
        need(not self.revoked, f"the key {self.keyid[:16]} was revoked")


# ------------------------------------------------------------------ forms


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    need(len(dict(pairs)) == len(pairs), "a key is given twice")
    return dict(pairs)


def whole(text: str) -> int:
    need(len(text) < 20, "a number is too large")
    return int(text)


def constant(text: str) -> Any:
    raise Bad(f"{text} is no JSON")


def parse(data: bytes) -> Any:
    """JSON in UTF-8 without room for two meanings."""
    return json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_int=whole, parse_constant=constant)


def canonical(value: Any) -> bytes:
    """RFC 8785 for what decisions and entries are made of: no fractions, and names of members in ASCII."""
    demand_plain(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8")


def demand_plain(value: Any) -> None:
    if isinstance(value, dict):
        need(all(ord(letter) < 128 for name in value for letter in name), "a member has a foreign name")
        for each in value.values():
            demand_plain(each)
    elif isinstance(value, list):
        for each in value:
            demand_plain(each)
    else:
        need(value is None or isinstance(value, (str, int)), "there is a fraction where none belongs")


def unbase64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 in a second spelling")
    return data


def moment(us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=us)).strftime("%Y-%m-%d %H:%M:%S UTC")


def plain(text: Any) -> str:
    """Text without anything that a terminal could obey."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(text))


class Revision(NamedTuple):
    """One revision of one decision, with the audit entry that tells of it."""

    number: int
    body: Any
    entry: Any

    @property
    def place(self) -> int:
        """Where in the log that entry is."""
        return int(self.entry["index"])

    @property
    def at_us(self) -> int:
        return int(self.entry["at_us"])

    @property
    def action(self) -> str:
        return str(self.entry["action"])


# ------------------------------------------------------------------ the bundle


class Bundle:
    """The files of a bundle, and what they say. Whatever is read from them raises Bad or one of MALFORMED."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        #: Keys that have signed something here.
        self.signers: dict[str, str] = {}

    def file(self, name: str) -> bytes:
        need(name in self.files, f"{name} is missing")
        return self.files[name]

    @cached_property
    def artifact(self) -> Any:
        return parse(self.file("artifact/artifact.json"))

    @cached_property
    def name(self) -> str:
        return f"{self.artifact['stream']}@{self.artifact['version']}"

    @cached_property
    def digest(self) -> str:
        return digest(self.file("artifact/artifact.json"))

    @cached_property
    def evidence(self) -> str | None:
        held = self.files.get("artifact/evidence.json")
        return None if held is None else digest(held)

    @cached_property
    def policy(self) -> Any:
        return parse(self.file("keys/trust.json"))

    @cached_property
    def keys(self) -> dict[str, Key]:
        every = [Key(said) for said in self.policy["keys"]]
        return {key.keyid: key for key in every}

    @cached_property
    def note(self) -> tuple[str, str, int, bytes]:
        """The signed text of the checkpoint, the name of the log, its size and its root; the signature is checked."""
        body, _, signed = self.file("audit/checkpoint.txt").decode("utf-8").rpartition("\n\n")
        text = body + "\n"
        origin, size, root = body.split("\n")[:3]
        need(re.fullmatch("0|[1-9][0-9]{0,18}", size) is not None and signed.endswith("\n"), "this is no checkpoint")
        for line in signed[:-1].split("\n"):
            found = re.fullmatch(r"\u2014 (\S+) (\S+)", line)
            need(found is not None and len(signed) < 16_384, "this is no checkpoint")
            assert found is not None
            signature = unbase64(found[2])
            for key in self.keys.values():
                hint = hashlib.sha256(origin.encode() + b"\n\x01" + key.raw).digest()[:4]
                named = key.is_ed25519 and found[1] == origin and signature[:4] == hint
                if named and key.verifies(signature[4:], text.encode()):
                    key.demand("checkpoint")
                    self.signers[key.keyid] = f"the audit log, {plain(key.owner)}"
                    return text, origin, int(size), unbase64(root)
        raise Bad("no key of the trust policy has signed the checkpoint")

    @cached_property
    def entries(self) -> list[Any]:
        """The audit entries, each proved to be in the log that the checkpoint was signed for."""
        _, _, size, root = self.note
        every: list[Any] = []
        for said in parse(self.file("audit/entries.json"))["entries"]:
            data = said["entry"].encode("utf-8")
            entry = parse(data)
            need(canonical(entry) == data and entry["schema"] == "calibrant.audit/1", "an audit entry has another form")
            proof = [unbase64(text) for text in said["proof"]]
            leaf = hashlib.sha256(b"\0" + data).digest()
            need(includes(leaf, entry["index"], size, proof, root), f"entry {entry['index']} is not in the signed log")
            need(not every or entry["index"] > every[-1]["index"], "the entries are not in their order")
            need(not every or entry["at_us"] >= every[-1]["at_us"], "the times of the entries fall")
            every.append(entry)
        return every

    @cached_property
    def history(self) -> dict[tuple[str, str], list[Revision]]:
        """All decisions by kind and name: each revision is what an entry says, none is missing in between."""
        bodies = {}
        for name in self.files:
            if name.startswith("decisions/"):
                for said in parse(self.files[name])["revisions"]:
                    place = (said["kind"], said["name"], said["revision"])
                    need(place not in bodies, "a decision is there twice")
                    bodies[place] = said["body"]
        found: dict[tuple[str, str], list[Revision]] = {}
        for entry in self.entries:
            about = entry["resource"]
            place = (about["kind"], about["name"], about["revision"])
            what = f"{place[0]} {place[1]} revision {place[2]}"
            need(place in bodies, f"the content of {what} is missing")
            body, chain = bodies.pop(place), found.setdefault(place[:2], [])
            before = chain[-1].entry["after"] if chain else None
            need(place[2] == len(chain) + 1 and entry["before"] == before, f"what came before {what} is missing")
            after = None if body is None else digest(canonical(body))
            need(after == entry["after"], f"{what} is not what the audit log says of it")
            chain.append(Revision(place[2], body, entry))
        need(not bodies, "there is a decision that no entry tells of")
        return found

    def revisions(self, kind: str, name: str) -> list[Revision]:
        need((kind, name) in self.history, f"the {kind} {name} is missing")
        return self.history[kind, name]

    def of_kind(self, kind: str) -> Iterator[tuple[str, list[Revision]]]:
        return ((name, chain) for (each, name), chain in sorted(self.history.items()) if each == kind)


def includes(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """Whether a proof leads from a leaf to the root (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, value = index, size - 1, leaf
    for beside in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            value = hashlib.sha256(b"\1" + beside + value).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            value = hashlib.sha256(b"\1" + value + beside).digest()
        at, last = at >> 1, last >> 1
    return last == 0 and value == root


# ------------------------------------------------------------------ the checks: each returns what it found out


def check_files(bundle: Bundle) -> list[str]:
    data = bundle.file("manifest.json")
    manifest = parse(data)
    form = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    need(form.encode("utf-8") == data, "manifest.json has another form")
    need(manifest["schema"] == SCHEMA, "this is a bundle of another kind")
    listed, held = manifest["files"], {name: digest(each) for name, each in bundle.files.items()}
    del held["manifest.json"]
    for name in sorted({**listed, **held}):
        need(name in held, f"{plain(name)} is missing")
        need(name in listed, f"{plain(name)} was added")
        need(listed[name] == held[name], f"{plain(name)} was changed")
    need(manifest["artifact"] == bundle.name, "the manifest is that of another artifact")
    return [f"{len(held)} files, manifest {digest(data)}"]


def check_keys(bundle: Bundle) -> list[str]:
    keys = bundle.keys
    need(len(keys) == len(bundle.policy["keys"]) > 0, "the trust policy names a key twice, or none")
    pems = {f"keys/{keyid}.pem": key.pem.encode() for keyid, key in keys.items()}
    held = {name: data for name, data in bundle.files.items() if name.startswith("keys/") and name.endswith(".pem")}
    need(pems == held, "the key files are not the keys of the trust policy")
    return [f"{len(keys)} keys"]


def check_checkpoint(bundle: Bundle) -> list[str]:
    _, origin, size, _ = bundle.note
    return [f"log {plain(origin)}, {size} entries"]


def check_entries(bundle: Bundle) -> list[str]:
    return [f"{len(bundle.entries)} entries, each with a proof"]


def check_decisions(bundle: Bundle) -> list[str]:
    return [f"{len(bundle.history)} decisions with all their revisions"]


def check_trust_is_on_record(bundle: Bundle) -> list[str]:
    newest = bundle.revisions("trust", "policy")[-1]
    need(canonical(newest.body) == canonical(bundle.policy), "the trust policy is not the one on record")
    return [f"set by {plain(newest.entry['actor'])} on {moment(newest.at_us)}"]


def check_signatures(bundle: Bundle) -> list[str]:
    """DSSE over an in-toto statement about exactly the files of the artifact."""
    artifact = {name[9:]: data for name, data in bundle.files.items() if name.startswith("artifact/")}
    files = {name: data for name, data in artifact.items() if name in ("artifact.json", "evidence.json")}
    payload = statement(bundle.name, files)
    signatures = [data for name, data in sorted(artifact.items()) if name not in files]
    need(len(signatures) > 0, "nobody signed the artifact")
    owners = {}
    for data in signatures:
        key = signer(bundle, data, payload)
        sealed = bundle.artifact["sealed_at_us"]
        late = key.not_after_us is not None and sealed > key.not_after_us + SKEW_US
        need(sealed >= key.not_before_us - SKEW_US and not late, f"the key of {key.owner} was not valid then")
        bundle.signers[key.keyid] = f"the artifact, {plain(key.owner)}"
        owners[key.owner] = key.keyid
    need(len(owners) >= bundle.policy["threshold"], "fewer owners signed than the trust policy asks for")
    return ["signed with the key of " + ", ".join(plain(owner) for owner in sorted(owners))]


def statement(name: str, files: dict[str, bytes]) -> bytes:
    """What must have been signed about files: an in-toto Statement v1 as OpenSSF model-signing writes it."""
    listed = [(file, hashlib.sha256(data).hexdigest()) for file, data in sorted(files.items())]
    subject = hashlib.sha256(b"".join(bytes.fromhex(each) for _, each in listed)).hexdigest()
    return canonical(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "predicate": {
                "resources": [{"algorithm": "sha256", "digest": each, "name": file} for file, each in listed],
                "serialization": {
                    "allow_symlinks": False,
                    "hash_type": "sha256",
                    "ignore_paths": ["model.sig", "signatures"],
                    "method": "files",
                },
            },
            "predicateType": "https://model_signing/signature/v1.0",
            "subject": [{"digest": {"sha256": subject}, "name": name}],
        }
    )


def signer(bundle: Bundle, data: bytes, payload: bytes) -> Key:
    """The trusted key that signed the payload with this signature file, whose bytes have one form."""
    held = parse(data)
    signed = held["dsseEnvelope"]["signatures"][0]
    kind, keyid = "application/vnd.in-toto+json", signed["keyid"]
    need(keyid in bundle.keys, "the artifact was signed with a key that the trust policy does not name")
    key = bundle.keys[keyid]
    key.demand("artifact")
    form = {
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": kind,
            "signatures": [{"keyid": keyid, "sig": signed["sig"]}],
        },
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "publicKey": {"hint": hashlib.sha256(key.pem.encode()).hexdigest()},
            "tlogEntries": [],
        },
    }
    need(canonical(form) + b"\n" == data, "what was signed are not these files")
    # DSSE, pre-authentication encoding
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)
    need(key.verifies(unbase64(signed["sig"]), message), "the signature of the artifact is wrong")
    return key


def check_artifact(bundle: Bundle) -> list[str]:
    """The artifact's own record: its bytes are those that were sealed and signed."""
    chain, facts = bundle.revisions("artifact", bundle.name), []
    order = ["draft", "sealed", "signed", "deprecated", "revoked"]
    signatures = {digest(data) for name, data in bundle.files.items() if re.match("artifact/.*[.]sig$", name)}
    for before, now in zip([None, *chain], chain):
        state = now.body["state"]
        earlier = "draft" if before is None else before.body["state"]
        need(order.index(state) >= order.index(earlier), "the artifact went back to an earlier state")
        if state != "draft":
            need(now.body["digest"] == bundle.digest, "other bytes were sealed than are here")
            need(now.body["evidence"] == bundle.evidence, "it was sealed with other evidence than is here")
        if before is None or state != earlier:
            done = "drafted" if state == "draft" else state
            facts.append(f"{done} by {plain(now.entry['actor'])} on {moment(now.at_us)}")
    last = chain[-1].body
    need(set(last["signatures"]) == signatures, "the signatures are not those on record")
    for member in ("stream", "version", "parent", "expires_us"):
        need(last[member] == bundle.artifact[member], f"the record has another {member} than the artifact")
    if last["state"] in ("deprecated", "revoked"):
        facts.append(f"NOTE: it is {last['state']} now")
    return [plain(bundle.name) + " " + bundle.digest, *facts]


def check_evidence(bundle: Bundle) -> list[str]:
    need(bundle.artifact["evidence"] == bundle.evidence, "the evidence is not the one that the artifact names")
    data = bundle.artifact["provenance"]["data_digest"]
    return [
        f"evidence {bundle.evidence}",
        f"data {plain(data)}: whoever has the data can compare; they are not in here",
    ]


def check_approvals(bundle: Bundle) -> list[str]:
    facts = []
    for name, chain in bundle.of_kind("approval"):
        said = [f"{plain(one['person'])} said {plain(one['verdict'])}" for one in voices(bundle, name, chain)]
        state = plain(chain[-1].body["state"])
        facts.append(f"{plain(name)}, asked by {plain(chain[0].body['proposed_by'])}: {', '.join(said)} ({state})")
    return facts or ["nobody was asked"]


def voices(bundle: Bundle, name: str, chain: list[Revision]) -> list[Any]:
    """What was said to a request by whom: about this artifact, by other people, each once, in time, as themselves."""
    first, drafter = chain[0].body, bundle.revisions("artifact", bundle.name)[-1].body["drafted_by"]
    what = f"the request {plain(name)}"
    about = (first["artifact"], first["digest"], first["evidence"], first["drafted_by"])
    need(about == (bundle.name, bundle.digest, bundle.evidence, drafter), f"{what} is about something else")
    fresh = first["state"] == "requested" and first["decisions"] == [] and first["needs"] >= 1
    need(fresh and chain[0].action == "approval.request", f"{what} does not begin as a request")
    for before, now in zip(chain, chain[1:]):
        fixed = {**now.body, "state": None, "decisions": None} == {**first, "state": None, "decisions": None}
        need(fixed, f"{what} was changed after it was made")
        state, said, earlier = now.body["state"], now.body["decisions"], before.body["decisions"]
        if now.action == "approval.decide":
            need(before.body["state"] == "requested", f"{what} was decided when it was no longer open")
            need(said[:-1] == earlier and len(said) == len(earlier) + 1, f"what was said to {what} was changed")
            last, enough = said[-1], len(said) >= first["needs"]
            need(last["principal"] == now.entry["actor"], f"somebody spoke in another's name to {what}")
            need(last["person"] not in (first["proposed_by"], drafter), f"{what} was approved by who asked or drafted")
            need(last["person"] not in [one["person"] for one in earlier], f"one person decided on {what} twice")
            need(last["at_us"] < first["expires_us"], f"{what} was decided after its deadline")
            approves = last["verdict"] == "approve"
            need(approves or last["verdict"] == "decline", f"{what} has another answer than yes or no")
            need(state == ("declined" if not approves else "approved" if enough else "requested"), f"{what}: wrong sum")
        else:
            step = (now.action, before.body["state"], state)
            allowed = step == ("binding.promote", "approved", "used") or (
                step[0] == "approval.withdraw" and step[1] in ("requested", "approved") and state == "withdrawn"
            )
            need(allowed and said == earlier, f"{what} was changed in a way that no rule allows")
    return list(chain[-1].body["decisions"])


def check_bindings(bundle: Bundle) -> list[str]:
    """Wherever the artifact was bound, it was promoted as the rules ask, or restored where it had been before."""
    facts = []
    for target, chain in bundle.of_kind("binding"):
        for slot in SLOTS:
            before, held_before = None, False
            for now in chain:
                ref = now.body[slot]
                mine = ref is not None and ref["artifact"] == bundle.name
                need(not mine or ref["digest"] == bundle.digest, f"{plain(target)} holds other bytes under this name")
                if mine and before != ref:
                    earlier = chain[now.number - 2].body["champion"] if now.number > 1 else None
                    how = taken_up(bundle, target, now, slot, restored=held_before, earlier=earlier)
                    facts.append((now.place, f"{slot} of {plain(target)} from {moment(now.at_us)}: {how}"))
                elif before is not None and before["artifact"] == bundle.name and not mine:
                    facts.append((now.place, f"{slot} of {plain(target)} until {moment(now.at_us)}: {told(now)}"))
                before, held_before = ref, held_before or mine
    return [fact for _, fact in sorted(facts)] or ["it was never bound"]


def told(now: Revision) -> str:
    return f"{plain(now.action)} by {plain(now.entry['actor'])}, entry {now.place}"


def taken_up(bundle: Bundle, target: str, now: Revision, slot: str, *, restored: bool, earlier: Any) -> str:
    """How the artifact came into a slot; Bad unless a rule allows it. ``earlier`` was champion just before."""
    what = f"{slot} of {plain(target)} at entry {now.place}"
    state = [one.body["state"] for one in bundle.revisions("artifact", bundle.name) if one.place < now.place]
    need(bool(state) and state[-1] not in ("draft", "sealed", "revoked"), f"it was not signed when it became {what}")
    if now.action == "binding.rollback":
        need(restored, f"nothing was restored: {what}")
        return told(now)
    if slot == "shadow":
        need(now.action in ("binding.assign", "binding.promote"), f"no rule allows this: {what}")
        return told(now)
    need(now.action in ("binding.promote", "binding.follow"), f"no rule allows this: {what}")
    if slot == "challenger" and earlier is not None and earlier["artifact"] == bundle.name:
        return told(now) + ", kept beside the new champion"
    need(state[-1] == "signed", f"it was deprecated when it became {what}")
    if now.action == "binding.follow":
        return told(now) + followed(bundle, slot, earlier, what)
    expires = bundle.artifact["expires_us"]
    need(expires is None or now.at_us < expires + SKEW_US, f"it had expired when it became {what}")
    environment = target.partition("/")[2]
    asked = [one.body["approvals"] for one in bundle.revisions("environment", environment) if one.place < now.place]
    need(bool(asked), f"nothing says how many must approve: {what}")
    if asked[-1] == 0:
        return told(now) + f", {plain(environment)} asks for no approval"
    return told(now) + ", approved by " + ", ".join(approvers(bundle, target, now, slot, asked[-1], what))


def followed(bundle: Bundle, slot: str, earlier: Any, what: str) -> str:
    """A map that moved by itself: a child of the champion before it. The envelope is signed with its anchor."""
    child = bundle.artifact["provenance"]["approach"] == "online" and bundle.artifact["envelope"] is not None
    need(slot == "champion" and child and earlier is not None, f"no rule allows this: {what}")
    need(earlier["digest"] == bundle.artifact["parent"], f"it does not follow what served before it became {what}")
    return f", a step after {plain(earlier['artifact'])} that needs no approval inside the envelope of its anchor"


def approvers(bundle: Bundle, target: str, now: Revision, slot: str, asked: int, what: str) -> list[str]:
    """The people whose approval a promotion used up, in the same moment and by the same hand."""
    about = (target, slot, now.number - 1, "used")
    used = [
        (name, chain)
        for name, chain in bundle.of_kind("approval")
        if tuple(chain[-1].body[member] for member in ("target", "slot", "target_revision", "state")) == about
    ]
    need(len(used) == 1, f"it was promoted without an approval: {what}")
    name, chain = used[0]
    same = (chain[-1].at_us, chain[-1].entry["actor"]) == (now.at_us, now.entry["actor"])
    need(same and chain[-2].place < now.place, f"the approval was used for something else: {what}")
    need(now.at_us < chain[0].body["expires_us"] + SKEW_US, f"the approval had expired: {what}")
    people = {one["person"] for one in voices(bundle, name, chain) if one["verdict"] == "approve"}
    need(len(people) >= max(asked, chain[0].body["needs"]), f"fewer people approved than must: {what}")
    return sorted(plain(person) for person in people)


def check_words(bundle: Bundle) -> list[str]:
    """The reasons that people gave are those that the entries commit to."""
    committed, held = {entry["reason"] for entry in bundle.entries}, parse(bundle.file("audit/words.json"))["words"]
    for word in held:
        salt = unbase64(word["salt"])
        bound = len(salt) == 16 and digest(salt + word["text"].encode("utf-8")) == word["commitment"]
        need(bound and word["commitment"] in committed, "a reason is not the one that was given then")
    return [f"{len(held)} of {len(committed - {None})} reasons are here; others were erased or left out"]


CHECKS: tuple[tuple[str, Callable[[Bundle], list[str]]], ...] = (
    ("every file is as it was put in", check_files),
    ("the public keys are those of the trust policy", check_keys),
    ("the checkpoint of the audit log is signed", check_checkpoint),
    ("the audit entries are in the signed log", check_entries),
    ("the decisions are what the audit log says", check_decisions),
    ("the trust policy is on record", check_trust_is_on_record),
    ("the artifact is signed, with its evidence", check_signatures),
    ("the artifact is the one that was sealed and signed", check_artifact),
    ("the evidence is the one that the artifact names", check_evidence),
    ("approvals came from other people, in time, for this", check_approvals),
    ("wherever it was bound, the rules were kept", check_bindings),
    ("reasons are what was said then", check_words),
)


# ------------------------------------------------------------------ reading and telling


def read(path: Path) -> dict[str, bytes]:
    """The files of a bundle by name; Unusable for what is neither a folder nor a zip of reasonable size."""
    try:
        files = dict(read_folder(path) if path.is_dir() else read_zip(path))
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        raise Unusable(f"{path} is not a zip that can be read ({type(error).__name__})") from None
    if "manifest.json" not in files:
        raise Unusable(f"{path} is no evidence bundle: it has no manifest.json")
    return files


def read_folder(path: Path) -> Iterator[tuple[str, bytes]]:
    count = total = 0
    for folder, folders, names in os.walk(path):
        for name in [*folders, *names]:
            place = Path(folder, name)
            found = place.lstat()
            if stat.S_ISDIR(found.st_mode):
                continue
            if not stat.S_ISREG(found.st_mode):
                raise Unusable("the folder holds a link or a special file")
            count, total = count + 1, total + found.st_size
            demand_size(count, found.st_size, total)
            with place.open("rb") as file:
                yield place.relative_to(path).as_posix(), file.read(LARGEST_FILE)


def read_zip(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        names, total = set(), 0
        for place in archive.infolist():
            if place.filename in names or place.is_dir() or place.compress_type not in METHODS:
                raise Unusable("the zip holds a name twice, a folder, or a file compressed in an unusual way")
            names.add(place.filename)
            total += place.file_size
            demand_size(len(names), place.file_size, total)
            with archive.open(place) as file:
                # no more than was announced, whatever the compressed bytes expand to
                data = file.read(place.file_size + 1)
            if len(data) != place.file_size:
                raise Unusable("a file of the zip has another size than it says")
            yield place.filename, data


def demand_size(count: int, size: int, total: int) -> None:
    if count > MOST_FILES or size > LARGEST_FILE or total > LARGEST_BUNDLE:
        raise Unusable("it is larger than any bundle")


def examine(bundle: Bundle, check: Callable[[Bundle], list[str]]) -> tuple[bool, list[str]]:
    """Whether a check is good, and what it found out or what is wrong."""
    try:
        return True, check(bundle)
    except Bad as error:
        return False, [plain(error)]
    except MALFORMED as error:
        return False, [f"something has another form ({type(error).__name__})"]


def verify(files: dict[str, bytes], trusted: list[str], tell: Callable[[str], None]) -> bool:
    """Run all checks and tell of each; whether everything is good."""
    bundle, good = Bundle(files), True
    for text, check in CHECKS:
        fine, facts = examine(bundle, check)
        good = good and fine
        tell(f"{'good' if fine else 'BAD '}  {text}")
        for fact in facts:
            tell(f"        {fact}")
    for keyid in trusted:
        known = keyid in bundle.signers
        good = good and known
        tell(f"{'good' if known else 'BAD '}  the key {keyid[:16]} that you trust has signed")
    for keyid, what in sorted(bundle.signers.items()):
        asked = "demanded by you" if keyid in trusted else "compare this fingerprint with one that you were given"
        tell(f"key   {keyid} signed {what}: {asked}")
    if good:
        tell("GOOD: everything fits together. It holds as far as the keys above are whose they seem to be.")
        tell("It shows what happened until the checkpoint; it cannot show that nothing was left out of the bundle.")
    else:
        tell("NOT GOOD: do not rely on this bundle.")
    return good


def main(arguments: list[str] | None = None) -> int:
    """The command; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(description="Verify an evidence bundle.", prog="verify.py")
    parser.add_argument("bundle", nargs="?", default=str(Path(__file__).resolve().parent))
    parser.add_argument("--trust", metavar="KEYID", action="append", default=[], help="a key that must have signed")
    given = parser.parse_args(arguments)
    trusted = [str(keyid).lower() for keyid in given.trust]
    if not all(re.fullmatch("[0-9a-f]{64}", keyid) for keyid in trusted):
        parser.error("a KEYID has 64 hexadecimal digits")
    try:
        files = read(Path(given.bundle))
    except Unusable as error:
        print(f"UNUSABLE: {plain(error)}")
        return 2
    return 0 if verify(files, trusted, print) else 1


if __name__ == "__main__":
    sys.exit(main())
