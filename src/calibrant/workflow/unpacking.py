"""gzip, unpacked as it is read and only as long as it looks like data: what expands without measure is refused.

Counting bytes is enough: a file of events never shrinks a thousandfold, and is never cut into a million empty members.
"""

from __future__ import annotations

import io
import zlib
from typing import IO, Final

from calibrant import errors

BLOCK: Final = 1 << 16
#: Bytes that come out before the ratio is looked at: small files may repeat themselves as they like.
FREE: Final = 1 << 21
#: Bytes out for one byte in. JSON lines reach 10 to 50; deflate can do 1,032.
RATIO: Final = 200
#: Members that may be empty; beyond these each member must hold so many bytes on average.
FREE_MEMBERS: Final = 1_000
LEAST: Final = 512


class Unpacked(io.RawIOBase):
    """The bytes inside a gzip file of one or more members. Raises SourceError: CAL-108 damaged, CAL-118 a bomb."""

    def __init__(self, packed: IO[bytes], name: str) -> None:
        self._packed, self._name = packed, name
        self._member = zlib.decompressobj(wbits=31)
        self._rest = b""
        self._in = self._out = self._members = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; nothing at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(BLOCK), b""))
        while size:
            if self._member.eof:
                self._next_member()
            if not self._rest:
                self._rest = self._packed.read(BLOCK)
                self._in += len(self._rest)
                if not self._rest:
                    return self._ended()
            try:
                found = self._member.decompress(self._rest, size)
            except zlib.error as error:
                raise self._damaged(str(error)) from error
            self._rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            self._out += len(found)
            self._look()
            if found:
                return found
        return b""

    def close(self) -> None:
        self._packed.close()
        super().close()

    def _next_member(self) -> None:
        # zeros may pad the last member to a block of some tape
        self._rest = self._rest.lstrip(b"\0")
        while not self._rest and (block := self._packed.read(BLOCK)):
            self._in += len(block)
            self._rest = block.lstrip(b"\0")
        if self._rest:
            self._members += 1
            self._member = zlib.decompressobj(wbits=31)

    def _ended(self) -> bytes:
        if self._in and not self._member.eof:
            raise self._damaged("it ends in the middle of a member")
        return b""

    def _look(self) -> None:
        many = self._members > FREE_MEMBERS and self._members * LEAST > self._out
        if many or (self._out > FREE and self._out > RATIO * self._in):
            raise errors.SourceError(
                "CAL-118",
                f"{self._name} is not unpacked any further",
                cause=f"{self._in:,} bytes in {self._members + 1:,} members became {self._out:,}",
                fix="if these are events all the same, unpack the file yourself and give the result",
            )

    def _damaged(self, why: str) -> errors.SourceError:
        return errors.SourceError(
            "CAL-108",
            f"{self._name} cannot be unpacked",
            cause=why,
            fix="the file is truncated, damaged or no gzip: copy it again",
        )
