"""Contents on a disk: the exam, and what only a disk can do wrong."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from calibrant import errors
from calibrant.ports import contents
from calibrant.storage import contents as places
from calibrant.storage.contents import disk
from calibrant.testing.contents_contract import ContentsContract, digest_of


def _path(root: Path, digest: str) -> Path:
    return root / digest[7:9] / digest[7:]


class TestDiskContents(ContentsContract):
    """A folder."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> contents.Contents:
        """An empty folder."""
        return places.open_contents(tmp_path / "contents")

    @pytest.fixture
    def damage(self, tmp_path: Path) -> Callable[[str, bytes], None]:
        """Write into the file."""

        def overwrite(digest: str, data: bytes) -> None:
            _path(tmp_path / "contents", digest).write_bytes(data)

        return overwrite


def test_files_are_private_and_named_by_digests(tmp_path: Path) -> None:
    """Nobody else can read them; an address with file:// is a folder too."""
    place = places.open_contents(f"file://{tmp_path}/c")
    digest = place.put(b"x")
    assert [path.relative_to(tmp_path / "c") for path in (tmp_path / "c").rglob("*") if path.is_file()] == [
        Path(digest[7:9], digest[7:])
    ]
    assert stat.S_IMODE(_path(tmp_path / "c", digest).stat().st_mode) == 0o600


def test_strangers_are_no_contents(tmp_path: Path) -> None:
    """What a crash or a person left beside is not listed."""
    place = disk.DiskContents(tmp_path)
    digest = place.put(b"x")
    (tmp_path / digest[7:9] / "0123.part").write_bytes(b"half")
    (tmp_path / "zz").mkdir()
    (tmp_path / "zz" / digest[7:]).write_bytes(b"x")
    (tmp_path / "README").write_text("hello")
    assert list(place.digests()) == [digest]


def test_everything_is_synced_before_it_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes before they get their name, the names afterwards, and once more when somebody else was quicker."""
    synced: list[Path] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        real(handle)

    place = disk.DiskContents(tmp_path)
    monkeypatch.setattr(os, "fsync", fsync)
    folder = _path(tmp_path, place.put(b"x")).parent
    assert (synced[0].suffix, synced[0].parent) == (disk.PARTIAL, folder)
    assert synced[1:] == [folder, tmp_path]
    synced.clear()
    place.put(b"x")
    assert synced == [folder, tmp_path]


def test_a_failing_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed fsync leaves nothing behind; the same bytes may be put again."""
    place = disk.DiskContents(tmp_path)

    def fail(handle: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(errors.StoreFaultError, match="CAL-853"):
            place.put(b"x")
    assert not place.has(digest_of(b"x"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert place.get(place.put(b"x")) == b"x"


@pytest.mark.parametrize("address", ["nowhere://secret@x/y", "s3://", "://"])
def test_an_address_that_means_nothing(address: str) -> None:
    """It is refused, and not repeated: it may hold a secret."""
    with pytest.raises(errors.UsageError, match="CAL-885") as caught:
        places.open_contents(address)
    assert "secret" not in str(caught.value)
