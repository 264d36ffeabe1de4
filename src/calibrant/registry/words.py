"""What people said, and how it is forgotten: the words go, the entries that commit to them stay."""

from __future__ import annotations

import re
from typing import Final

from calibrant import errors
from calibrant.registry import resources

KIND: Final = "erasure"

_COMMITMENT: Final = re.compile(r"sha256:[0-9a-f]{64}")


def erase(commitment: str) -> resources.Command:
    """Put on record that the words under a commitment are erased; whoever executes this erases them."""
    if not _COMMITMENT.fullmatch(commitment):
        raise errors.UsageError(
            "CAL-946",
            "this is no commitment",
            cause="sha256: and 64 hexadecimal digits are",
            fix="take it from the entry: calibrant audit log --json",
        )
    body = {"commitment": commitment}
    return resources.Command((resources.Change(KIND, commitment, resources.ABSENT, body, "words.erase"),))
