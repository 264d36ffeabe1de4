"""What a store knows of every event that it ever accepted: its identity, its digest, its number, where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias

#: Prediction, source and revision.
LabelKey: TypeAlias = tuple[str, str, int]


class Known(NamedTuple):
    """An identity that was there before; ``partition_us`` is 0 for a label."""

    digest: bytes
    partition_us: int
    seq: int


class Identities(Protocol):
    """The identities of one stream within one writing transaction."""

    def see_predictions(
        self, ids: Sequence[str], digests: Sequence[bytes], partitions: Sequence[int], seqs: Sequence[int]
    ) -> list[Known | None]:
        """Keep the new ones; None for each that went in, for the others what is known. The first of a batch goes in."""
        ...

    def see_labels(self, keys: Sequence[LabelKey], digests: Sequence[bytes], seqs: Sequence[int]) -> list[Known | None]:
        """The same for labels."""
        ...

    def homes(self, ids: Sequence[str]) -> dict[str, int]:
        """Partitions of those predictions that are known."""
        ...

    def forget_predictions(self, ids: Sequence[str]) -> None:
        """Forget predictions and all their labels."""
        ...

    def forget_labels(self, keys: Sequence[LabelKey]) -> None:
        """Forget single labels."""
        ...


def label_name(key: LabelKey) -> str:
    """Prediction, source and revision as one text; a line break is in none of them."""
    prediction, source, revision = key
    return f"{prediction}\n{source}\n{revision}"
