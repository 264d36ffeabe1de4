"""Which part of a stream an objective is about: all of it, or a cohort, written so that parents can be found.

A cohort is a set of fields with values; the empty set is the whole stream. One is the parent of another when the other
says everything that it says, and more.
"""

from __future__ import annotations

from typing import Final, TypeAlias
from urllib.parse import quote, unquote

#: Fields and values, by field.
Member: TypeAlias = tuple[tuple[str, str], ...]

WHOLE: Final[Member] = ()
ALL: Final = "all"
#: The value that stands for all cohorts of a field that are too small for slices of their own.
SMALL: Final = "__small__"


def write(member: Member) -> str:
    """A name for labels: one spelling for each member.

    >>> write((("origin", "JFK"), ("carrier", "A=A"))), write(())
    ('carrier=A%3DA,origin=JFK', 'all')
    """
    return ",".join(f"{_escape(field)}={_escape(value)}" for field, value in sorted(member)) or ALL


def read(name: str) -> Member:
    """The member of a name.

    >>> read("carrier=A%3DA,origin=JFK")
    (('carrier', 'A=A'), ('origin', 'JFK'))
    """
    if name == ALL:
        return WHOLE
    pairs = (part.partition("=") for part in name.split(","))
    return tuple((unquote(field), unquote(value)) for field, _, value in pairs)


def is_parent(parent: Member, child: Member) -> bool:
    """Whether what is true of the first is likely to be the reason for the second."""
    return set(parent) < set(child)


def _escape(text: str) -> str:
    return quote(text, safe=" !$&()*+-.:;?@[]^_{|}~/")
