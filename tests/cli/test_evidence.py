"""``calibrant evidence export`` as somebody would type it, with real evidence on its pages."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calibrant import cli, wiring
from calibrant.artifacts import document
from calibrant.calibrators import canonical
from calibrant.evidence import recommend
from calibrant.frames import columns
from calibrant.testing import clocks
from calibrant.testing.bad_artifacts import make
from calibrant.workflow import access, artifact_files

HOSTILE = '</td><script src="x"></script>'


@pytest.fixture(scope="module")
def evidence() -> bytes:
    """The document of a real recommendation, with cohorts of which one has a hostile name."""
    rng = np.random.default_rng(5)
    truth = rng.normal(-0.5, 1.2, 1_500)
    rows = columns.read(
        {
            "p": 1 / (1 + np.exp(-2.0 * truth)),
            "y": (rng.random(1_500) < 1 / (1 + np.exp(-truth))).astype(int),
            "country": rng.choice(["DE", HOSTILE], 1_500),
        },
        score="p",
        label="y",
        cohorts=["country"],
    )
    return canonical.dumps(recommend.recommend(rows, methods=("identity", "platt"), resamples=20).to_dict()) + b"\n"


Acting = Callable[[str], None]


@pytest.fixture
def acting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], evidence: bytes
) -> Acting:
    """A project with fraud@1, signed; the function says who acts from then on."""
    monkeypatch.chdir(tmp_path)
    for variable in (wiring.STORE_VARIABLE, wiring.COPY_VARIABLE, wiring.CONTENTS_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    clock = clocks.FakeClock(make.SEALED_US)
    monkeypatch.setattr(wiring, "clock", lambda: clock)
    tokens = {}
    assert cli.invoke(("people", "init", "alice", "--role", "proposer", "--role", "operator")) == 0
    tokens["alice"] = capsys.readouterr().out.split()[0]
    monkeypatch.setenv(wiring.TOKEN_VARIABLE, tokens["alice"])
    for name, role in (("ann", "auditor"), ("vera", "viewer")):
        assert cli.invoke(("people", "add", name, "--role", role)) == 0
        capsys.readouterr()
        assert cli.invoke(("people", "key", "issue", name)) == 0
        tokens[name] = capsys.readouterr().out.split()[0]
    drawn_up = dataclasses.replace(
        make.artifact(), version=1, parent=None, expires_us=None, evidence=document.digest(evidence)
    )
    project = wiring.project()
    with project.ledger() as ledger:
        alice = access.authenticate(ledger.reader, tokens["alice"], now_us=clock.now_us())
        artifact_files.draft(ledger, project.contents(), drawn_up, evidence=evidence, by=alice)
    assert cli.invoke(("artifact", "seal", "fraud@1")) == 0
    assert cli.invoke(("artifact", "sign", "fraud@1")) == 0
    capsys.readouterr()
    return lambda name: monkeypatch.setenv(wiring.TOKEN_VARIABLE, tokens[name])


def test_export(acting: Acting, capsys: pytest.CaptureFixture[str]) -> None:
    """An auditor exports it; a bare Python verifies it; the artifact in it is the folder that our command verifies."""
    acting("ann")
    assert cli.invoke(("evidence", "export", "fraud@1", "-o", "bundle.zip")) == 0
    ran = capsys.readouterr()
    assert ran.out.startswith("bundle.zip: ")
    assert "python bundle.zip" in ran.err
    done = subprocess.run([sys.executable, "-I", "-S", "bundle.zip"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert ran.out.split()[-1] in done.stdout
    zipfile.ZipFile("bundle.zip").extractall("extracted")
    assert cli.invoke(("artifact", "verify", "extracted/artifact", "--trust", "extracted/keys/trust.json")) == 0
    first = Path("bundle.zip").read_bytes()
    assert cli.invoke(("evidence", "export", "fraud@1", "-o", "bundle.zip", "--json")) == 0
    assert json.loads(capsys.readouterr().out.split("\n", 1)[1])["schema"] == "calibrant.evidence-export/1"
    assert Path("bundle.zip").read_bytes() == first


def test_the_evidence_for_people(acting: Acting) -> None:
    """Numbers before and after with intervals and n, cohorts too; what a hostile cohort is called stays text."""
    assert cli.invoke(("evidence", "export", "fraud@1", "-o", "bundle.zip")) == 0
    with zipfile.ZipFile("bundle.zip") as archive:
        index, page = (archive.read(name).decode() for name in ("index.html", "evidence.html"))
        known = json.loads(archive.read("artifact/evidence.json"))
    for shown in (index, page):
        assert "<script" not in shown
        assert f"{known['before']['overall']['n']:,} held-out rows" in shown
        assert "Log loss" in shown
        assert "95%)" in shown
    assert "country=&lt;/td&gt;&lt;script" in page
    assert "Maps that were tried" in page


def test_who_may_and_what_is_refused(acting: Acting, capsys: pytest.CaptureFixture[str]) -> None:
    """A viewer may not; what there is not cannot be; then nothing is written."""
    acting("vera")
    assert cli.invoke(("evidence", "export", "fraud@1", "-o", "bundle.zip")) == 2
    assert "CAL-901" in capsys.readouterr().err
    acting("ann")
    assert cli.invoke(("evidence", "export", "fraud@2", "-o", "bundle.zip")) == 2
    assert "CAL-941" in capsys.readouterr().err
    assert not Path("bundle.zip").exists()
