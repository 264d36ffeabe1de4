"""Channels: the ways in which people are told of alerts, and the times in which they are not.

Secrets are never written here: ``env:NAME`` or ``file:/path`` says where they are.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final, Literal

from calibrant import errors
from calibrant.streams import addresses, bounds, freezes
from calibrant.streams.bounds import Bounds, Problem

Type = Literal["webhook", "alertmanager", "pagerduty", "slack", "email"]
Severity = Literal["page", "ticket"]

#: Where a secret is.
_REFERENCE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]{0,99}|file:/[^\x00-\x1f]{1,500}", re.ASCII)
#: What each type needs, and what it may have besides; ``networks`` and ``repeat`` go with all of them.
_NEEDS: Final[dict[Type, tuple[str, ...]]] = {
    "webhook": ("url", "secret"),
    "alertmanager": ("url",),
    "pagerduty": ("secret",),
    "slack": ("url",),
    "email": ("url", "sender", "to"),
}
_MAY: Final[dict[Type, tuple[str, ...]]] = {
    "webhook": (),
    "alertmanager": ("secret",),
    "pagerduty": ("url",),
    "slack": (),
    "email": ("user", "secret"),
}
_OWN: Final = ("url", "secret", "user", "sender", "to")
_MAILBOX: Final = re.compile(r"[A-Za-z0-9._%+=-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to tell people."""

    name: Annotated[str, Bounds("How streams name it in policies.alerts.", pattern=bounds.NAME)]
    type: Annotated[Type, Bounds("What is at the other end.")]
    url: Annotated[
        str | None, Bounds("https://…, for e-mail smtp:// or smtps://; env:NAME where it is a secret.", most=2000)
    ] = None
    secret: Annotated[str | None, Bounds("Where the key is: env:NAME or file:/path.", most=600)] = None
    user: Annotated[str | None, Bounds("The name at the mail server.", most=200)] = None
    sender: Annotated[str | None, Bounds("The mailbox that mails come from.", most=320)] = None
    to: Annotated[tuple[str, ...], Bounds("Mailboxes.", most=320, items=50)] = ()
    networks: Annotated[
        tuple[str, ...], Bounds("Networks that may be reached though they are not public: 127.0.0.1/32.", items=16)
    ] = ()
    repeat: Annotated[
        timedelta | None, Bounds("Told again so often while it fires; never by default.", longest=timedelta(days=31))
    ] = None

    def __post_init__(self) -> None:
        for problem in self.problems():
            raise problem.error()

    def problems(self) -> Iterator[Problem]:
        found = list(bounds.problems(self))
        yield from found
        if found:
            return
        for name in _OWN:
            given = getattr(self, name) not in (None, ())
            if name in _NEEDS[self.type] and not given:
                yield _member(name, f"a channel of type {self.type} needs it", f"write {name}")
            if given and name not in (*_NEEDS[self.type], *_MAY[self.type]):
                yield _member(name, f"a channel of type {self.type} has no use for it", "remove it")
        yield from self._texts()
        yield from self._networks()
        yield from self._address()

    def _texts(self) -> Iterator[Problem]:
        if self.secret is not None and not _REFERENCE.fullmatch(self.secret):
            # what stands there may be the secret itself: it is not repeated
            yield Problem(
                "CAL-843",
                "a secret is not written into this file",
                path="secret",
                cause="it is neither env:NAME nor file:/path",
                fix="put it into an environment variable or a file of its own, and name that",
            )
        boxes = {"sender": self.sender} | {f"to[{at}]": box for at, box in enumerate(self.to)}
        for path, box in boxes.items():
            if box is not None and not _MAILBOX.fullmatch(box):
                yield Problem(
                    "CAL-847",
                    "this is not a mailbox",
                    path=path,
                    cause="it is not of the form name@host",
                    fix="correct it",
                )

    def _networks(self) -> Iterator[Problem]:
        for at, text in enumerate(self.networks):
            try:
                ipaddress.ip_network(text)
            except ValueError as error:
                yield Problem(
                    "CAL-844", "this is not a network", path=f"networks[{at}]", cause=str(error)[:200],
                    fix="write it as 10.1.0.0/16 or fd00::/8",
                )  # fmt: skip

    def _address(self) -> Iterator[Problem]:
        if self.url is None or _REFERENCE.fullmatch(self.url):
            return
        try:
            demand_sendable(self.type, self.url)
        except errors.UsageError as error:
            yield Problem(error.code, error.what, path="url", cause=error.cause, fix=error.fix)


def _member(name: str, cause: str, fix: str) -> Problem:
    return Problem("CAL-842", "the members do not fit the type", path=name, cause=cause, fix=fix)


def demand_sendable(kind: Type, url: str) -> addresses.Address:
    """The address of a channel, wherever it came from: https, or to this machine also http."""
    if kind == "email":
        return addresses.parse(url, schemes=("smtp", "smtps"))
    found = addresses.parse(url)
    if found.scheme == "http" and not found.is_loopback:
        raise errors.UsageError(
            "CAL-845",
            "alerts are not sent in the clear",
            cause="http is for this machine alone",
            fix="write https://",
        )
    return found


@dataclass(frozen=True, slots=True)
class Quiet:
    """A window in which some alerts are not told: deploys, maintenance. Pages only where it says so."""

    window: Annotated[str, Bounds("2026-12-24/2026-12-27, or Sat 02:00/Sat 04:00, UTC.", most=100)]
    streams: Annotated[tuple[str, ...], Bounds("All streams by default.", pattern=bounds.NAME, items=1000)] = ()
    severities: Annotated[tuple[Severity, ...], Bounds("Which alerts it is about.", items=2)] = ("ticket",)

    def __post_init__(self) -> None:
        for problem in self.problems():
            raise problem.error()

    def problems(self) -> Iterator[Problem]:
        yield from bounds.problems(self)
        if isinstance(self.window, str) and isinstance(parsed := freezes.parse(self.window), Problem):
            yield Problem(parsed.code, parsed.what, path="window", cause=parsed.cause, fix=parsed.fix)

    def covers(self, *, stream: str, severity: str, now_us: int) -> bool:
        """Whether an alert of this stream and severity is not told now."""
        about = (not self.streams or stream in self.streams) and severity in self.severities
        return about and freezes.holding((self.window,), now_us) is not None


@dataclass(frozen=True, slots=True)
class Channels:
    """All of alerts.yaml."""

    channels: Annotated[tuple[Channel, ...], Bounds("The ways to tell people.", items=100)] = ()
    quiet: Annotated[tuple[Quiet, ...], Bounds("Times in which they are not told.", items=100)] = ()

    def __post_init__(self) -> None:
        for problem in self.problems():
            raise problem.error()

    def problems(self) -> Iterator[Problem]:
        yield from bounds.problems(self)
        seen: set[str] = set()
        for at, one in enumerate(self.channels):
            if one.name in seen:
                yield Problem(
                    "CAL-805", "a channel is listed twice", path=f"channels[{at}].name",
                    cause=f"{one.name!r} came before", fix="give it another name",
                )  # fmt: skip
            seen.add(one.name)

    def named(self, name: str) -> Channel:
        """The channel of that name."""
        for one in self.channels:
            if one.name == name:
                return one
        raise errors.UsageError(
            "CAL-846",
            f"there is no channel {name!r}",
            cause="alerts.yaml declares " + (", ".join(one.name for one in self.channels) or "none"),
            fix="declare it there, or correct policies.alerts of the stream",
        )
