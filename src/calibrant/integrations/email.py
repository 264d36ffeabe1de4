"""E-mail through a mail server: encrypted unless the server is this machine, one thread for each group."""

from __future__ import annotations

import email.message
import email.policy
import hashlib
import smtplib
import socket
from dataclasses import dataclass, field
from typing import Final

from calibrant.events import times
from calibrant.integrations import guarded, pagerduty
from calibrant.ports import notifier
from calibrant.slo import alerts
from calibrant.streams import addresses

#: Alerts of a group that are written out; the others are counted.
_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Email:
    """A mail server (``smtp`` starts TLS, ``smtps`` begins with it), and who writes to whom."""

    address: addresses.Address
    sender: str
    to: tuple[str, ...]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    guard: guarded.Guard = field(default_factory=guarded.Guard)

    def send(self, notice: notifier.Notice) -> notifier.Outcome:
        try:
            with self.guard.connected(self.address.host, self.address.port) as connection:
                return self._deliver(connection, letter(notice, sender=self.sender, to=self.to))
        except guarded.NotAllowed:
            return guarded.refused_address()
        except smtplib.SMTPResponseException as error:
            # 4xx of SMTP is "later", 5xx is "never"
            result: Final = "failed" if 400 <= error.smtp_code < 500 else "refused"
            return notifier.Outcome(result, f"SMTP {error.smtp_code}")
        except smtplib.SMTPRecipientsRefused:
            return notifier.Outcome("refused", "SMTP: every mailbox was refused")
        except smtplib.SMTPNotSupportedError:
            return notifier.Outcome("refused", "SMTP: the server offers no TLS, or no login")
        except (OSError, smtplib.SMTPException) as error:
            return guarded.unreachable(error)

    def _deliver(self, connection: socket.socket, mail: email.message.EmailMessage) -> notifier.Outcome:
        secured = self.address.scheme == "smtps"
        server = _Server(self.guard.secured(connection, self.address.host) if secured else connection)
        with server:
            server.connect(self.address.host, self.address.port)
            server._host = self.address.host  # type: ignore[attr-defined]  # what starttls verifies the name of
            if not secured and not self.address.is_loopback:
                server.starttls(context=self.guard.context)
            if self.user is not None and self.password is not None:
                server.login(self.user, self.password)
            refused = server.send_message(mail)
        if refused:
            return notifier.Outcome("delivered", f"SMTP: {len(refused)} of {len(self.to)} mailboxes were refused")
        return notifier.Outcome("delivered", "SMTP 250")


class _Server(smtplib.SMTP):
    """The protocol over a connection that the guard has made."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection

    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:  # noqa: ARG002
        return self._connection


def letter(notice: notifier.Notice, *, sender: str, to: tuple[str, ...]) -> email.message.EmailMessage:
    """The mail. Its id is that of the message, so that a second copy can be told; a group is one thread."""
    mail = email.message.EmailMessage(policy=email.policy.SMTP)
    domain = sender.rpartition("@")[2]
    mail["From"], mail["To"] = sender, ", ".join(to)
    mail["Subject"] = _one_line(f"[{notice.status.upper()}] {pagerduty.summary(notice)}")[:200]
    mail["Date"] = times.of_us(notice.at_us)
    mail["Message-ID"] = f"<{notice.id}@{domain}>"
    mail["References"] = f"<{hashlib.sha256(notice.group.encode()).hexdigest()[:24]}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    shown = [_paragraph(one) for one in notice.alerts[:_SHOWN]]
    if len(notice.alerts) > _SHOWN:
        shown.append(f"and {len(notice.alerts) - _SHOWN} more")
    mail.set_content("\n\n".join(shown) + "\n")
    return mail


def _paragraph(alert: alerts.Alert) -> str:
    until = "" if alert.ended_us is None else f" to {times.text(alert.ended_us)}"
    head = f"{alert.status}: {alert.labels.alertname}, cohort {alert.labels.cohort}"
    said = [f"  {name}: {_one_line(text)}" for name, text in sorted(alert.annotations.items()) if text]
    return "\n".join([_one_line(head), f"  since {times.text(alert.started_us)}{until}", *said])


def _one_line(text: str) -> str:
    return " ".join(text.split())
