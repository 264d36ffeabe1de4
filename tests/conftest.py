"""An office where decisions are made, for the tests of every room: a project on disk, people with keys, signed maps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from calibrant import cli, wiring
from calibrant.artifacts import document, provenance
from calibrant.calibrators.logistic import Platt
from calibrant.registry import artifacts, principals
from calibrant.testing import clocks
from calibrant.workflow import access, artifact_files, audit_log, ledger, people, promotions

DAY = 86_400_000_000
#: Who works here, besides alice, who began it.
STAFF = {"bob": "approver", "carol": "approver", "otto": "operator", "vera": "viewer"}


@dataclass(frozen=True)
class Ran:
    """Exit code and output of one command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def refusal(self) -> str:
        """The code of the error that was told."""
        return self.err.partition(":")[0]


@dataclass
class Office:
    """An installation that has begun. ``tokens`` are everybody's keys; the clock stands still until it is moved."""

    project: wiring.Project
    clock: clocks.FakeClock
    tokens: dict[str, str] = field(default_factory=dict)
    run: Callable[..., Ran] = field(repr=False, default=lambda *_, **__: Ran(0, "", ""))
    asked: int = 0

    def begin(self) -> None:
        """Keys, the first admin, and the staff."""
        self.project.make_keys()
        self.counted = iter(range(1, 1_000_000))
        with self.project.ledger() as book:
            issued = people.begin(
                book, "alice", roles=["proposer"], own_keys=self.project.own_trust(owner="alice", now_us=self.now),
                expires_us=self.now + 90 * DAY, now_us=self.now, random=self.random,
            )  # fmt: skip
        self.tokens["alice"] = issued.token
        for name, role in STAFF.items():
            self.hire(name, role)

    @property
    def now(self) -> int:
        return self.clock.now_us()

    def random(self, n: int) -> bytes:
        """Never the same twice."""
        return next(self.counted).to_bytes(n, "big")

    @contextmanager
    def open(self, name: str = "alice") -> Iterator[tuple[ledger.Ledger, principals.Principal]]:
        """The ledger, and who acts."""
        with self.project.ledger() as book:
            yield book, access.authenticate(book.reader, self.tokens[name], now_us=self.now)

    def hire(self, name: str, *roles: str, owner: str | None = None, days: float = 90) -> str:
        """Enrol somebody and give them a key; its prefix."""
        with self.open() as (book, admin):
            people.enrol(book, name, by=admin, roles=roles, owner=owner)
            issued = people.issue(
                book, name, by=admin, expires_us=self.now + round(days * DAY), now_us=self.now, random=self.random
            )
        self.tokens[name] = issued.token
        return issued.prefix

    def drawn_up(self, version: int, *, stream: str = "fraud", evidence: bytes | None = b"{}\n") -> document.Artifact:
        """An artifact that nothing was fitted for; each version has another map."""
        calibrator = Platt(slope=0.5 + 0.1 * version, intercept=-0.25)
        return document.Artifact(
            stream=stream, version=version, selector={}, calibrator=calibrator, thresholds=(),
            provenance=provenance.Provenance(
                approach="by hand", code=provenance.Code("0.1.0", "3.11", "2", "1"),
                source=provenance.Source("file", "rows.csv"), data_digest=document.digest(b"rows"), window_us=None,
                as_of_us=None, rows=1_000, method="platt", candidates=("identity", "platt"), seed=0,
                options=provenance.FitOptions((), None, {}, 0.02, 0.95, 0, None, None, None, None),
            ),
            parent=None, evidence=None if evidence is None else document.digest(evidence), sealed_at_us=self.now,
            expires_us=None,
        )  # fmt: skip

    def draft(self, version: int = 1, *, stream: str = "fraud", evidence: bytes | None = b"{}\n") -> str:
        """A draft by alice; its name."""
        with self.open() as (book, alice):
            made = self.drawn_up(version, stream=stream, evidence=evidence)
            return artifact_files.draft(book, self.project.contents(), made, evidence=evidence, by=alice).name

    def signed(self, version: int = 1, *, stream: str = "fraud", evidence: bytes | None = b"{}\n") -> str:
        """Drafted and sealed by alice, signed by otto; its name."""
        name, kept = self.draft(version, stream=stream, evidence=evidence), self.project.contents()
        with self.open() as (book, alice):
            artifact_files.seal(book, kept, name, by=alice, now_us=self.now)
        with self.open("otto") as (book, otto):
            artifact_files.sign(book, kept, name, key=self.project.key("artifacts"), by=otto, now_us=self.now)
        return name

    def approved(
        self, artifact: str, *, environment: str = "production", by: str = "bob", slot: Any = "champion"
    ) -> str:
        """A request of alice that somebody approved; its name."""
        self.asked += 1
        name = f"request-{self.asked}"
        with self.open() as (book, alice):
            asked = promotions.ask(
                book, artifact, environment, by=alice, request=name, now_us=self.now, slot=slot
            )  # fmt: skip
        with self.open(by) as (book, who):
            assert asked.evidence is not None
            promotions.decide(
                book, name, "approve", by=who, digest=asked.digest, evidence=asked.evidence, now_us=self.now
            )
        return name

    def promote(self, artifact: str, *, slot: Any = "champion", reason: str | None = None) -> promotions.Bound:
        """Approved by bob, promoted to production by otto."""
        request = self.approved(artifact, slot=slot)
        with self.open("otto") as (book, otto):
            return promotions.promote(
                book, self.project.contents(), artifact, "production", by=otto, now_us=self.now, request=request,
                slot=slot, reason=reason,
            )  # fmt: skip

    def status(self, name: str) -> artifacts.Status:
        with self.project.control_reader() as reader:
            found = reader.get(artifacts.KIND, name)
            assert found is not None
            return artifacts.read(found)

    def sound(self) -> bool:
        """Whether log, second place, checkpoints and resources agree."""
        with self.project.control_reader() as reader:
            keys = [self.project.key("audit").public]
            return audit_log.verify(reader, self.project.audit_copy(), keys=keys).sound

    def size(self) -> int:
        """Entries in the log."""
        with self.project.control_reader() as reader:
            return reader.size()


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Office:
    """An office in an empty working directory; ``run("people", "list", by="vera")`` runs a command."""
    for variable in (wiring.STORE_VARIABLE, wiring.COPY_VARIABLE, wiring.CONTENTS_VARIABLE, wiring.TOKEN_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    clock = clocks.FakeClock()
    monkeypatch.setattr(wiring, "clock", lambda: clock)
    made = Office(wiring.project(), clock)
    made.begin()

    def run(*arguments: str, by: str = "alice") -> Ran:
        monkeypatch.setenv(wiring.TOKEN_VARIABLE, made.tokens[by])
        capsys.readouterr()
        code = cli.invoke(arguments)
        told = capsys.readouterr()
        return Ran(code, told.out, told.err)

    made.run = run
    return made
