"""Contents in object storage: the exam, against a real S3 server program (moto) on this machine."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pyarrow.fs
import pytest

from calibrant import errors
from calibrant.ports import contents
from calibrant.storage import contents as places
from calibrant.storage.contents import objects
from calibrant.testing.contents_contract import ContentsContract, digest_of

_NUMBERS = itertools.count()


def _port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of an S3 server; skipped without moto."""
    try:
        import importlib.metadata

        importlib.metadata.version("moto")
    except ImportError:
        if os.environ.get("CI") == "true":
            pytest.fail("moto is missing, and CI must not skip it")
        pytest.skip("moto is not installed")
    address = f"127.0.0.1:{_port()}"
    log = (tmp_path_factory.mktemp("moto") / "log").open("wb")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", address.partition(":")[2]]
    with log, subprocess.Popen(command, stdout=log, stderr=log) as running:
        try:
            _wait(address, running)
            yield address
        finally:
            running.kill()


def _wait(address: str, running: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert running.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(f"http://{address}/moto-api/", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail("the server does not answer")


@pytest.fixture
def filesystem(server: str) -> pyarrow.fs.S3FileSystem:
    """pyarrow's file system on that server."""
    return pyarrow.fs.S3FileSystem(
        access_key="test",
        secret_key="test",
        region="us-east-1",
        scheme="http",
        endpoint_override=server,
        allow_bucket_creation=True,
    )


@pytest.fixture
def prefix(filesystem: pyarrow.fs.S3FileSystem) -> str:
    """A folder in a bucket of its own."""
    bucket = f"bucket{next(_NUMBERS)}"
    filesystem.create_dir(bucket)
    return f"{bucket}/calibrant/contents"


class TestObjectContents(ContentsContract):
    """S3."""

    @pytest.fixture
    def opened(self, filesystem: pyarrow.fs.S3FileSystem, prefix: str) -> contents.Contents:
        """An empty folder of a bucket."""
        return objects.ObjectContents(filesystem, prefix)

    @pytest.fixture
    def damage(self, filesystem: pyarrow.fs.S3FileSystem, prefix: str) -> Callable[[str, bytes], None]:
        """Put another object."""

        def overwrite(digest: str, data: bytes) -> None:
            with filesystem.open_output_stream(f"{prefix}/{digest[7:9]}/{digest[7:]}") as opened:
                opened.write(data)

        return overwrite


def test_an_address_is_enough(server: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials come from the environment; whoever names the same address has the same contents."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    address = f"s3://{prefix}?scheme=http&region=us-east-1&endpoint_override={server.replace(':', '%3A')}"
    digest = places.open_contents(address).put(b"x")
    assert places.open_contents(address).get(digest) == b"x"


def test_strangers_are_no_contents(filesystem: pyarrow.fs.S3FileSystem, prefix: str) -> None:
    """Other objects below the prefix are not listed."""
    place = objects.ObjectContents(filesystem, prefix)
    digest = place.put(b"x")
    for name in ("README", "ab/readme", f"zz/{digest[7:]}", f"a/b/{digest[7:]}"):
        with filesystem.open_output_stream(f"{prefix}/{name}") as opened:
            opened.write(b"x")
    assert list(place.digests()) == [digest]


def test_a_bucket_that_is_not_there(server: str) -> None:
    """No bucket is made by us; it is a fault of the storage, not a traceback."""
    plain = pyarrow.fs.S3FileSystem(
        access_key="test", secret_key="test", region="us-east-1", scheme="http", endpoint_override=server
    )
    place = objects.ObjectContents(plain, "nobody/x")
    with pytest.raises(errors.StoreFaultError, match="CAL-853"):
        place.put(b"x")
    assert not place.has(digest_of(b"x"))
    assert list(place.digests()) == []


def test_a_server_that_is_away() -> None:
    """Reads and writes say so."""
    gone = pyarrow.fs.S3FileSystem(
        access_key="test",
        secret_key="test",
        region="us-east-1",
        scheme="http",
        endpoint_override="127.0.0.1:1",
        retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=1),
    )
    place = objects.ObjectContents(gone, "nobody/x")
    for ask in (lambda: place.put(b"x"), lambda: place.has(digest_of(b"x")), lambda: place.get(digest_of(b"x"))):
        with pytest.raises(errors.StoreFaultError, match="CAL-853"):
            ask()
