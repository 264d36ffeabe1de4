"""A process that moves a binding again and again and says what was acknowledged; others move it too, or it is killed.

    python control_child.py ADDRESS SCHEMA MOVES

ADDRESS is a file, or with a SCHEMA that is not "-" a PostgreSQL server. Each move is a promotion: the binding and an
approval change together. It says ``open``, ``ack REVISION`` after each move, and ``done CONFLICTS``.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Sequence

from calibrant import errors
from calibrant.ports import control_store
from calibrant.registry import resources
from calibrant.storage.control import postgres, sqlite

NAME = "fraud/production"


def opened(address: str, schema: str) -> control_store.ControlStore:
    """The store at an address."""
    return sqlite.open_store(address) if schema == "-" else postgres.open_store(address, schema=schema)


def promotion(revision: int) -> resources.Command:
    """From a revision of the binding to the next, with what is decided at the same time."""
    body = {"n": revision + 1, "by": os.getpid()}
    return resources.Command(
        (
            resources.Change("binding", NAME, revision, body, "binding.promote", reason=f"move {revision}"),
            resources.Change("approval", NAME, revision, body, "approval.use"),
        )
    )


def say(text: str) -> None:
    """One write, so that a line is whole or not there."""
    os.write(1, f"{text}\n".encode())


def witness(index: int, entries: Sequence[bytes]) -> None:
    """Takes its time, so that kills hit the middle of a transaction too."""
    time.sleep(random.random() * 0.002)


def main(address: str, schema: str, moves: int) -> None:
    conflicts = made = 0
    with opened(address, schema) as store:
        say("open")
        while made < moves:
            found = store.get("binding", NAME)
            author = control_store.Author("alice", "192.0.2.1", f"{os.getpid()}-{made}")
            command = promotion(0 if found is None else found.revision)
            try:
                done = store.commit(command, author=author, at_us=time.time_ns() // 1000, witness=witness)
            except errors.ConflictError:
                conflicts += 1
            except errors.StoreFaultError as error:
                say(f"err {error.code}")
                time.sleep(0.05)
            else:
                made += 1
                say(f"ack {done.resources[0].revision}")
    say(f"done {conflicts}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
