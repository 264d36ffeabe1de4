"""The oracle and the child as fixtures: test folders are no packages."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"faults_{Path(name).name}", Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def oracle() -> ModuleType:
    """``oracle.py``."""
    return _load("oracle")


@pytest.fixture(scope="session")
def disk() -> ModuleType:
    """``disk.py``."""
    return _load("disk")


#: The server of the storage tests, which may be stopped here too.
_servers = _load("../storage/conftest")
make_server, own_postgres = _servers.make_server, _servers.own_postgres
