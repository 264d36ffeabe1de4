"""Calls that end in time: what a disk or a share is asked for is done by a thread, and waited for only so long."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any, TypeAlias, TypeVar

from calibrant import errors

T = TypeVar("T")
_Jobs: TypeAlias = queue.SimpleQueue[tuple["futures.Future[Any]", Callable[[], Any]]]


class Limit:
    """Runs one call after another in a thread of its own.

    A thread that hangs in the kernel cannot be stopped; it is left alone, and every other call is refused at once while
    it hangs. Calls that had not begun are called off, and never happen.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._process = -1
        self._jobs: _Jobs = queue.SimpleQueue()
        self._hung: futures.Future[Any] | None = None
        self._starting = threading.Lock()

    def call(self, work: Callable[[], T]) -> T:
        """The result of ``work``; AuditCopyError (CAL-855) when it takes too long or the system refuses it."""
        self._start()
        if self._hung is not None and not self._hung.done():
            raise refused("an earlier call to it still hangs")
        outcome: futures.Future[T] = futures.Future()
        self._jobs.put((outcome, work))
        done, _ = futures.wait([outcome], self._seconds)
        if not done:
            if not outcome.cancel():
                self._hung = outcome
            raise refused(f"it did not answer within {self._seconds:g} seconds")
        try:
            return outcome.result()
        except OSError as error:
            raise refused(error.strerror or str(error)) from error

    def _start(self) -> None:
        """A process that was forked has no thread yet."""
        with self._starting:
            if self._process != os.getpid():
                self._process, self._jobs, self._hung = os.getpid(), queue.SimpleQueue(), None
                # a daemon, because a process must be able to end while it hangs
                threading.Thread(target=_run, args=(self._jobs,), name="audit copy", daemon=True).start()


def _run(jobs: _Jobs) -> None:
    while True:
        outcome, work = jobs.get()
        if not outcome.set_running_or_notify_cancel():
            continue
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001  # it is raised again where it was asked for
            outcome.set_exception(error)


def refused(cause: str) -> errors.AuditCopyError:
    """The change must not happen."""
    return errors.AuditCopyError(
        "CAL-855",
        "the second place of the audit log does not take entries, so nothing was changed",
        cause=cause,
        fix="mend the place that CALIBRANT_AUDIT_COPY names; reading and applying go on meanwhile",
    )
