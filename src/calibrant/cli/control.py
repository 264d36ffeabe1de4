"""What the commands that decide something share: who is acting, the ledger, and how changes are told."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from calibrant.cli import options

if TYPE_CHECKING:
    from calibrant.ports.contents import Contents
    from calibrant.ports.control_store import ControlReader
    from calibrant.ports.working_state import WorkingState
    from calibrant.registry.artifacts import Status
    from calibrant.registry.bindings import Binding
    from calibrant.registry.principals import Principal
    from calibrant.wiring import Project
    from calibrant.workflow.ledger import Ledger

STORE = click.option(
    "--store",
    metavar="PATH",
    help="The project folder, or postgresql://…; CALIBRANT_STORE or ./calibrant.d by default.",
)
REASON = click.option("--reason", metavar="TEXT", help="Why, in words; kept erasable beside the audit log.")
#: Decisions are made under a name: the key of a principal.
DECIDES = options.all_of(STORE, options.JSON)
READS = DECIDES


def examples(command: str, *arguments: str) -> str:
    """The end of a command's --help: how it is typed."""
    return "\b\nExamples:\n" + "\n".join(f"  calibrant {command} {each}".rstrip() for each in arguments)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where somebody decides: the project, the ledger, the contents, the person and the time."""

    project: Project
    ledger: Ledger
    contents: Contents
    who: Principal
    now_us: int

    @property
    def reader(self) -> ControlReader:
        return self.ledger.reader

    @property
    def working(self) -> WorkingState:
        from calibrant import wiring

        return wiring.working(self.ledger)

    def demand(self, action: str) -> None:
        """ForbiddenError (CAL-901) for what changes nothing on record and is not for everybody."""
        from calibrant.registry import policy

        policy.demand(action, self.who.roles, who=self.who.name)


@contextmanager
def deciding(store: str | None) -> Iterator[Desk]:
    """Open the ledger as the principal whose key is in CALIBRANT_KEY; a checkpoint is signed at the end."""
    from calibrant import wiring
    from calibrant.workflow import access

    project = wiring.project(store)
    now_us = wiring.clock().now_us()
    token = wiring.token()
    with project.ledger() as ledger:
        who = access.authenticate(ledger.reader, token, now_us=now_us)
        yield Desk(project, ledger, project.contents(), who, now_us)


@contextmanager
def looking(store: str | None, *, action: str = "registry.read") -> Iterator[tuple[Project, ControlReader]]:
    """Read as the principal whose key is in CALIBRANT_KEY, who must be allowed to."""
    from calibrant import wiring
    from calibrant.registry import policy
    from calibrant.workflow import access

    project = wiring.project(store)
    token = wiring.token()
    with project.control_reader() as reader:
        who = access.authenticate(reader, token, now_us=wiring.clock().now_us())
        policy.demand(action, who.roles, who=who.name)
        yield project, reader


def moment(us: int | None) -> str:
    """A time for people: UTC, to the second."""
    return "–" if us is None else datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def short(digest: str | None) -> str:
    """Enough of a digest to tell it from others."""
    return "–" if digest is None else digest.removeprefix("sha256:")[:12]


def after(now_us: int, days: float) -> int:
    """The moment so many days from now."""
    return now_us + timedelta(days=days) // timedelta(microseconds=1)


def new_name(prefix: str) -> str:
    """A name that nobody had before."""
    return f"{prefix}-{secrets.token_hex(4)}"


def artifact_document(status: Status) -> dict[str, Any]:
    """An artifact as plain data."""
    return {"schema": "calibrant.artifact-status/1", "name": status.name, **status.to_body()}


def binding_document(name: str, revision: int, binding: Binding) -> dict[str, Any]:
    """A binding as plain data."""
    return {"schema": "calibrant.binding/1", "name": name, "revision": revision, **binding.to_body()}


def binding_text(binding: Binding) -> str:
    """A binding in one line."""
    slots = [(slot, getattr(binding, slot)) for slot in ("champion", "challenger", "shadow")]
    held = [f"{slot} {ref.artifact} ({short(ref.digest)})" for slot, ref in slots if ref is not None]
    return ", ".join(held) or "nothing bound: raw scores are served as they are"
