"""Every error that Calibrant raises on purpose: a stable code, what happened, why, and how to fix it.

Card
----
Lives here: the whole error tree. Comes in: nothing. Goes out: exceptions. Never: printing, exit codes.

    CalibrantError
    ├── InputError            the data at the door is not what was declared
    │   ├── SourceError           CAL-1xx  a file or stream that cannot be read
    │   ├── ColumnError           CAL-2xx  a column that is missing, doubled or of the wrong type
    │   └── ValueRangeError       CAL-3xx  values that no honest number can be computed from
    ├── UsageError            CAL-4xx  options that contradict each other or make no sense
    ├── FitError              CAL-5xx  a map that must not be fitted to these data
    ├── ArtifactError         CAL-6xx  a calibrator file that cannot be trusted
    ├── MissingExtraError     CAL-7xx  an optional dependency that is not installed
    ├── StoreError            CAL-8xx  the store cannot do this now; what it acknowledged before is safe
    │   ├── StoreBusyError        CAL-851  another process writes into it
    │   ├── StoreFullError        CAL-852  no room is left
    │   ├── StoreFaultError       CAL-853  the disk or the server failed in the middle; send the batch again
    │   ├── StoreDamagedError     CAL-854  something that was acknowledged cannot be read back
    │   └── AuditCopyError        CAL-855  the second place of the audit log does not take entries
    └── RefusedError          CAL-9xx  a change that the rules do not allow
        ├── ForbiddenError        CAL-90x  this principal may not do this, or is nobody we know
        └── ConflictError         CAL-91x  somebody else was first, or a key was used for another command

A stream declaration or an event that is not as it must be is a UsageError or an InputError of CAL-8xx and CAL-37x.

Codes are stable: scripts and runbooks may name them. A new situation gets a new code.
"""

from __future__ import annotations


class CalibrantError(Exception):
    """Base of the tree. ``code`` is stable; ``cause`` says why; ``fix`` says what to do next.

    >>> error = UsageError("CAL-401", "two ways to choose a threshold", cause="--precision and --capacity "
    ...                    "were both given", fix="keep one of them")
    >>> print(error)
    CAL-401: two ways to choose a threshold
    cause: --precision and --capacity were both given
    fix: keep one of them
    """

    def __init__(self, code: str, what: str, *, cause: str, fix: str) -> None:
        super().__init__(f"{code}: {what}\ncause: {cause}\nfix: {fix}")
        self.code = code
        self.what = what
        self.cause = cause
        self.fix = fix

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a trip through another process, which re-creates an exception from its arguments."""
        return _rebuild, (type(self), self.code, self.what, self.cause, self.fix)


def _rebuild(kind: type[CalibrantError], code: str, what: str, cause: str, fix: str) -> CalibrantError:
    return kind(code, what, cause=cause, fix=fix)


class InputError(CalibrantError, ValueError):
    """The data at the door is not what was declared."""


class SourceError(InputError):
    """A file or stream that cannot be read (CAL-1xx)."""


class ColumnError(InputError):
    """A column that is missing, doubled or of the wrong type (CAL-2xx)."""


class ValueRangeError(InputError):
    """Values that no honest number can be computed from (CAL-3xx)."""


class UsageError(CalibrantError, ValueError):
    """Options that contradict each other or make no sense (CAL-4xx)."""


class FitError(CalibrantError, ValueError):
    """A map that must not be fitted to these data (CAL-5xx)."""


class ArtifactError(CalibrantError, ValueError):
    """A calibrator file that cannot be trusted (CAL-6xx)."""


class MissingExtraError(CalibrantError, ImportError):
    """An optional dependency that is not installed (CAL-7xx).

    >>> error = MissingExtraError.of("onnx", needed_for="export to ONNX")
    >>> error.fix
    "pip install 'calibrant[onnx]'"
    """

    @classmethod
    def of(cls, extra: str, *, needed_for: str) -> MissingExtraError:
        return cls(
            "CAL-701",
            f"{needed_for} needs the optional extra {extra!r}",
            cause=f"the packages of calibrant[{extra}] are not installed here",
            fix=f"pip install 'calibrant[{extra}]'",
        )


class StoreError(CalibrantError):
    """The store cannot do this now; everything that it acknowledged before is safe."""


class StoreBusyError(StoreError):
    """Another process writes into the store (CAL-851)."""


class StoreFullError(StoreError):
    """No room is left; nothing of the batch was kept (CAL-852)."""


class StoreFaultError(StoreError):
    """The disk or the server failed before the batch was acknowledged: send it again, it counts once (CAL-853)."""


class StoreDamagedError(StoreError):
    """Something that was acknowledged cannot be read back as it was written (CAL-854)."""


class AuditCopyError(StoreError):
    """The second place of the audit log does not take entries, so nothing was changed (CAL-855)."""


class RefusedError(CalibrantError, ValueError):
    """A change that the rules do not allow (CAL-9xx)."""


class ForbiddenError(RefusedError):
    """This principal may not do this, or is nobody we know (CAL-90x)."""


class ConflictError(RefusedError):
    """Somebody else was first, or an idempotency key was used for another command (CAL-91x)."""
