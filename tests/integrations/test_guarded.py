"""Connections that only go where they may: hostile addresses, names that change their mind, slow and rude receivers."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from calibrant import errors
from calibrant.integrations import guarded
from calibrant.streams import addresses, channels
from calibrant.testing import receivers

#: Spellings of places that nobody outside may reach through us.
PAYLOADS = (
    "127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1",
    "017700000001", "127.255.255.254", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::127.0.0.1]", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.255",
    "100.64.0.1", "100.100.100.200", "169.254.169.254", "169.254.170.2", "2852039166", "0xa9fea9fe",
    "0251.0376.0251.0376",
    "[::ffff:169.254.169.254]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[fd12:3456::1]", "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::]", "[2001:0:7f00:1::]", "224.0.0.1", "[ff02::1]",
    "255.255.255.255", "240.0.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "168.63.129.16", "192.0.0.192", "[2001:db8::1]", "localhost", "LOCALHOST",
)  # fmt: skip


@pytest.fixture
def no_connection(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Where somebody tried to connect to."""
    tried: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, where: tried.append(where))
    return tried


def local(seconds: float = 5.0, **more: Any) -> guarded.Guard:
    """A guard that allows this machine."""
    return guarded.Guard((ipaddress.ip_network("127.0.0.0/8"),), seconds, **more)


def post(address: addresses.Address, guard: guarded.Guard) -> Any:
    """A small body."""
    return guarded.post(address, b"{}", headers={}, guard=guard)


@pytest.mark.parametrize("host", PAYLOADS)
def test_no_connection_is_made_to_what_is_not_public(host: str, no_connection: list[Any]) -> None:
    """More than fifty spellings: refused, or not an address at all; never a connection."""
    try:
        address = addresses.parse(f"https://{host}/latest/meta-data/")
    except errors.UsageError:
        assert host.startswith("[")
        return
    outcome = post(address, guarded.Guard())
    assert outcome.result in ("refused", "failed")  # failed: it does not even resolve here
    assert outcome.result == "refused" or "gaierror" in outcome.detail
    assert no_connection == []


def test_the_payloads_are_many_and_the_public_is_allowed() -> None:
    """The guard is no wall."""
    assert len(set(PAYLOADS)) >= 50
    assert all(guarded.Guard().allows(ip) for ip in ("1.1.1.1", "140.82.121.4", "2606:4700:4700::1111"))
    assert not any(guarded.Guard().allows(text) for text in ("", "fe80::1%eth0", "host", "1.1.1.1:80"))


def test_the_credentials_of_a_cloud_cannot_be_allowed() -> None:
    """Whatever alerts.yaml says."""
    everything = guarded.Guard.of(["0.0.0.0/0", "::/0"])
    assert everything.allows("10.0.0.1")
    assert not any(
        everything.allows(ip) for ip in ("169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "168.63.129.16")
    )


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """A resolver that answers one list after the other, and the names that it was asked for."""
    left, asked = list(answers), []

    def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_with_one_address_inside_is_refused(monkeypatch: pytest.MonkeyPatch, no_connection: list[Any]) -> None:
    """However many others are public."""
    resolving(monkeypatch, ["93.184.216.34", "127.0.0.1"])
    assert post(addresses.parse("https://mixed.example.org/"), guarded.Guard()).result == "refused"
    assert no_connection == []


def test_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch, no_connection: list[Any]) -> None:
    """Public when it is checked, this machine a moment later: the connection goes to what was checked."""
    asked = resolving(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    post(addresses.parse("https://rebound.example.org/"), guarded.Guard())
    assert asked == ["rebound.example.org"]
    assert no_connection == [("93.184.216.34", 443)]


def test_the_peer_is_checked_after_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that translates addresses: what answered lies inside."""
    resolving(monkeypatch, ["93.184.216.34"])
    with receivers.receiver() as inside:
        really = socket.socket.connect
        monkeypatch.setattr(socket.socket, "connect", lambda one, _: really(one, ("127.0.0.1", inside.address.port)))
        outcome = post(addresses.Address("http", "translated.example.org", 80, "/"), guarded.Guard())
        monkeypatch.undo()
    assert outcome.result == "refused"
    assert inside.requests == []


def test_redirects_are_not_followed() -> None:
    """Not even to where it would be allowed."""
    with receivers.receiver() as target, receivers.receiver() as first:
        first.status, first.headers = 307, {"Location": f"http://127.0.0.1:{target.address.port}/"}
        outcome = post(first.address, local())
    assert (outcome.result, len(first.requests), target.requests) == ("refused", 1, [])


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would connect for us."""
    with receivers.receiver() as proxy, receivers.receiver() as target:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.address.port}")
        assert post(target.address, local()).result == "delivered"
    assert proxy.requests == []


