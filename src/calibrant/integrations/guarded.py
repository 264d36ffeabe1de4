"""Connections to addresses that somebody declared: to public networks, or to what was allowed by name, and no other.

A name can point anywhere, and somewhere else a moment later. So the addresses behind a name are looked up once, all of
them must be allowed, the connection goes to one of those very addresses, and the peer that it reached is checked again.
Redirects are not followed, the environment's proxies are not used, certificates are verified, and nothing that the
receiver says is handed on but its status. The whole exchange ends by a deadline, however slowly the receiver speaks.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from calibrant.ports import notifier
from calibrant.streams import addresses

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Where clouds keep the credentials of a machine, and neighbours on the wire: never allowed, whatever is declared.
_NEVER: Final = tuple(
    map(
        ipaddress.ip_network,
        ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"),
    )
)
#: IPv6 networks that hold an IPv4 address: NAT64 and 6to4. Where they lead depends on the network, so not there.
_TUNNELS: Final = tuple(
    map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96"))
)
#: Bytes of an answer that are read at all.
_ANSWER: Final = 1 << 16
_MOST_WAIT_US: Final = 3_600_000_000


class NotAllowed(Exception):
    """The address behind the name is not one that may be reached."""


@dataclass(frozen=True, slots=True)
class Guard:
    """``networks`` are allowed besides the public ones; ``seconds`` to connect, and as many for the whole exchange."""

    networks: tuple[Network, ...] = ()
    seconds: float = 10.0
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context, compare=False)

    @classmethod
    def of(cls, networks: Sequence[str]) -> Guard:
        return cls(tuple(map(ipaddress.ip_network, networks)))

    def allows(self, text: str) -> bool:
        """Whether an IP address may be reached."""
        try:
            ip: Ip = ipaddress.ip_address(text)
        except ValueError:
            return False  # with a zone, or none at all
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if any(ip in network for network in _NEVER):
            return False
        if any(ip in network for network in self.networks):
            return True
        public = ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)
        return public and not any(ip in network for network in _TUNNELS)

    @contextmanager
    def connected(self, host: str, port: int) -> Iterator[socket.socket]:
        """A connection to an allowed address of the host, shut down at the deadline."""
        # a duplicate, because TLS takes the connection over: shut through either of them, it is shut
        with contextlib.closing(self._connect(host, port)) as connection, contextlib.closing(connection.dup()) as same:
            timer = threading.Timer(self.seconds, _shut, [same])
            timer.daemon = True
            timer.start()
            try:
                yield connection
            finally:
                timer.cancel()
                timer.join()

    def _connect(self, host: str, port: int) -> socket.socket:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if not found or not all(self.allows(str(one[4][0])) for one in found):
            raise NotAllowed
        family, kind, protocol, _, where = found[0]
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(self.seconds)
            connection.connect(where)
            if not self.allows(str(connection.getpeername()[0])):
                raise NotAllowed
        except (OSError, NotAllowed):
            connection.close()
            raise
        return connection

    def secured(self, connection: socket.socket, host: str) -> ssl.SSLSocket:
        """The same with TLS, the certificate verified for the host."""
        return self.context.wrap_socket(connection, server_hostname=host)


def _shut(connection: socket.socket) -> None:
    """Wake up whoever reads from it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def post(
    address: addresses.Address, body: bytes, *, headers: Mapping[str, str], guard: Guard
) -> notifier.Outcome:  # fmt: skip
    """POST a body and tell what came of it."""
    try:
        with guard.connected(address.host, address.port) as plain:
            secured = address.scheme == "https"
            stream = guard.secured(plain, address.host) if secured else plain
            with contextlib.closing(stream):
                return _exchange(stream, address, body, headers)
    except NotAllowed:
        return refused_address()
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        return unreachable(error)


def refused_address() -> notifier.Outcome:
    """The host has an address that may not be reached."""
    return notifier.Outcome("refused", "the address is not public; allow its network in alerts.yaml if it is meant")


def unreachable(error: Exception) -> notifier.Outcome:
    """No connection, or none that lasted; said by its kind, for what a receiver wrote may be in its words."""
    return notifier.Outcome("failed", f"no answer: {type(error).__name__}")


def _exchange(
    stream: socket.socket, address: addresses.Address, body: bytes, headers: Mapping[str, str]
) -> notifier.Outcome:  # fmt: skip
    connection = http.client.HTTPConnection(address.host, address.port)
    connection.sock = stream
    # a connection that was closed is not opened again behind the guard's back
    connection.auto_open = 0
    named = {"Host": address.authority, "User-Agent": "calibrant", "Connection": "close"}
    connection.request("POST", address.path, body, {**named, **headers})
    answer = connection.getresponse()
    answer.read(_ANSWER)
    return outcome(answer.status, answer.getheader("Retry-After"))


def outcome(status: int, retry_after: str | None = None) -> notifier.Outcome:
    """What a status means for a delivery: 2xx arrived, a redirect is no answer, a retry helps with some.

    >>> outcome(503, "120")
    Outcome(result='failed', detail='HTTP 503', retry_after_us=120000000)
    """
    if 200 <= status < 300:
        return notifier.Outcome("delivered", f"HTTP {status}")
    if 300 <= status < 400:
        return notifier.Outcome("refused", f"HTTP {status}: redirects are not followed")
    if status in (408, 425, 429) or status >= 500:
        seconds = int(retry_after) if retry_after is not None and retry_after.strip().isdecimal() else None
        wait_us = None if seconds is None else min(seconds * 1_000_000, _MOST_WAIT_US)
        return notifier.Outcome("failed", f"HTTP {status}", wait_us)
    return notifier.Outcome("refused", f"HTTP {status}")
