"""Lines of a stream in pieces of bounded size: no line is ever held that is longer than an event may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

#: Bytes of one event.
LONGEST = 1 << 16
#: Bytes read at a time: what one piece holds in memory, and roughly what is stored at once.
BLOCK = 1 << 19
BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Piece:
    """Lines with their places; ``too_long`` are the places of lines that were skipped; ``end`` counts input bytes."""

    first: int
    lines: list[bytes]
    places: list[int]
    too_long: list[int]
    end: int


def pieces(source: bytes | IO[bytes] | Iterable[bytes]) -> Iterator[Piece]:
    """Cut the source at line ends; blank lines are no items, but count as places."""
    rest, place, end, skipping = b"", 0, 0, False
    for block in _blocks(source):
        end += len(block)
        too_long: list[int] = []
        first = place
        if skipping:
            _, newline, block = block.partition(b"\n")
            if not newline:
                continue
            skipping, place = False, place + 1
        whole, newline, tail = (rest + block).rpartition(b"\n")
        lines = whole.split(b"\n") if newline else []
        rest = tail
        piece = _piece(first, lines, place, too_long, end - len(rest))
        place += len(lines)
        if len(rest) > LONGEST:
            piece.too_long.append(place)
            rest, skipping = b"", True
        if piece.lines or piece.too_long:
            yield piece
    if rest.strip():
        yield _piece(place, [rest], place, [], end)


def _piece(first: int, lines: list[bytes], place: int, too_long: list[int], end: int) -> Piece:
    kept, places = [], []
    for at, line in enumerate(lines, place):
        if len(line) > LONGEST:
            too_long.append(at)
        elif line and not line.isspace():
            kept.append(line)
            places.append(at)
    return Piece(first, kept, places, too_long, end)


def _blocks(source: bytes | IO[bytes] | Iterable[bytes]) -> Iterator[bytes]:
    """Blocks of at most ``BLOCK`` bytes, without a byte order mark at the very start."""
    fresh = True
    for large in _raw(source):
        for start in range(0, len(large), BLOCK):
            block = large[start : start + BLOCK]
            yield block.removeprefix(BOM) if fresh else block
            fresh = False


def _raw(source: bytes | IO[bytes] | Iterable[bytes]) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
    elif hasattr(source, "read"):
        # what is there, as it comes: a pipe may be slow and never end
        read = getattr(source, "read1", source.read)
        while block := read(BLOCK):
            yield block
    else:
        yield from _joined(source)


def _joined(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Small blocks together: byte by byte, a line would be copied as often as it has bytes."""
    waiting = bytearray()
    for block in blocks:
        if len(block) >= LONGEST and not waiting:
            yield block
            continue
        waiting += block
        if len(waiting) >= LONGEST:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
