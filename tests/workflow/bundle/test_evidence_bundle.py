"""Evidence bundles: a whole story told, and verified by a bare Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from calibrant import errors
from calibrant.artifacts import keys
from calibrant.workflow import artifact_files, evidence_bundle, people, promotions


def test_a_bare_python_accepts_it(good: dict[str, bytes], tmp_path: Path) -> None:
    """As a zip and as a folder, without site packages, environment or Calibrant; nothing is left behind."""
    bundle, extracted = tmp_path / "bundle.zip", tmp_path / "extracted"
    evidence_bundle.write(good, bundle)
    zipfile.ZipFile(bundle).extractall(extracted)
    bare = [sys.executable, "-I", "-S"]
    absent = subprocess.run([*bare, "-c", "import calibrant"], capture_output=True, text=True, cwd=tmp_path)
    assert "ModuleNotFoundError" in absent.stderr
    before = sorted(extracted.rglob("*"))
    for arguments in ([bundle], [extracted / "verify.py"], [extracted / "verify.py", bundle]):
        done = subprocess.run([*bare, *map(str, arguments)], capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert "GOOD: everything fits together" in done.stdout
        assert "entry 17, approved by bob" in done.stdout
        assert "BAD" not in done.stdout
    assert sorted(extracted.rglob("*")) == before
    (extracted / "index.html").write_bytes(good["index.html"] + b" ")
    done = subprocess.run([*bare, str(extracted / "verify.py")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    assert "index.html was changed" in done.stdout


def test_the_same_state_gives_the_same_bytes(story: Any, tmp_path: Path) -> None:
    """Whenever it is exported; a half-written zip is never there."""
    first = story.whole()
    story.clock.advance(days=30)
    second = story.collect()
    evidence_bundle.write(first, tmp_path / "a.zip")
    os.utime(tmp_path / "a.zip", (0, 0))
    evidence_bundle.write(second, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with pytest.raises(errors.SourceError, match="CAL-110"):
        evidence_bundle.write(first, tmp_path / "missing" / "c.zip")


def test_keys_that_the_auditor_knows(good: dict[str, bytes], told: Any, signers: Any) -> None:
    """Fingerprints of all that signed are told; one that is demanded and has not signed makes it bad."""
    found, text = told(good, *signers)
    assert found
    assert text.count("demanded by you") == 3
    assert told(good)[1].count("compare this fingerprint") == 3
    found, text = told(good, keys.generate().public)
    assert not found
    assert "BAD   the key" in text


def test_no_secret_and_nobody_else_is_in_it(story: Any) -> None:
    """No hash of an API key, no token, no private key, no address, no role; the files are those that are meant."""
    files = story.whole()
    every = b"".join(files.values())
    hashed = [one.body["hash"] for one in story.store.browse("key") if one.body]
    assert len(hashed) == 1
    for secret in (*hashed, story.token, story.token.rpartition("_")[2], "PRIVATE KEY", "cal_", "192.0.2."):
        assert secret.encode() not in every
    assert b'"roles"' not in b"".join(data for name, data in files.items() if not name.endswith(".py"))
    assert {name.partition("/")[0] for name in files} == {
        "__main__.py", "artifact", "audit", "decisions", "evidence.html", "index.html", "keys", "manifest.json",
        "software.json", "verify.py",
    }  # fmt: skip
    entries = {
        json.loads(one["entry"])["resource"]["kind"] for one in json.loads(files["audit/entries.json"])["entries"]
    }
    assert entries == {"approval", "artifact", "binding", "environment", "trust"}


def test_words_that_were_erased(story: Any, told: Any) -> None:
    """They are not in it, neither is their salt; everything else holds."""
    story.whole()
    entry = json.loads(next(data for data in story.store.entries() if b"approval.decide" in data))
    assert people.forget_words(story.ledger, entry["reason"], by=story.who["alice"])
    again = json.loads(next(data for data in reversed(list(story.store.entries())) if b'"approval.decide"' in data))
    people.forget_words(story.ledger, again["reason"], by=story.who["alice"])
    files = story.collect()
    assert told(files)[0]
    assert not any(b"gain holds" in data for data in files.values())
    assert b"(erased)" in files["index.html"]
    assert entry["reason"] not in {one["commitment"] for one in json.loads(files["audit/words.json"])["words"]}


def test_pages(good: dict[str, bytes], signers: Any) -> None:
    """No script, nothing from elsewhere, what people wrote is escaped, and the page says who, when and how."""
    page = good["index.html"].decode()
    assert "script-src" not in page
    assert "default-src &#39;none&#39;" in page
    assert "<script" not in page
    assert "gain holds &lt;script&gt;" in page
    for word in ("bob", "otto", "fraud/production", "python verify.py", signers[-1].keyid, "drill"):
        assert word in page
    assert "http" not in page.replace("http-equiv", "")


def test_what_never_was_bound(story: Any, told: Any) -> None:
    """A signed artifact without any request is good evidence too; a draft and an uncovered one are not exported."""
    story.drafted()
    with pytest.raises(errors.RefusedError, match="CAL-920"):
        story.collect()
    artifact_files.sign(
        story.ledger, story.kept, "fraud@1", key=story.artifact_key, by=story.who["otto"], now_us=story.now()
    )
    found, text = told(story.collect())
    assert found
    assert "it was never bound" in text
    people.declare_environment(story.ledger, "testing", approvals=0, by=story.who["alice"])
    artifact_files.deprecate(story.ledger, "fraud@1", by=story.who["otto"])
    with pytest.raises(errors.UsageError, match="CAL-889"):
        evidence_bundle.collect(story.store, story.kept, "fraud@1")
    with pytest.raises(errors.UsageError, match="CAL-941"):
        evidence_bundle.collect(story.store, story.kept, "fraud@2")


def test_every_way_to_be_bound(story: Any, told: Any) -> None:
    """Challenger, shadow, an environment without approvals, restored by a rollback, revoked: all told, all good."""
    story.signed()
    story.promoted(None, "staging")
    story.asked("request-1")
    story.answered("request-1")
    story.promoted("request-1")
    promotions.shadow(story.ledger, story.kept, "fraud", "staging", "fraud@1", by=story.who["otto"], now_us=story.now())
    promotions.revoke(story.ledger, "fraud@1", by=story.who["otto"], reason="wrong labels")
    found, text = told(story.collect())
    assert found
    assert "staging asks for no approval" in text
    assert "shadow of fraud/staging" in text
    assert "NOTE: it is revoked now" in text
    assert text.count("binding.rollback by otto") == 3


def test_a_p256_signature(story: Any, told: Any) -> None:
    """As those who verify with OpenSSF tools make them."""
    story.signed(story.p256_key)
    found, text = told(story.collect(), story.p256_key.public)
    assert found
    assert "signed with the key of bob" in text
