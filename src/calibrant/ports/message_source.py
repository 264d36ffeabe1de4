"""Where messages come from: a broker that delivers at least once, and that is told what is safely kept.

Promises of every implementation:

1. **At least once.** A message that was polled and never committed is delivered again, to this consumer after a
   restart or to another one of its group. Only ``commit`` commits: neither time does nor ``close``.
2. **Committed means remembered.** When ``commit`` returns, the broker knows; a message that meanwhile belongs to
   another consumer may come again there, which is no error.
3. **Bounded.** ``poll`` returns after about so many seconds, with at most so many messages, possibly none.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

from calibrant import errors

_HOST: Final = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}")


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``headers`` are as HTTP would carry them (percent-encoded); ``token`` is for its source alone.

    ``place`` names it for people: the partition or stream, and its number there.
    """

    body: bytes
    headers: Mapping[str, str]
    place: str
    token: object = None


class MessageSource(Protocol):
    """An opened subscription, used by one thread."""

    def ready(self) -> bool:
        """Whether the broker has said what is ours; before that, silence does not mean that nothing is there."""
        ...

    def poll(self, most: int, *, seconds: float) -> Sequence[Message]:
        """The next messages, in the order of their partition; SourceError (CAL-122) when the broker refuses."""
        ...

    def commit(self, messages: Sequence[Message]) -> None:
        """All of one poll is kept; SourceError (CAL-123) when the broker cannot be told."""
        ...

    def close(self) -> None:
        """Leave; a second call does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *failure: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Address:
    """A source as one line, without secrets: ``scheme://host:port[,host:port]/path?name=value``."""

    scheme: str
    hosts: tuple[str, ...]
    path: tuple[str, ...]
    query: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read one.

        >>> Address.parse("kafka://a:9092,b:9092/fraud?group=g").hosts
        ('a:9092', 'b:9092')
        """
        try:
            parts = urllib.parse.urlsplit(text)
            query = urllib.parse.parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            raise malformed("it is not an address") from None
        if "@" in parts.netloc:
            # the text is not repeated: it may hold a password
            raise errors.UsageError(
                "CAL-440",
                "the address of a source holds no credentials",
                cause="command lines are seen by others and kept in histories",
                fix="write the address without user and password; put them into --config FILE or the environment",
            )
        path = tuple(urllib.parse.unquote(part) for part in parts.path.split("/") if part)
        hosts = tuple(host for host in parts.netloc.split(",") if host)
        if not (parts.scheme and hosts and all(map(_HOST.fullmatch, hosts))):
            raise malformed("a scheme, or hosts with their ports, are missing")
        if len(dict(query)) != len(query) or parts.fragment:
            raise malformed("a name after ? comes twice, or something comes after #")
        return cls(parts.scheme, hosts, path, dict(query))


def malformed(cause: str) -> errors.UsageError:
    """What an address looks like."""
    return errors.UsageError(
        "CAL-439",
        "the source cannot be read as an address",
        cause=cause,
        fix="write kafka://HOST:PORT/TOPIC?group=NAME or nats://HOST:PORT/STREAM/SUBJECT?durable=NAME",
    )


def unreadable(cause: str) -> errors.SourceError:
    """The broker does not answer, or refuses."""
    return errors.SourceError(
        "CAL-122",
        "the broker cannot be read",
        cause=cause,
        fix="check host, names, rights and the settings; what was kept is safe, start again then",
    )


def uncommitted(cause: str) -> errors.SourceError:
    """What was kept could not be told to the broker."""
    return errors.SourceError(
        "CAL-123",
        "the broker does not take note of what was read",
        cause=cause,
        fix="start again when it answers: what was kept comes again and counts once",
    )


def bad_setting(what: str, cause: str) -> errors.UsageError:
    """A setting of --config or of the environment."""
    return errors.UsageError("CAL-441", what, cause=cause, fix="correct it in --config or in the environment")
