"""The bytes of artifacts: drawn up, sealed, signed, looked at again before they may serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from calibrant import errors
from calibrant.artifacts import bundle, document, folder, keys, signing, trust, verify
from calibrant.ports import contents, control_store
from calibrant.registry import artifacts, policy, principals, refusals, resources
from calibrant.registry import trust as trusted
from calibrant.workflow import ledger as ledgers


def next_version(reader: control_store.ControlReader, stream: str) -> int:
    """The version that the next artifact of a stream has."""
    return artifacts.next_version(reader.browse(artifacts.KIND, prefix=stream + "@"))


def parent_of(reader: control_store.ControlReader, stream: str) -> str | None:
    """The digest of the newest artifact that was signed: what the next one replaces."""
    every = [artifacts.read(one) for one in reader.browse(artifacts.KIND, prefix=stream + "@")]
    signed = [one for one in every if one.state in ("signed", "deprecated")]
    return max(signed, key=lambda one: one.version).digest if signed else None


def draft(
    ledger: ledgers.Ledger,
    kept: contents.Contents,
    drawn_up: document.Artifact,
    *,
    evidence: bytes | None,
    by: principals.Principal,
) -> artifacts.Status:
    """Keep a draft with the evidence that it was validated with; the same version can be drafted anew until sealed."""
    named = None if evidence is None else document.digest(evidence)
    if named != drawn_up.evidence:
        raise errors.UsageError(
            "CAL-947",
            "the draft names other evidence",
            cause=f"it names {drawn_up.evidence or 'none'}",
            fix="draft it with the evidence that it was validated with",
        )
    # nothing is written for somebody who may not do this
    policy.demand("artifact.draft", by.roles, who=by.name)
    if evidence is not None:
        kept.put(evidence)
    digest = kept.put(document.dumps(drawn_up))
    status = artifacts.Status(
        drawn_up.stream, drawn_up.version, "draft", digest, drawn_up.evidence, drawn_up.parent, drawn_up.expires_us,
        by.person,
    )  # fmt: skip
    ledger.execute(by, artifacts.draft(status, found=ledger.reader.get(artifacts.KIND, status.name)))
    return status


def seal(
    ledger: ledgers.Ledger, kept: contents.Contents, name: str, *, by: principals.Principal, now_us: int
) -> artifacts.Status:
    """Freeze a draft: its bytes get the time of sealing, and a digest that is its name from then on."""
    policy.demand("artifact.seal", by.roles, who=by.name)
    found = _the(ledger.reader, name)
    drawn_up = document.loads(kept.get(artifacts.read(found).digest))
    sealed = document.dumps(replace(drawn_up, sealed_at_us=now_us))
    ledger.execute(by, artifacts.seal(found, digest=kept.put(sealed)))
    return artifacts.read(_the(ledger.reader, name))


def sign(
    ledger: ledgers.Ledger,
    kept: contents.Contents,
    name: str,
    *,
    key: keys.PrivateKey,
    by: principals.Principal,
    now_us: int,
) -> artifacts.Status:
    """Sign the sealed bytes. The signature is verified with the trusted keys before it is kept."""
    # no signature comes into the world for somebody who may not sign
    policy.demand("artifact.sign", by.roles, who=by.name)
    found = _the(ledger.reader, name)
    status = artifacts.read(found)
    if key.public.keyid in [bundle.loads(kept.get(one)).keyid for one in status.signatures]:
        raise errors.RefusedError(
            "CAL-934",
            f"{name} was signed with this key already",
            cause="a second signature with it would prove nothing more",
            fix="nothing is left to do, or sign with the key of another owner: --key",
        )
    files = files_of(kept, status)
    signature = signing.sign(files, key)
    verify.verify(files, signature, trust=_alone(trust_policy(ledger.reader)), now_us=now_us, stream=status.stream)
    ledger.execute(by, artifacts.sign(found, digest=status.digest, bundle=kept.put(signature)))
    return artifacts.read(_the(ledger.reader, name))


def deprecate(
    ledger: ledgers.Ledger, name: str, *, by: principals.Principal, reason: str | None = None
) -> artifacts.Status:
    """Let no binding take it up any more."""
    ledger.execute(by, artifacts.deprecate(_the(ledger.reader, name), reason=reason))
    return artifacts.read(_the(ledger.reader, name))


def verified(
    reader: control_store.ControlReader, kept: contents.Contents, status: artifacts.Status, *, now_us: int
) -> verify.Verified:
    """The artifact, as a serving process would verify it, and the same one that the registry means."""
    trusted_now = trust_policy(reader)
    found = verify.verify(
        files_of(kept, status),
        _still_trusted(signatures_of(kept, status), trusted_now),
        trust=trusted_now,
        now_us=now_us,
        stream=status.stream,
    )
    if found.artifact.version != status.version:
        raise errors.ArtifactError(
            "CAL-674",
            f"the content of {status.name} is that of another version",
            cause=f"the document calls itself {found.artifact.name}",
            fix="verify the audit log, and revoke the artifact: calibrant audit verify",
        )
    return found


def export(reader: control_store.ControlReader, kept: contents.Contents, status: artifacts.Status, path: Path) -> None:
    """Write the artifact as a folder that ``calibrant artifact verify`` and the model-signing command take."""
    signatures = _still_trusted(signatures_of(kept, status), trust_policy(reader))
    folder.write(path, files_of(kept, status), signatures, keyids=[bundle.loads(one).keyid for one in signatures])


def files_of(kept: contents.Contents, status: artifacts.Status) -> Mapping[str, bytes]:
    """The files of an artifact, by name."""
    evidence = None if status.evidence is None else kept.get(status.evidence)
    return folder.files(kept.get(status.digest), evidence)


def signatures_of(kept: contents.Contents, status: artifacts.Status) -> Sequence[bytes]:
    """Its signature bundles; RefusedError for an artifact that nobody signed."""
    if not status.signatures:
        raise refusals.wrong_state(status.name, status.state, needs="signed", fix="sign it: calibrant artifact sign")
    return [kept.get(one) for one in status.signatures]


def trust_policy(reader: control_store.ControlReader) -> trust.TrustPolicy:
    """The keys that are trusted now; nobody's where none were declared."""
    found = reader.get(trusted.KIND, trusted.NAME)
    return trust.TrustPolicy(()) if found is None or found.body is None else trust.from_dict(found.body)


def _still_trusted(signatures: Sequence[bytes], keys_now: trust.TrustPolicy) -> Sequence[bytes]:
    """Without those of revoked keys, where others remain: an artifact that was signed anew is good again."""
    revoked = {key.public.keyid for key in keys_now.keys if key.revoked_at_us is not None}
    return [one for one in signatures if bundle.loads(one).keyid not in revoked] or signatures


def _alone(keys_now: trust.TrustPolicy) -> trust.TrustPolicy:
    """The same keys, where one signature is looked at by itself."""
    return replace(keys_now, threshold=1)


def _the(reader: control_store.ControlReader, name: str) -> resources.Resource:
    return refusals.present(reader.get(artifacts.KIND, name), kind=artifacts.KIND, name=name)
