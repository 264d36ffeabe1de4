"""Whether an artifact may be trusted: one function, one code for each reason why not. It works offline.

Nothing in the artifact is read before a signature over it verified with a trusted key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from calibrant import errors
from calibrant.artifacts import bundle, checks, document, dsse, folder, signing, statement
from calibrant.artifacts import trust as trusting

#: How far the clocks of those who sign and those who verify may differ: five minutes.
SKEW_US: Final = 300_000_000


@dataclass(frozen=True, slots=True)
class NewestVersion:
    """The newest version of a stream that somebody has seen: what a client remembers between verifications."""

    version: int
    digest: str

    def __post_init__(self) -> None:
        checks.whole("version", self.version, least=1)
        checks.digest("digest", self.digest)


@dataclass(frozen=True, slots=True)
class Verified:
    """An artifact that may be trusted, the digest of its document, and who signed it."""

    artifact: document.Artifact
    digest: str
    keyids: tuple[str, ...]
    owners: tuple[str, ...]

    @property
    def newest(self) -> NewestVersion:
        """What to remember, and to give as ``newest_version`` next time."""
        return NewestVersion(self.artifact.version, self.digest)


def verify(
    files: Mapping[str, bytes],
    signature: bytes | Sequence[bytes],
    *,
    trust: trusting.TrustPolicy,
    now_us: int,
    stream: str | None = None,
    attributes: Mapping[str, str] | None = None,
    newest_version: NewestVersion | None = None,
    skew_us: int = SKEW_US,
) -> Verified:
    """The artifact in these files, or an ArtifactError that says why it must not be used.

    ``files`` are all files but signatures, by name; ``signature`` is the content of model.sig, or of several signature
    files where the policy wants several owners: each given one must be good. ``stream`` and ``attributes`` say what
    it is to be used for; None leaves that unchecked. ``newest_version`` refuses what is older than what was seen
    before, and other content under the same number. ``skew_us`` is how far clocks may differ.
    """
    bundles = [bundle.loads(each) for each in ([signature] if isinstance(signature, bytes) else signature)]
    signers = [_signer(each, trust) for each in bundles]
    _demand_enough(signers, trust)
    statements = [statement.loads(each.payload) for each in bundles]
    for signed in statements:
        statement.demand_same(signed, files)
    artifact = signing.read(files)
    for signed, signer in zip(statements, signers, strict=True):
        _demand_name(signed, artifact)
        trusting.demand_valid(signer, signed_at_us=artifact.sealed_at_us, skew_us=skew_us)
    _demand_time(artifact, now_us, skew_us)
    _demand_use(artifact, stream, attributes)
    keyids = tuple(signer.public.keyid for signer in signers)
    found = Verified(artifact, document.digest(files[folder.ARTIFACT]), keyids, _owners(signers))
    _demand_newest(found.newest, newest_version)
    return found


def _signer(signed: bundle.Bundle, trust: trusting.TrustPolicy) -> trusting.TrustedKey:
    """The trusted key that verifies the signature."""
    key = trust.find(signed.keyid, purpose="artifact")
    same = signed.hint == bundle.hint(key.public)
    if not same or not key.public.verifies(signed.signature, dsse.pae(signed.payload)):
        raise errors.ArtifactError(
            "CAL-651",
            "the signature does not verify",
            cause="the statement, the signature or the name of the key was changed after it was signed",
            fix="take artifact and signature again from where they were signed",
        )
    return key


def _owners(signers: Sequence[trusting.TrustedKey]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(signer.owner for signer in signers))


def _demand_enough(signers: Sequence[trusting.TrustedKey], trust: trusting.TrustPolicy) -> None:
    owners = len(_owners(signers))
    if owners < trust.threshold:
        raise errors.ArtifactError(
            "CAL-661",
            "too few have signed the artifact",
            cause=f"{owners} owner(s) of trusted keys signed, the trust policy wants {trust.threshold}",
            fix="have others sign it too, and give all signature files",
        )


def _demand_name(signed: statement.Statement, artifact: document.Artifact) -> None:
    if signed.name != artifact.name:
        raise errors.ArtifactError(
            "CAL-656",
            "the signature is about an artifact of another name",
            cause=f"the document calls itself {artifact.name}, the signed statement does not",
            fix="sign the artifact under its own name",
        )


def _demand_time(artifact: document.Artifact, now_us: int, skew_us: int) -> None:
    if artifact.sealed_at_us > now_us + skew_us:
        raise errors.ArtifactError(
            "CAL-663",
            f"{artifact.name} was sealed in the future",
            cause="a clock is wrong: the one that sealed it or the one here",
            fix="compare the clock of this machine with others",
        )
    if artifact.expires_us is not None and now_us >= artifact.expires_us + skew_us:
        raise errors.ArtifactError(
            "CAL-662",
            f"{artifact.name} has expired",
            cause=f"it was sealed to be used until {_day(artifact.expires_us)}",
            fix="use a newer artifact, or validate the map again and seal it anew",
        )


def _day(us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).isoformat(timespec="seconds")


def _demand_use(artifact: document.Artifact, stream: str | None, attributes: Mapping[str, str] | None) -> None:
    if stream is not None and artifact.stream != stream:
        raise errors.ArtifactError(
            "CAL-664",
            f"{artifact.name} is not for this stream",
            cause=f"it was sealed for {artifact.stream}",
            fix="use an artifact of the stream",
        )
    differing = [name for name, value in artifact.selector.items() if (attributes or {}).get(name) != value]
    if attributes is not None and differing:
        raise errors.ArtifactError(
            "CAL-665",
            f"{artifact.name} is not for predictions like this",
            cause=f"its selector asks for another {differing[0]}",
            fix="use an artifact whose selector matches, or leave such predictions as they are",
        )


def _demand_newest(found: NewestVersion, newest: NewestVersion | None) -> None:
    if newest is None or found.version > newest.version or found == newest:
        return
    if found.version == newest.version:
        raise errors.ArtifactError(
            "CAL-667",
            f"two different artifacts call themselves version {found.version}",
            cause="another content was seen under this number before",
            fix="find out who signed the second one; do not use it",
        )
    raise errors.ArtifactError(
        "CAL-666",
        f"version {found.version} is older than one that was seen before",
        cause=f"version {newest.version} was seen",
        fix="use the newest version; to return to an older map, seal it anew under a new number",
    )
