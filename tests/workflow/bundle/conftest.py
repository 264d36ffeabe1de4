"""An installation with a story to tell: drafted, signed, approved, promoted, rolled back."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from calibrant.artifacts import document, keys, trust
from calibrant.audit import checkpoint
from calibrant.registry import artifacts, principals, resources
from calibrant.storage.audit_copy import folder
from calibrant.storage.contents import disk
from calibrant.storage.control import sqlite
from calibrant.testing import clocks
from calibrant.testing.bad_artifacts import make
from calibrant.workflow import artifact_files, evidence_bundle, people, promotions
from calibrant.workflow import ledger as ledgers
from calibrant.workflow.bundle import verify

ARTIFACT_KEY, SECOND_KEY, AUDIT_KEY = keys.generate(), keys.generate(), keys.generate()
P256_KEY = keys.generate("ecdsa-p256")
EVIDENCE = b'{"rows":6000,"verdict":"passed"}\n'
REASON = "gain holds <script>alert(1)</script> for both"
DAY_US = 86_400_000_000


class Story:
    """An installation with alice who proposes, bob and carl who approve, and otto who operates."""

    artifact_key, p256_key = ARTIFACT_KEY, P256_KEY
    signers = (ARTIFACT_KEY.public, SECOND_KEY.public, AUDIT_KEY.public)

    def __init__(self, root: Path) -> None:
        self.clock = clocks.FakeClock(make.SEALED_US)
        self.store = sqlite.open_store(root / "control.sqlite")
        self.kept = disk.DiskContents(root / "contents")
        signer = checkpoint.Signer("log.example/audit", AUDIT_KEY)
        self.ledger = ledgers.Ledger(self.store, folder.FolderCopy(root / "copy"), signer, self.clock)
        policy = trust.TrustPolicy(
            tuple(
                trust.TrustedKey(key.public.pem.decode(), owner, (purpose,), 0)
                for key, owner, purpose in (
                    (ARTIFACT_KEY, "alice", "artifact"),
                    (SECOND_KEY, "otto", "artifact"),
                    (P256_KEY, "bob", "artifact"),
                    (AUDIT_KEY, "alice", "checkpoint"),
                )
            )
        )
        rng = random.Random(3)
        self.token = people.begin(
            self.ledger, "alice", roles={"proposer"}, own_keys=trust.to_dict(policy), now_us=self.clock.now_us(),
            expires_us=self.clock.now_us() + DAY_US, random=rng.randbytes,
        ).token  # fmt: skip
        self.who = {"alice": principals.Principal("alice", "person", None, frozenset({"admin", "proposer"}))}
        for name, role in (("bob", "approver"), ("carl", "approver"), ("otto", "operator")):
            self.who[name] = people.enrol(self.ledger, name, by=self.who["alice"], roles={role})

    def now(self) -> int:
        self.clock.advance(seconds=60)
        return self.clock.now_us()

    def drafted(self, **changes: Any) -> str:
        """fraud@1, drafted and sealed by alice."""
        drawn_up = dataclasses.replace(make.artifact(), **{"version": 1, "parent": None, "expires_us": None, **changes})
        artifact_files.draft(self.ledger, self.kept, drawn_up, evidence=EVIDENCE, by=self.who["alice"])
        artifact_files.seal(self.ledger, self.kept, "fraud@1", by=self.who["alice"], now_us=self.now())
        return "fraud@1"

    def signed(self, *signers: keys.PrivateKey) -> str:
        """The same, signed by otto with these keys."""
        name = self.drafted()
        for key in signers or (ARTIFACT_KEY,):
            artifact_files.sign(self.ledger, self.kept, name, key=key, by=self.who["otto"], now_us=self.now())
        return name

    def asked(self, request: str, environment: str = "production") -> None:
        promotions.ask(
            self.ledger, "fraud@1", environment, by=self.who["alice"], request=request, now_us=self.now()
        )  # fmt: skip

    def answered(self, request: str, verdict: Any = "approve", by: str = "bob") -> None:
        promotions.decide(
            self.ledger, request, verdict, by=self.who[by], digest=self.status().digest,
            evidence=document.digest(EVIDENCE), now_us=self.now(), reason=REASON,
        )  # fmt: skip

    def promoted(self, request: str | None, environment: str = "production") -> None:
        promotions.promote(
            self.ledger, self.kept, "fraud@1", environment, by=self.who["otto"], now_us=self.now(), request=request,
            reason="first map",
        )  # fmt: skip

    def past_the_rules(self, *changes: resources.Change) -> None:
        """Somebody who can write commits what no rule would allow; the log is as sound as ever."""
        self.ledger.execute(self.who["otto"], resources.Command(changes))

    def the(self, kind: str, name: str) -> resources.Resource:
        found = self.store.get(kind, name)
        assert found is not None
        return found

    def whole(self) -> dict[str, bytes]:
        """Signed by two keys, asked for twice, declined and approved, promoted, rolled back."""
        self.signed(ARTIFACT_KEY, SECOND_KEY)
        self.asked("request-1")
        self.asked("request-2")
        self.answered("request-2", "decline", "carl")
        self.answered("request-1")
        self.promoted("request-1")
        promotions.rollback(self.ledger, "fraud/production", by=self.who["otto"], reason="drill")
        return self.collect()

    def held(self) -> dict[str, str]:
        """How a binding names the artifact."""
        return {"artifact": "fraud@1", "digest": self.status().digest}

    def status(self) -> artifacts.Status:
        return artifacts.read(self.the(artifacts.KIND, "fraud@1"))

    def collect(self) -> dict[str, bytes]:
        self.ledger.checkpoint()
        return evidence_bundle.collect(self.store, self.kept, "fraud@1")


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """One that begins."""
    (tmp_path / "project").mkdir()
    told = Story(tmp_path / "project")
    yield told
    told.store.close()


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the whole story."""
    story = Story(tmp_path_factory.mktemp("whole"))
    files = story.whole()
    story.store.close()
    return files


Told = Callable[..., tuple[bool, str]]


@pytest.fixture(scope="session")
def told() -> Told:
    """What the verifier says of files: whether they are good, and the text."""

    def tell(files: Mapping[str, bytes], *trusted: keys.PublicKey) -> tuple[bool, str]:
        lines: list[str] = []
        found = verify.verify(dict(files), [key.keyid for key in trusted], lines.append)
        return found, "\n".join(lines)

    return tell


@pytest.fixture(scope="session")
def signers() -> tuple[keys.PublicKey, ...]:
    """The keys that signed the artifact, twice, and the log."""
    return Story.signers
