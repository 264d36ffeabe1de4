"""A process that asks, approves and promotes again and again on a server that is stopped under it.

    python promoting_child.py ADDRESS TOKENS.json NOW_US

Works in its working directory, where keys and contents lie. It says ``open``, ``ack REVISION`` for each promotion, and
``err CODE`` for each failure, after which it begins anew with what is bound then.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from pathlib import Path

from calibrant import errors, wiring
from calibrant.testing import clocks
from calibrant.workflow import access, promotions

TARGET = "fraud/production"


def say(text: str) -> None:
    """One write, so that a line is whole or not there."""
    os.write(1, f"{text}\n".encode())


def once(project: wiring.Project, tokens: dict[str, str], now_us: int, request: str) -> int:
    """One promotion of what is not champion now, each decision by another person; the new revision."""
    with project.ledger() as book:
        alice, bob, otto = (
            access.authenticate(book.reader, tokens[name], now_us=now_us) for name in ("alice", "bob", "otto")
        )
        champion = promotions.bound(book.reader, TARGET).binding.champion
        artifact = "fraud@2" if champion is not None and champion.artifact == "fraud@1" else "fraud@1"
        asked = promotions.ask(book, artifact, "production", by=alice, request=request, now_us=now_us)
        assert asked.evidence is not None
        promotions.decide(book, request, "approve", by=bob, digest=asked.digest, evidence=asked.evidence, now_us=now_us)
        made = promotions.promote(
            book, project.contents(), artifact, "production", by=otto, now_us=now_us, request=request
        )
        return made.revision


def main(address: str, tokens: dict[str, str], now_us: int) -> None:
    wiring.clock = lambda: clocks.FakeClock(now_us)  # type: ignore[assignment,return-value]
    project = wiring.project(address)
    say("open")
    for number in itertools.count():
        try:
            say(f"ack {once(project, tokens, now_us, f'request-{os.getpid()}-{number}')}")
        except errors.CalibrantError as error:
            say(f"err {error.code}")
            time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), int(sys.argv[3]))
