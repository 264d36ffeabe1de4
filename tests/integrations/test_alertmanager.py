"""A real Alertmanager: alerts arrive there, keep one identity, and end when we say so."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calibrant.integrations import alertmanager, guarded
from calibrant.streams import addresses
from calibrant.testing import receivers

LOCAL = guarded.Guard((ipaddress.ip_network("127.0.0.0/8"),), 5.0)
CONFIG = """route:
  receiver: hook
  group_by: [stream, kind, severity]
  group_wait: 0s
receivers:
  - name: hook
    webhook_configs:
      - url: http://127.0.0.1:{port}/in
"""


def _missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must not skip it")
    pytest.skip(f"{what} is not installed")


@dataclasses.dataclass
class Server:
    """An Alertmanager and the receiver that it notifies."""

    address: addresses.Address
    told: receivers.Receiver

    def alerts(self, active: bool = True) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self.address.port}/api/v2/alerts?active={str(active).lower()}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)
            return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Started once, with nothing in it."""
    binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if binary is None:
        _missing("alertmanager")
        return
    folder = Path(tmp_path_factory.mktemp("alertmanager"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    with receivers.receiver() as told:
        (folder / "config.yml").write_text(CONFIG.format(port=told.address.port))
        process = subprocess.Popen(
            [binary, f"--config.file={folder}/config.yml", f"--storage.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            made = Server(addresses.Address("http", "127.0.0.1", port, "/"), told)
            wait_until(lambda: up(made))
            yield made
        finally:
            process.terminate()
            process.wait(timeout=20)


def up(server: Server) -> bool:
    try:
        return server.alerts() == []
    except OSError:
        return False


def wait_until(holds: Any, seconds: float = 30.0) -> None:
    """Poll; fails when it never holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


def test_an_alert_fires_there_and_ends_when_we_say(server: Server) -> None:
    """One alert whatever its numbers do; still active without us for a day; resolved at once when told."""
    channel = alertmanager.Alertmanager(server.address, guard=LOCAL)
    now_us = time.time_ns() // 1_000

    def send(**more: Any) -> None:
        one = dataclasses.replace(receivers.alert(**more), started_us=now_us - 60_000_000)
        if one.ended_us is not None:
            one = dataclasses.replace(one, ended_us=now_us)
        sent = channel.send(dataclasses.replace(receivers.notice(one), at_us=now_us))
        assert (sent.result, sent.detail) == ("delivered", "HTTP 200")

    send(summary="2 of 7 slices are bad")
    send(summary="3 of 7 slices are bad")
    wait_until(lambda: len(server.alerts()) == 1)
    active = server.alerts()[0]
    assert active["labels"] == receivers.alert().labels.to_dict()
    assert active["annotations"]["summary"] == "3 of 7 slices are bad"
    lasts = time.mktime(time.strptime(active["endsAt"][:19], "%Y-%m-%dT%H:%M:%S")) - time.mktime(
        time.strptime(active["startsAt"][:19], "%Y-%m-%dT%H:%M:%S")
    )
    assert lasts > 86_000
    wait_until(lambda: server.told.requests)
    assert server.told.requests[0].json["status"] == "firing"
    send(status="resolved")
    wait_until(lambda: server.alerts() == [])


def test_what_it_does_not_take_is_refused(server: Server) -> None:
    """An alert without labels: HTTP 400, and a retry would not help."""
    place = addresses.Address("http", "127.0.0.1", server.address.port, "/api/v2/alerts")
    headers = {"Content-Type": "application/json"}
    outcome = guarded.post(place, b'[{"labels": {}}]', headers=headers, guard=LOCAL)
    assert (outcome.result, outcome.detail) == ("refused", "HTTP 400")
