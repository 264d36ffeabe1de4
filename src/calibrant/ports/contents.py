"""Contents by their digest: artifacts, signatures and evidence, on a disk or in object storage.

Promises, with ``calibrant.testing.contents_contract`` as the exam: ``put`` is durable when it returns and does nothing
when the content is there (wrong bytes under its digest are replaced); ``get`` returns exactly the bytes of that digest
or raises, never other bytes. What is no digest is refused (UsageError CAL-884).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Contents(Protocol):
    """Keeps bytes under ``sha256:`` and 64 hexadecimal digits."""

    def put(self, data: bytes) -> str:
        """Keep bytes; their digest."""
        ...

    def get(self, digest: str) -> bytes:
        """The bytes of a digest; UsageError (CAL-881) when they are not here, StoreDamagedError when they changed."""
        ...

    def has(self, digest: str) -> bool:
        """Whether there is something under a digest."""
        ...

    def digests(self) -> Iterator[str]:
        """All digests, in no particular order."""
        ...
