"""What a rollout hears, and what it asks for.

A look, an advance and a failed attempt carry the ``stage`` that they are about: heard at another stage, they are of
the past and change nothing. What people say about stopping carries none: it is always meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from calibrant.registry import approvals
from calibrant.rollout import readings

#: What became of the request for approval of this stage.
Answer = Literal["none", "requested", "approved", "declined"]
#: The slots of the binding that matter are as the rollout left them, as before the rollout, or as others made them.
Bound = Literal["ours", "restored", "foreign"]


@dataclass(frozen=True, slots=True)
class Look:
    """A controller has looked: at guards, at the binding, at approvals, at the calendar and at the budget.

    ``revision`` is that of the binding; ``voices`` how many approvals its environment asks for. ``unfit`` says why the
    candidate may not be bound any more, ``freeze`` what forbids changes now; ``exhausted``: no error budget is left for
    a new rollout.
    """

    stage: int
    at_us: int
    readings: tuple[readings.Reading, ...] = ()
    bound: Bound = "ours"
    revision: int = 0
    voices: int = 0
    answer: Answer = "none"
    unfit: str | None = None
    freeze: str | None = None
    exhausted: bool = False


@dataclass(frozen=True, slots=True)
class Advance:
    """A person lets this stage go on; with ``override`` although guards, holds or the budget say otherwise.

    Failed guards, approvals, freezes and pauses are not overridden.
    """

    stage: int
    at_us: int
    override: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """A person stops it where it is."""

    at_us: int


@dataclass(frozen=True, slots=True)
class Resume:
    """A person lets it go on from where it was paused."""

    at_us: int


@dataclass(frozen=True, slots=True)
class Abort:
    """A person gives it up."""

    at_us: int
    bound: Bound = "ours"


@dataclass(frozen=True, slots=True)
class RollBack:
    """A person, or a pager, wants the binding from before; also after it was completed, or when going back failed."""

    at_us: int
    bound: Bound = "ours"
    reason: str = "a person rolled it back"


@dataclass(frozen=True, slots=True)
class NotRestored:
    """The binding from before could not be restored."""

    stage: int
    at_us: int
    cause: str


Signal: TypeAlias = Look | Advance | Pause | Resume | Abort | RollBack | NotRestored


@dataclass(frozen=True, slots=True)
class Bind:
    """Change the binding together with the rollout.

    shadow: the candidate sees every score; expose: it becomes challenger; promote: it becomes champion, and the
    incumbent stays as the control arm; settle: no arms any more; restore: exactly what was before the rollout;
    withdraw: what this rollout put beside the champion goes, what others did stays.
    """

    to: Literal["shadow", "expose", "promote", "settle", "restore", "withdraw"]


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask so many people for approval of this stage."""

    slot: approvals.Slot
    voices: int


@dataclass(frozen=True, slots=True)
class Use:
    """Use the approval of this stage up."""

    slot: approvals.Slot
    voices: int


@dataclass(frozen=True, slots=True)
class Page:
    """Wake somebody up."""

    why: str


Command: TypeAlias = Bind | Ask | Use | Page
