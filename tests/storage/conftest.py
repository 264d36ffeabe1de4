"""A real PostgreSQL server for the tests: made new, on a port of its own, in a folder that goes away."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
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


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a running server; skipped without PostgreSQL or psycopg."""
    binaries = _binaries()
    if binaries is None:
        _missing("PostgreSQL")
    assert binaries is not None
    try:
        import psycopg  # noqa: F401
    except ImportError:
        _missing("psycopg")
    # PostgreSQL refuses to run as root
    other = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="calibrant-pg-"))
    if other is not None:
        shutil.chown(folder, other, other)

    def run(*command: str) -> None:
        done = subprocess.run(
            command, user=other, group=other, cwd=folder, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr

    data, port = folder / "data", _port()
    run(str(binaries / "initdb"), "-D", str(data), "-U", "calibrant", "--auth=trust", "-E", "UTF8", "--locale=C")
    settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    control = [str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
    run(*control, "-o", settings, "start")
    try:
        yield f"host=127.0.0.1 port={port} user=calibrant dbname=postgres application_name={getpass.getuser()}"
    finally:
        run(*control, "-m", "immediate", "stop")
        shutil.rmtree(folder)