def test_nothing_of_an_answer_is_handed_on() -> None:
    """But its status."""
    with receivers.receiver() as target:
        target.status, target.answer = 500, b"the secret of the metadata server"
        outcome = post(target.address, local())
    assert (outcome.result, outcome.detail) == ("failed", "HTTP 500")


def test_a_certificate_that_nobody_trusts_or_of_another_host_is_no_delivery(tmp_path: Path) -> None:
    """TLS is verified, and with the right authority it works."""
    own = receivers.authority(tmp_path)
    with receivers.receiver(own.server) as target:
        assert post(target.address, local()).detail == "no answer: SSLCertVerificationError"
        assert post(target.address, local(context=own.client)).result == "delivered"
    other = receivers.authority(tmp_path, host="127.0.0.2")
    with receivers.receiver(other.server) as target:
        assert post(target.address, local(context=other.client)).detail == "no answer: SSLCertVerificationError"
        assert target.requests == []


@pytest.fixture
def talking() -> Iterator[Callable[[Callable[[socket.socket], None]], addresses.Address]]:
    """A way to listen with whatever manners."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen(manners: Callable[[socket.socket], None]) -> addresses.Address:
            def accept() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65_536)
                    try:
                        manners(connection)
                    except OSError:
                        return

            threading.Thread(target=accept, daemon=True).start()
            return addresses.Address("http", "127.0.0.1", server.getsockname()[1], "/")

        yield listen


def test_a_receiver_that_speaks_slowly_is_left_at_the_deadline(
    talking: Callable[[Callable[[socket.socket], None]], addresses.Address],
) -> None:
    """A byte now and then keeps no timeout of a read from passing; the deadline is of the whole."""

    def drip(connection: socket.socket) -> None:
        for _ in range(200):
            connection.sendall(b"H")
            time.sleep(0.05)

    started = time.monotonic()
    assert post(talking(drip), local(0.3)).result == "failed"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, b"HTTP/1.1 200 " + b"x" * 100_000],
)
def test_a_receiver_without_manners_is_a_failure(
    answer: bytes, talking: Callable[[Callable[[socket.socket], None]], addresses.Address]
) -> None:
    """No answer, no HTTP, too many headers, a line without end."""
    assert post(talking(lambda connection: connection.sendall(answer)), local()).result == "failed"


def test_an_endless_answer_is_not_read_to_its_end(
    talking: Callable[[Callable[[socket.socket], None]], addresses.Address],
) -> None:
    """The status is enough."""
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1 << 20)

    def flood(connection: socket.socket) -> None:
        while True:
            connection.sendall(endless)

    assert post(talking(flood), local()).result == "delivered"


@pytest.mark.parametrize(
    ("status", "result"),
    [(200, "delivered"), (202, "delivered"), (204, "delivered"), (301, "refused"), (400, "refused"), (401, "refused"),
     (404, "refused"), (410, "refused"), (408, "failed"), (429, "failed"), (500, "failed"), (503, "failed")],
)  # fmt: skip
def test_which_answers_are_tried_again(status: int, result: str) -> None:
    """A retry that cannot help is not made."""
    assert guarded.outcome(status).result == result


def test_retry_after_is_heard_up_to_an_hour() -> None:
    """Seconds alone; a date or nonsense is nothing."""
    waits = [guarded.outcome(429, said).retry_after_us for said in ("30", "86400", "soon", "-5", None)]
    assert waits == [30_000_000, 3_600_000_000, None, None, None]


def test_http_is_for_this_machine_alone() -> None:
    """Also where the address comes from a variable."""
    with pytest.raises(errors.UsageError, match="CAL-845"):
        channels.demand_sendable("slack", "http://hooks.example.org/x")
    assert channels.demand_sendable("slack", "http://127.0.0.1:9/x").port == 9
