"""``calibrant consume`` in small batches, in a process that dies by SIGKILL where it is told to.

    python consume_child.py never|before-append|before-commit|after-commit  BATCH  ARGUMENTS OF CONSUME...

``before-append`` and the others die in their second batch.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from calibrant import cli, wiring
from calibrant.ports.message_source import Address, Message


class Small:
    """A source that gives little at a time, and kills its process between two steps of the second batch."""

    def __init__(self, source: Any, *, where: str, size: int) -> None:
        self._source = source
        self._where, self._size = where, size
        self._batches = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __enter__(self) -> Small:
        return self

    def __exit__(self, *failure: object) -> None:
        self._source.close()

    def poll(self, most: int, *, seconds: float) -> Sequence[Message]:
        found: Sequence[Message] = self._source.poll(min(most, self._size), seconds=seconds)
        self._batches += bool(found)
        self._die("before-append")
        return found

    def commit(self, messages: Sequence[Message]) -> None:
        self._die("before-commit")
        self._source.commit(messages)
        self._die("after-commit")

    def _die(self, here: str) -> None:
        if here == self._where and self._batches == 2:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """The command, on a source that dies where it was told to."""
    real = wiring.message_source
    where, size = sys.argv[1:3]

    def small(address: Address, settings: Mapping[str, str]) -> Any:
        return Small(real(address, settings), where=where, size=int(size))

    wiring.message_source = small
    sys.argv = ["calibrant", "consume", *sys.argv[3:]]
    cli.main()


if __name__ == "__main__":
    main()
