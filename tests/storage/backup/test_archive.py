"""The archive's form: no byte of it can be changed, and nothing but our files can be in it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from calibrant import errors
from calibrant.storage.backup import archive

FILES = {"control.sqlite": b"decisions", "ingest/" + "a" * 32 + ".json": b"", "streams/fraud.yaml": b"x" * 40}


def written(path: Path) -> Path:
    with archive.writing(path, at_us=1_700_000_000_000_000) as writer:
        for name, data in FILES.items():
            writer.add(name, io.BytesIO(data), size=len(data))
    return path


def read(path: Path) -> dict[str, bytes]:
    with archive.reading(path) as opened:
        return {one.name: b"".join(one.chunks) for one in archive.members(opened)}


@pytest.mark.parametrize("suffix", archive.SUFFIXES)
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    """What was written is read, in a file for its owner alone; other tools read it too."""
    path = written(tmp_path / f"a{suffix}")
    assert read(path) == FILES
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as other:
        assert other.getnames() == list(FILES)


def test_changed_bytes_outside_contents_are_refused(tmp_path: Path) -> None:
    """Headers, padding and end: there is no byte that does not count. Contents have digests in the list of files."""
    path = written(tmp_path / "a.tar")
    data = path.read_bytes()
    kept = 0
    for place in range(0, len(data), 3):
        path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        try:
            found = read(path)
        except errors.SourceError as error:
            assert error.code in ("CAL-124", "CAL-125")  # noqa: PT017  # there are a thousand places
        else:
            # a time, a name that is another legal one, or a content: the list of files tells
            kept += 1
            assert found != FILES
    assert kept < len(data) / 3


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
def test_every_truncation_is_refused(tmp_path: Path, suffix: str) -> None:
    """From nothing to one byte less; and one byte more."""
    path = written(tmp_path / f"a{suffix}")
    data = path.read_bytes()
    for size in [*range(0, len(data), 31), len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(errors.SourceError, match="CAL-124"):
            read(path)
    path.write_bytes(data + b"x")
    with pytest.raises(errors.SourceError, match="CAL-124"):
        read(path)


def test_changed_compressed_bytes_are_refused_or_change_nothing(tmp_path: Path) -> None:
    """Some bits of a compressed file mean nothing; none of them makes other contents."""
    path = written(tmp_path / "a.tgz")
    data = path.read_bytes()
    refused = 0
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :])
        try:
            assert read(path) == FILES
        except errors.SourceError:
            refused += 1
    assert refused > 0.9 * len(data)


def member(name: str, **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in more.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize(
    "info",
    [
        member("../control.sqlite"),
        member("/etc/passwd"),
        member("streams/../../x.yaml"),
        member("streams/.yaml"),
        member("contents/ab/../cd"),
        member("store/segments/x.parquet"),
        member("keys/other.key"),
        member("x" * 200),
        member("control.sqlite", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("control.sqlite", type=tarfile.LNKTYPE, linkname="manifest.json"),
        member("control.sqlite", type=tarfile.DIRTYPE),
        member("control.sqlite", type=tarfile.FIFOTYPE),
        member("control.sqlite", type=tarfile.CHRTYPE),
        member("control.sqlite", pax_headers={"path": "../x"}),
    ],
    ids=lambda info: f"{info.name[:24]} {info.type!r}",
)
def test_what_is_not_ours_is_refused(tmp_path: Path, info: tarfile.TarInfo) -> None:
    """Names that lead out, links, devices, folders, names in another header."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as other:
        other.addfile(info)
    with pytest.raises(errors.SourceError, match="CAL-125"):
        read(path)


@pytest.mark.parametrize("change", [{"mode": 0o644}, {"uid": 7}, {"uname": "root"}])
def test_another_form_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    """A header that says more than ours do."""
    path = tmp_path / "a.tar"
    info = member("control.sqlite", **({"mode": 0o600} | change))
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as other:
        other.addfile(info)
    with pytest.raises(errors.SourceError, match="CAL-124"):
        read(path)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: path / "a.zip", "CAL-417"),
        (lambda path: path / "none.tar", "CAL-101"),
        (lambda path: path, "CAL-417"),
    ],
)
def test_what_is_no_archive(tmp_path: Path, make: Callable[[Path], Path], code: str) -> None:
    """Another suffix, no file."""
    with pytest.raises(errors.CalibrantError, match=code), archive.reading(make(tmp_path)):
        pass
