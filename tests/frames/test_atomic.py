"""Outputs are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibrant import errors
from calibrant.frames import atomic


def test_whole_file_replaces_the_old_one(tmp_path: Path) -> None:
    """The target changes only when the block has ended; its permissions stay."""
    target = tmp_path / "out.txt"
    target.write_bytes(b"old")
    target.chmod(0o640)
    with atomic.replacing(target) as file:
        file.write(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [target]


def test_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    """After an error neither the target nor a temporary file is there."""

    def fail_half_way() -> None:
        with atomic.replacing(tmp_path / "out.txt") as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_is_a_designed_error(tmp_path: Path) -> None:
    """A folder that is not there is CAL-110."""
    with pytest.raises(errors.SourceError, match="CAL-110"), atomic.replacing(tmp_path / "no" / "out.txt"):
        raise AssertionError("the block must not run")
