"""Mail to a real mail server that offers TLS, asks for a password, or refuses."""

from __future__ import annotations

import email
import email.policy
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd import controller, smtp

from calibrant.integrations import guarded
from calibrant.integrations.email import Email, letter
from calibrant.slo import members
from calibrant.streams import addresses
from calibrant.testing import receivers

LOCAL = (ipaddress.ip_network("127.0.0.0/8"),)
TO = ("fraud@example.org", "oncall@example.org")


class Mailbox:
    """Keeps what arrives; refuses one mailbox, and everything when it is told to."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.users: list[bytes] = []
        self.answer = "250 OK"
        self.secured: list[bool] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("gone"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.secured.append(session.ssl is not None)
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append((envelope.rcpt_tos, parsed))
        return self.answer

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        self.users.append(data.login)
        return smtp.AuthResult(success=data.password == b"s3cr3t", handled=False)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> receivers.Authority:
    """A certificate authority."""
    return receivers.authority(Path(tmp_path_factory.mktemp("tls")))


Start = Callable[..., tuple[Mailbox, addresses.Address]]


@pytest.fixture
def start() -> Iterator[Start]:
    """A way to start mail servers."""
    running: list[Any] = []

    def make(scheme: str = "smtp", *, implicit: ssl.SSLContext | None = None, **more: Any) -> Any:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = int(taken.getsockname()[1])
        mailbox = Mailbox()
        server = controller.Controller(
            mailbox, hostname="127.0.0.1", port=port, ssl_context=implicit, authenticator=mailbox.authenticate, **more
        )
        server.start()
        running.append(server)
        return mailbox, addresses.Address(scheme, "127.0.0.1", port, "/")

    yield make
    for one in running:
        one.stop()


def channel(address: addresses.Address, *, to: tuple[str, ...] = TO, **more: Any) -> Email:
    """From us to them."""
    return Email(address, "calibrant@example.org", to, guard=guarded.Guard(LOCAL, 5.0), **more)


def test_a_mail_arrives(start: Start) -> None:
    """Subject, mailboxes, a body that says all, one id for all copies."""
    mailbox, address = start()
    notice = receivers.notice(receivers.alert(), receivers.alert(cohort="carrier=AA"))
    for _ in range(2):
        assert channel(address).send(notice).result == "delivered"
    to, mail = mailbox.mails[0]
    assert to == list(TO)
    assert mail["Subject"] == "[FIRING] fraud: 2 of 7 slices are bad (and 1 more)"
    text = mail.get_content()
    assert "firing: CalibrationBurn, cohort carrier=AA" in text
    assert "runbook_url: https://example.org/runbooks/fraud" in text
    assert {one["Message-ID"] for _, one in mailbox.mails} == {f"<{notice.id}@example.org>"}


def test_over_tls_with_a_password(start: Start, own: receivers.Authority) -> None:
    """The certificate is verified, and the password does not go in the clear."""
    mailbox, address = start("smtps", implicit=own.server, auth_require_tls=False)
    trusting = guarded.Guard(LOCAL, 5.0, own.client)
    sender = Email(address, "calibrant@example.org", TO, "calibrant", "s3cr3t", trusting)
    assert sender.send(receivers.notice()).result == "delivered"
    assert mailbox.users == [b"calibrant"]
    wrong = Email(address, "calibrant@example.org", TO, "calibrant", "wrong", trusting)
    assert wrong.send(receivers.notice()).detail == "SMTP 535"
    assert channel(address).send(receivers.notice()).detail == "no answer: SSLCertVerificationError"


def test_a_server_elsewhere_without_tls_gets_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """STARTTLS is demanded of everybody but this machine."""
    mailbox, address = start()
    monkeypatch.setattr(addresses.Address, "is_loopback", False)
    outcome = channel(address).send(receivers.notice())
    assert (outcome.result, outcome.detail) == ("refused", "SMTP: the server offers no TLS, or no login")
    assert mailbox.mails == []


def test_starttls_is_used_and_verified(
    start: Start, own: receivers.Authority, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """The upgrade that the server offers, for the name that was declared."""
    mailbox, address = start(tls_context=own.server)
    monkeypatch.setattr(addresses.Address, "is_loopback", False)
    trusting = Email(address, "calibrant@example.org", TO, guard=guarded.Guard(LOCAL, 5.0, own.client))
    assert trusting.send(receivers.notice()).result == "delivered"
    assert mailbox.secured == [True]
    assert channel(address).send(receivers.notice()).detail == "no answer: SSLCertVerificationError"
    assert len(mailbox.mails) == 1


def test_later_is_tried_again_and_never_is_not(start: Start) -> None:
    """4xx and 5xx of SMTP; one mailbox of two that is gone is a delivery that says so."""
    mailbox, address = start()
    mailbox.answer = "451 later"
    assert channel(address).send(receivers.notice()).result == "failed"
    mailbox.answer = "554 never"
    assert channel(address).send(receivers.notice()).result == "refused"
    mailbox.answer = "250 OK"
    some = channel(address, to=("gone@example.org", "here@example.org")).send(receivers.notice())
    assert (some.result, some.detail) == ("delivered", "SMTP: 1 of 2 mailboxes were refused")
    assert channel(address, to=("gone@example.org",)).send(receivers.notice()).result == "refused"


def test_a_server_that_is_not_public_is_refused(start: Start) -> None:
    """The same guard as for HTTP."""
    mailbox, address = start()
    assert Email(address, "a@example.org", TO).send(receivers.notice()).result == "refused"
    assert mailbox.mails == []


def test_no_header_can_be_written_from_outside() -> None:
    """Line breaks in whatever came with the events."""
    hostile = receivers.alert(
        cohort=members.write((("carrier", "x\r\nBcc: all@example.org"),)), summary="a\r\nBcc: all@example.org\r\n\r\nb"
    )
    mail = letter(receivers.notice(hostile), sender="calibrant@example.org", to=TO)
    parsed = email.message_from_bytes(bytes(mail), policy=email.policy.default)
    assert parsed["Bcc"] is None
    assert "\n" not in str(parsed["Subject"])
