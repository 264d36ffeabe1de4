"""From declared channels to what sends: secrets are fetched here, and nowhere else."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, assert_never

from calibrant import errors
from calibrant.integrations import alertmanager, email, guarded, pagerduty, slack, webhook
from calibrant.ports import notifier
from calibrant.streams import addresses, channels

#: Bytes of a file that holds a secret.
_LONGEST: Final = 4_096


def notifier_of(channel: channels.Channel, *, environ: Mapping[str, str] = os.environ) -> notifier.Notifier:
    """What sends to a channel; UsageError (CAL-849) when its secret is not there, or everybody can read it."""
    guard = guarded.Guard.of(channel.networks)
    secret = None if channel.secret is None else fetch(channel.secret, environ)
    match channel.type:
        case "webhook":
            return webhook.Webhook(_address(channel, environ), webhook.key_of(secret or ""), guard)
        case "alertmanager":
            return alertmanager.Alertmanager(_address(channel, environ), secret, guard)
        case "pagerduty":
            place = pagerduty.ENDPOINT if channel.url is None else _address(channel, environ)
            return pagerduty.PagerDuty(secret or "", place, guard)
        case "slack":
            return slack.Slack(_address(channel, environ), guard)
        case "email":
            sender = channel.sender or ""
            return email.Email(_address(channel, environ), sender, channel.to, channel.user, secret, guard)
        case _ as unreachable:
            assert_never(unreachable)


def _address(channel: channels.Channel, environ: Mapping[str, str]) -> addresses.Address:
    url = channel.url or ""
    return channels.demand_sendable(channel.type, fetch(url, environ) if url.startswith(("env:", "file:")) else url)


def fetch(reference: str, environ: Mapping[str, str]) -> str:
    """The secret behind ``env:NAME`` or ``file:/path``, without blanks around it."""
    scheme, _, place = reference.partition(":")
    found = environ.get(place, "") if scheme == "env" else _read(Path(place))
    if not found.strip():
        raise _absent(f"{reference} holds nothing")
    return found.strip()


def _read(path: Path) -> str:
    try:
        if stat.S_IMODE(path.stat().st_mode) & stat.S_IROTH:
            raise _absent(f"everybody on this machine can read {path}")
        with path.open("rb") as file:
            return file.read(_LONGEST).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _absent(f"{path} cannot be read: {type(error).__name__}") from None


def _absent(cause: str) -> errors.UsageError:
    return errors.UsageError(
        "CAL-849",
        "the secret of a channel is not there",
        cause=cause,
        fix="set the variable, or write the file so that only its owner and group can read it",
    )
