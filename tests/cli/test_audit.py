"""``calibrant audit`` as a person would type it: read, verify, prove, export, and what is said about a tampered log."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from calibrant import cli, wiring
from calibrant.artifacts import keys
from calibrant.testing import clocks


class Ran:
    """Exit code and output of one command."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        capsys.readouterr()
        self.code = cli.invoke(("audit", *arguments))
        told = capsys.readouterr()
        self.out, self.err = told.out, told.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """An installation that has begun, with an operator who acts, and three environments."""
    monkeypatch.chdir(tmp_path)
    for variable in (wiring.STORE_VARIABLE, wiring.COPY_VARIABLE, wiring.CONTENTS_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    clock = clocks.FakeClock()
    monkeypatch.setattr(wiring, "clock", lambda: clock)
    assert cli.invoke(("people", "init", "alice", "--role", "operator")) == 0
    monkeypatch.setenv(wiring.TOKEN_VARIABLE, capsys.readouterr().out.split()[0])
    clock.advance(days=1)
    assert cli.invoke(("environment", "set", "testing", "--approvals", "1")) == 0
    return tmp_path / "calibrant.d"


def tamper(project: Path, statement: str) -> None:
    """Change the store past Calibrant."""
    connection = sqlite3.connect(project / "control.sqlite")
    with connection:
        connection.execute(statement)
    connection.close()


def test_log(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table for people, JSON for programs, by resource, time, actor and action."""
    ran = Ran(capsys, "log", "environment/testing")
    assert ran.code == 0
    assert "alice" in ran.out
    assert "environment/testing r1" in ran.out
    every = Ran(capsys, "log", "--json").json["entries"]
    assert [one["index"] for one in every] == list(range(len(every)))
    late = Ran(capsys, "log", "--since", control_time(every[-1]), "--actor", "alice", "--json").json["entries"]
    assert [one["resource"]["name"] for one in late] == ["testing"]
    assert Ran(capsys, "log", "--action", "key.revoke", "--json").json["entries"] == []
    assert "no entry" in Ran(capsys, "log", "fraud").err


def control_time(entry: dict[str, Any]) -> str:
    """The time of an entry as the command line takes it."""
    from calibrant.events import times

    return times.text(entry["at_us"])


def test_log_is_for_those_who_may(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key of a principal nothing is shown."""
    monkeypatch.delenv(wiring.TOKEN_VARIABLE)
    ran = Ran(capsys, "log")
    assert (ran.code, ran.out) == (2, "")
    assert "CAL-900" in ran.err


def test_verify(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sound log is sound, without anybody's key; an edited one is not, and the entry is named."""
    ran = Ran(capsys, "verify")
    assert ran.code == 0
    assert "sound: " in ran.out
    size = Ran(capsys, "verify", "--json").json["entries"]
    assert size >= 6
    tamper(
        project,
        """UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), '"installation"', '"mallory"') AS BLOB)
        WHERE idx = 3""",
    )
    ran = Ran(capsys, "verify")
    assert ran.code == 1
    assert "the first bad entry is 3" in ran.out
    assert "what to do" in ran.out
    found = Ran(capsys, "verify", "--json").json
    assert (found["sound"], found["first_bad"]) == (False, 3)


def test_verify_with_what_an_auditor_kept(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A public key and a checkpoint from elsewhere; a checkpoint of another log does not fit."""
    assert Ran(capsys, "checkpoint", "--export", "kept.txt").code == 0
    Path("audit.pub").write_bytes(keys.load(project / "keys" / "audit.key").public.pem)
    assert Ran(capsys, "verify", "--key", "audit.pub", "--checkpoint", "kept.txt").code == 0
    Path("other.pub").write_bytes(keys.generate().public.pem)
    ran = Ran(capsys, "verify", "--key", "other.pub")
    assert ran.code == 1
    assert "cannot be trusted" in ran.out
    assert Ran(capsys, "verify", "--checkpoint", "missing.txt").code == 2


def test_prove(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof is a file that anybody checks with the public key alone; a changed one proves nothing."""
    assert Ran(capsys, "prove", "2", "-o", "proof.json").code == 0
    Path("audit.pub").write_bytes(keys.load(project / "keys" / "audit.key").public.pem)
    assert Ran(capsys, "prove", "--check", "proof.json").code == 0
    monkeypatch.delenv(wiring.TOKEN_VARIABLE)
    project.rename(project.with_name("away"))
    ran = Ran(capsys, "prove", "--check", "proof.json", "--key", "audit.pub")
    assert ran.code == 0
    assert "proved: entry 2" in ran.out
    text = Path("proof.json").read_text()
    Path("proof.json").write_text(text.replace('\\"actor\\":\\"installation', '\\"actor\\":\\"mallory'))
    ran = Ran(capsys, "prove", "--check", "proof.json", "--key", "audit.pub")
    assert ran.code == 1
    assert "CAL-635" in ran.err


def test_wrong_use(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither or both, and an entry that there is not."""
    assert "CAL-886" in Ran(capsys, "prove").err
    assert "CAL-886" in Ran(capsys, "prove", "1", "--check", "x").err
    assert "CAL-888" in Ran(capsys, "prove", "9999").err


def test_checkpoint(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A note of three lines and a signature, of the log as it is; it goes to the second place too."""
    ran = Ran(capsys, "checkpoint")
    assert ran.code == 0
    lines = ran.out.split("\n")
    assert lines[1] == str(Ran(capsys, "verify", "--json").json["entries"])
    assert lines[4].startswith(f"— {lines[0]} ")
    journal = (project / "audit-copy" / "journal.jsonl").read_text()
    assert json.dumps(ran.out) in journal


def test_checkpoint_without_the_key(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the key is not, what was signed last is shown."""
    (project / "keys" / "audit.key").rename(project / "keys" / "elsewhere")
    ran = Ran(capsys, "checkpoint")
    assert ran.code == 0
    tamper(project, "DELETE FROM checkpoints")
    assert "CAL-887" in Ran(capsys, "checkpoint").err
