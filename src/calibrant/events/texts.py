"""What identifiers may look like, and their JSON form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

#: Bytes of UTF-8 that an identifier or attribute may have.
LONGEST = 200

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
#: Half of a pair: text that has no UTF-8.
SURROGATE = re.compile("[\ud800-\udfff]")

#: A text as canonical JSON (RFC 8785), quotes included.
quoted = json.encoder.encode_basestring


def allowed(text: str, *, empty: bool = False) -> bool:
    """1 to 200 bytes of UTF-8 without control characters or lone surrogates.

    >>> allowed("txn-1"), allowed(""), allowed("a\\n")
    (True, False, False)
    """
    if not text:
        return empty
    if len(text) > LONGEST or _CONTROL.search(text):
        return False
    return text.isascii() or len(text.encode()) <= LONGEST


def refused(column: Sequence[str | None], *, empty: bool = False) -> list[int]:
    """Rows of the column that hold a text which is not allowed; None is no text."""
    if plain(text for text in column if text is not None) and (empty or "" not in column):
        return []
    known: dict[str | None, bool] = {None: True}
    found = []
    for row, text in enumerate(column):
        good = known.get(text)
        if good is None:
            good = known[text] = allowed(text or "", empty=empty)
        if not good:
            found.append(row)
    return found


def plain(texts: Iterable[str]) -> bool:
    """Whether all are short printable ASCII: most columns are, and this is fast."""
    distinct = set(texts)
    whole = "".join(distinct)
    return whole.isascii() and whole.isprintable() and max(map(len, distinct), default=0) <= LONGEST
