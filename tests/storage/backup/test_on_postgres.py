"""Doctor and backup where the store is a real PostgreSQL server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calibrant import cli, wiring
from calibrant.testing import clocks


def test_doctor_on_a_server(
    own_postgres: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It looks at what lies there and at the folder; without the server there is nothing to look at."""
    told = dict(part.split("=", 1) for part in own_postgres.address.split())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(wiring.STORE_VARIABLE, f"postgresql://{told['user']}@{told['host']}:{told['port']}/postgres")
    monkeypatch.setattr(wiring, "clock", clocks.FakeClock)
    assert cli.invoke(["people", "init", "alice"]) == 0
    capsys.readouterr()
    assert cli.invoke(["doctor", "--full", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {one["code"] for one in found["findings"]} - {"CAL-962"} == {"CAL-977"}
    assert found["not_looked_at"] == []
    assert cli.invoke(["backup", "saved.tar"]) == 2
    assert "CAL-416" in capsys.readouterr().err
    own_postgres.stop()
    try:
        assert cli.invoke(["doctor"]) == 2
        assert "CAL-853" in capsys.readouterr().err
    finally:
        own_postgres.start()
