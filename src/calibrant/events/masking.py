"""Which context members are kept, and how: as they are, as a keyed hash, or not at all."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

from calibrant import errors
from calibrant.calibrators import canonical
from calibrant.events import prediction, refusals, texts
from calibrant.streams import declaration

PREFIX = "hmac-sha256:"
_TOKEN = re.compile(re.escape(PREFIX) + "[0-9a-f]{64}")


def token(key: bytes, value: str) -> str:
    """The keyed hash that stands for an identifier; a token stays as it is, so that exported events can come back.

    Use it to find or erase a unit whose identifier is masked.
    """
    if _TOKEN.fullmatch(value):
        return value
    return PREFIX + hmac.digest(key, value.encode(), "sha256").hex()


class Mask:
    """One stream's context policy with its key, ready to apply to many events."""

    def __init__(self, stream: declaration.Stream, key: bytes | None = None) -> None:
        policy = stream.context
        if policy.hmac and not key:
            raise errors.UsageError(
                "CAL-840",
                f"the stream {stream.name} masks context members, and there is no key",
                cause="context.hmac lists " + ", ".join(policy.hmac),
                fix="give hmac_key: at least 16 random bytes that you keep and never change while events are kept",
            )
        if key is not None and len(key) < 16:
            raise errors.UsageError(
                "CAL-841", "the masking key is too short", cause=f"it has {len(key)} bytes", fix="give at least 16"
            )
        self._key = key or b""
        self._most = policy.max_bytes
        kept = sorted((*policy.allow, *policy.hmac))
        self._kept = tuple((name, texts.quoted(name) + ":", name in policy.hmac) for name in kept)
        self._unit = stream.unit
        self._unit_kept = stream.unit in kept
        self._unit_masked = stream.unit in policy.hmac

    def text(self, context: Mapping[str, prediction.Scalar]) -> str:
        """What is kept of a context, as canonical JSON."""
        parts = []
        for name, head, masked in self._kept:
            if name in context:
                value = context[name]
                if type(value) is str and not masked:
                    parts.append(head + texts.quoted(value))
                else:
                    parts.append(head + self._value(value, masked))
        if len(parts) < len(context):
            _refuse_numbers(context)
        whole = "{" + ",".join(parts) + "}"
        if len(whole) > self._most or (not whole.isascii() and len(whole.encode()) > self._most):
            raise refusals.CONTEXT_TOO_LARGE.at("context")
        return whole

    def unit(self, sent: str | None, context: Mapping[str, prediction.Scalar] | None) -> str | None:
        """The event's unit: its own member, else the context member that the stream names, masked as that one is."""
        if sent is None and self._unit is not None and self._unit_kept and context:
            held = context.get(self._unit)
            sent = held if isinstance(held, str) else None if held is None else _exact(held)
            if sent is not None and not texts.allowed(sent):
                raise refusals.BAD_TEXT.at("unit")
        return token(self._key, sent) if sent is not None and self._unit_masked else sent

    @property
    def touches_units(self) -> bool:
        """Whether ``unit`` can change anything."""
        return self._unit_masked or self._unit_kept

    def _value(self, value: prediction.Scalar, masked: bool) -> str:
        if masked and value is not None:
            return f'"{token(self._key, value if isinstance(value, str) else _exact(value))}"'
        return texts.quoted(value) if isinstance(value, str) else _exact(value)


def _exact(value: float | bool | None) -> str:
    """A number, true, false or null as canonical JSON."""
    try:
        return canonical.number(value) if type(value) is float else canonical.dumps(value).decode()
    except ValueError:
        raise refusals.NOT_A_NUMBER.at("context") from None


def _refuse_numbers(context: Mapping[str, prediction.Scalar]) -> None:
    """Every number of the context must be exact, kept or not."""
    for value in context.values():
        if not isinstance(value, str):
            _exact(value)
