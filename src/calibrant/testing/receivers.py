"""Receivers that really listen: HTTP and HTTPS servers, a certificate authority of our own, notices by hand."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from calibrant.ports import notifier
from calibrant.slo import alerts, labels
from calibrant.streams import addresses

#: When everything happens.
AT: Final = 1_772_323_200_000_000


@dataclass
class Request:
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A server that keeps what it gets and answers what it is told to."""

    address: addresses.Address
    requests: list[Request] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b"ok"


@contextlib.contextmanager
def receiver(context: ssl.SSLContext | None = None, *, path: str = "/in") -> Iterator[Receiver]:
    """One that listens on this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.requests.append(Request(self.path, dict(self.headers.items()), body))
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(made.answer)))
            self.end_headers()
            self.wfile.write(made.answer)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Not into the test's output."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "http" if context is None else "https"
    made = Receiver(addresses.Address(scheme, "127.0.0.1", server.server_address[1], path))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Authority:
    """A certificate for 127.0.0.1, the context of its server, and one of a client that trusts it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def authority(folder: Path, *, host: str = "127.0.0.1") -> Authority:
    """Made new, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both = folder / "server.pem"
    both.write_bytes(secret + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    return Authority(server, ssl.create_default_context(cadata=pem.decode()))


def alert(
    *, status: alerts.Status = "firing", cohort: str = "all", summary: str = "2 of 7 slices are bad"
) -> alerts.Alert:
    """An alert on record."""
    named = labels.Labels("CalibrationBurn", "page", "fraud", "burn", cohort)
    said = {"summary": summary, "runbook_url": "https://example.org/runbooks/fraud"}
    ended = AT + 5_000_000 if status == "resolved" else None
    return alerts.Alert(named, status, 1, AT, AT + 1_000_000, ended, said, {"as_of_us": AT})


def notice(*each: alerts.Alert) -> notifier.Notice:
    """A notice of some alerts, firing if any is."""
    every = each or (alert(),)
    status: alerts.Status = "firing" if any(one.status == "firing" for one in every) else "resolved"
    return notifier.Notice("msg_0123456789abcdef", every[0].labels.group, status, every, AT + 10_000_000)
