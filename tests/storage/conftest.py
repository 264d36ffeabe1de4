"""A real PostgreSQL server for the tests: made new, on a port of its own, in a folder that goes away."""

from __future__ import annotations

import functools
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

BINARIES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/bin"))


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    here = [Path(found).parent] if found else []
    return next((folder for folder in (*here, *BINARIES) if (folder / "initdb").exists()), None)


def _missing(what: str) -> None:
    """Skip at home, fail where everything is meant to be installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must not skip it")
    pytest.skip(f"{what} is not installed")


def _port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Server:
    """A PostgreSQL server of our own: it can be stopped the hard way and started again."""

    def __init__(self, binaries: Path) -> None:
        # PostgreSQL refuses to run as root
        self._user = "postgres" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="calibrant-pg-"))
        if self._user is not None:
            shutil.chown(self.folder, self._user, self._user)
        data, port = self.folder / "data", _port()
        self._settings = f"-p {port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self._control = [str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(self.folder / "log")]
        self.address = f"host=127.0.0.1 port={port} user=calibrant dbname=postgres application_name={getpass.getuser()}"
        self._run(
            str(binaries / "initdb"), "-D", str(data), "-U", "calibrant", "--auth=trust", "-E", "UTF8", "--locale=C"
        )

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command,
            user=self._user,
            group=self._user,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        self._run(*self._control, "-o", self._settings, "start")

    def stop(self) -> None:
        """As a crash would: without a checkpoint, every session cut off."""
        self._run(*self._control, "-m", "immediate", "stop")


@pytest.fixture(scope="session")
def make_server() -> Callable[[], Server]:
    """A way to make servers; skipped without PostgreSQL or psycopg."""
    binaries = _binaries()
    if binaries is None:
        _missing("PostgreSQL")
    assert binaries is not None
    try:
        import psycopg  # noqa: F401
    except ImportError:
        _missing("psycopg")
    return functools.partial(Server, binaries)


@pytest.fixture(scope="session")
def postgres(make_server: Callable[[], Server]) -> Iterator[str]:
    """Address of a running server."""
    server = make_server()
    server.start()
    try:
        yield server.address
    finally:
        server.stop()
        shutil.rmtree(server.folder)


@pytest.fixture
def own_postgres(make_server: Callable[[], Server]) -> Iterator[Server]:
    """A running server that the test may stop."""
    server = make_server()
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder)
