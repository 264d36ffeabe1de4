"""What advice remembers of a stream: whether it acts, its last change, and which changes had to be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from calibrant.advice import hysteresis

#: So many changes taken back in a row latch a stream: only a person lets it change again.
LATCH: Final = 2
#: Rollbacks that are remembered for the doubling of cooldowns.
KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class Rollback:
    """The artifact with this digest was taken back then."""

    digest: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Memory:
    """``settled_us`` is when a change last proved itself or a person released the latch: there a row of rollbacks ends.

    ``released_us`` is when a person last did.
    """

    gate: hysteresis.Gate = hysteresis.QUIET
    changed_us: int | None = None
    rollbacks: tuple[Rollback, ...] = ()
    settled_us: int | None = None
    released_us: int | None = None

    def changed(self, at_us: int) -> Memory:
        """Something new was rolled out."""
        return replace(self, changed_us=at_us)

    def proved(self, at_us: int) -> Memory:
        """The last change was completed and stays."""
        return replace(self, settled_us=at_us)

    def taken_back(self, digest: str, at_us: int) -> Memory:
        """An artifact was rolled back. Told twice, it counts once."""
        one = Rollback(digest, at_us)
        if one in self.rollbacks:
            return self
        return replace(self, changed_us=at_us, rollbacks=(*self.rollbacks, one)[-KEPT:])

    def released(self, at_us: int) -> Memory:
        """A person looked and lets the stream change again."""
        return replace(self, settled_us=at_us, released_us=at_us)

    @property
    def latched(self) -> bool:
        """Whether changes were taken back so often in a row that a person has to act."""
        return sum(_after(one, self.settled_us) for one in self.rollbacks) >= LATCH

    def barred(self, digest: str, cooldown_us: int) -> int | None:
        """Until when an artifact must not be proposed; the cooldown doubles with each rollback of it. None: it may."""
        mine = [one.at_us for one in self.rollbacks if one.digest == digest]
        return max(mine) + cooldown_us * 2 ** (len(mine) - 1) if mine else None

    def spent(self, digest: str) -> bool:
        """Whether this artifact was taken back twice since a person last looked."""
        mine = [one for one in self.rollbacks if one.digest == digest]
        return sum(_after(one, self.released_us) for one in mine) >= LATCH

    def to_dict(self) -> dict[str, Any]:
        return {
            "gate": self.gate.to_dict(),
            "changed_us": self.changed_us,
            "rollbacks": [[one.digest, one.at_us] for one in self.rollbacks],
            "settled_us": self.settled_us,
            "released_us": self.released_us,
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Memory:
        return cls(
            hysteresis.Gate.from_dict(found["gate"]),
            found["changed_us"],
            tuple(Rollback(digest, at_us) for digest, at_us in found["rollbacks"]),
            found["settled_us"],
            found["released_us"],
        )


def _after(one: Rollback, moment_us: int | None) -> bool:
    return moment_us is None or one.at_us > moment_us
