"""Runs commands in processes that kill themselves at a chosen point, for as long as somebody writes to standard input.

Each line is JSON: ``folder`` (a working directory), ``token``, ``now_us``, ``arguments`` of calibrant, and ``at``: the
number of the step at which the process gets SIGKILL, null to let it end. A step is a call or a return of any function,
of Python or of C (so that kills hit before and after each statement to the database and each write to a file), in any
thread. The answer is a line with the exit ``code`` (-9 when killed), what it ``said``, and in which steps the ledger
began and ended.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

from calibrant import cli, wiring
from calibrant.testing import clocks
from calibrant.workflow import ledger

#: Loaded before anything is counted, so that steps are those of the work and not of imports.
LOADED = (
    "cli.binding", "cli.approval", "workflow.promotions", "workflow.access", "workflow.history", "artifacts.verify",
    "storage.control.sqlite", "storage.audit_copy.folder", "storage.contents.address", "storage.contents.disk",
)  # fmt: skip


class Steps:
    """Counts steps, and kills the process at one of them."""

    def __init__(self, at: int | None) -> None:
        self.at, self.count, self.began, self.ended = at, 0, 0, 0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        if frame.f_code is ledger.Ledger.execute.__code__:
            if event == "call":
                self.began = self.count
            elif event == "return":
                self.ended = self.count


def act(asked: dict[str, Any], said: int) -> None:
    """In a process of its own: run the command and say how it ended."""
    os.chdir(asked["folder"])
    os.environ[wiring.TOKEN_VARIABLE] = asked["token"]
    wiring.clock = lambda: clocks.FakeClock(asked["now_us"])  # type: ignore[assignment,return-value]
    os.dup2(said, 1)
    os.dup2(said, 2)
    steps = Steps(asked["at"])
    threading.setprofile(steps)
    sys.setprofile(steps)
    code = cli.invoke(asked["arguments"])
    sys.setprofile(None)
    sys.stdout.flush()
    os.write(said, f"\0{code} {steps.count} {steps.began} {steps.ended}".encode())
    os._exit(0)


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What became of one command."""
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(here)
        act(asked, there)
    os.close(there)
    with os.fdopen(here, "rb") as told:
        said, _, end = told.read().decode().partition("\0")
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"code": -os.WTERMSIG(status), "said": said}
    code, steps, began, ended = map(int, end.split())
    return {"code": code, "said": said, "steps": steps, "began": began, "ended": ended}


def main() -> None:
    for name in LOADED:
        importlib.import_module(f"calibrant.{name}")
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
