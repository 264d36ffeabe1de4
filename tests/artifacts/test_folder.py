"""Artifacts on disk: what was written is what is read, and nothing that could change under a check is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from calibrant import errors
from calibrant.artifacts import folder, keys, signing, trust, verify


def test_a_folder_holds_what_verify_takes(
    files: dict[str, bytes], key: keys.PrivateKey, policy: trust.TrustPolicy, tmp_path: Path
) -> None:
    """Written, read, verified; the first signature is model.sig, further ones lie beside."""
    second = keys.generate()
    made = [signing.sign(files, each) for each in (key, second)]
    place = tmp_path / "exports" / "fraud@7"
    folder.write(place, files, made, keyids=[key.public.keyid, second.public.keyid])
    assert (place / "model.sig").read_bytes() == made[0]
    assert (place / "signatures" / f"{second.public.keyid}.sig").read_bytes() == made[1]
    found = folder.read(place)
    assert found == folder.Folder(files, tuple(made))
    now = 1_780_000_000_000_000
    assert verify.verify(found.files, found.signatures[0], trust=policy, now_us=now).keyids == (key.public.keyid,)


def test_a_folder_is_never_overwritten(files: dict[str, bytes], tmp_path: Path) -> None:
    """Nor is a file taken for one."""
    folder.write(tmp_path / "a", files, [], keyids=[])
    for place in (tmp_path / "a", tmp_path / "a" / "artifact.json" / "b"):
        with pytest.raises(errors.ArtifactError, match="CAL-671"):
            folder.write(place, files, [], keyids=[])


def test_added_files_are_read_so_that_verify_sees_them(files: dict[str, bytes], tmp_path: Path) -> None:
    """Hidden ones too."""
    folder.write(tmp_path / "a", files, [], keyids=[])
    (tmp_path / "a" / ".hidden").write_bytes(b"x")
    assert folder.read(tmp_path / "a").files == files | {".hidden": b"x"}


def test_links_pipes_folders_and_masses_are_refused(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once: a pipe does not make the reader wait."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"x")
    spoils = {
        "link": lambda place: (place / "link").symlink_to(outside),
        "link-for-signatures": lambda place: (place / "signatures").symlink_to(tmp_path),
        "pipe": lambda place: os.mkfifo(place / "pipe"),
        "folder": lambda place: (place / "folder").mkdir(),
        "folder-in-signatures": lambda place: (place / "signatures" / "deep").mkdir(parents=True),
        "many": lambda place: [(place / f"{number}").write_bytes(b"") for number in range(folder.MOST)],
        "gone": lambda place: [inside.unlink() for inside in place.iterdir()] and place.rmdir(),
    }
    for name, spoil in spoils.items():
        place = tmp_path / name
        folder.write(place, files, [], keyids=[])
        spoil(place)
        with pytest.raises(errors.ArtifactError, match="CAL-670"):
            folder.read(place)
    folder.write(tmp_path / "large", files, [], keyids=[])
    monkeypatch.setattr(folder, "LARGEST", 10)
    with pytest.raises(errors.ArtifactError, match="CAL-670"):
        folder.read(tmp_path / "large")
