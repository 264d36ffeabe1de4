"""Lines of a stream in pieces of bounded size: no line is ever held that is longer than an event may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

#: Bytes of one event.
LONGEST = 1 << 16
#: Bytes read at a time: what one piece holds in memory, and roughly what is stored at once.
BLOCK = 1 << 19
#: Lines of one piece, for a flood of very short ones.
MOST = 1 << 14
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
    """Cut the source at line ends; blank lines are no items, but count as places.

    ``end`` is always the beginning of a line (or the end of the input): reading can go on from there.
    """
    rest, place, end, skipping = b"", 0, 0, False
    for block, last in _blocks(source):
        fresh = block.removeprefix(BOM) if end == 0 else block
        end += len(block)
        first, too_long = place, []
        if skipping:
            _, newline, fresh = fresh.partition(b"\n")
            if not newline:
                continue
            skipping, too_long, place = False, [place], place + 1
        added = last and fresh[-1:] != b"\n"
        if added:
            fresh += b"\n"
        whole, newline, rest = (rest + fresh).rpartition(b"\n")
        lines = whole.split(b"\n") if newline else []
        stop, start = end + added - len(rest), place
        done = stop - len(whole) - len(newline)
        for begin in range(0, max(len(lines) - MOST, 0), MOST):
            some = lines[begin : begin + MOST]
            done += sum(map(len, some)) + len(some)
            piece = _piece(first, some, place, too_long, done)
            if piece.lines or piece.too_long:
                yield piece
                too_long = []
            place += MOST
            first = place
        lines = lines[place - start :]
        piece = _piece(first, lines, place, too_long, min(stop, end))
        place += len(lines)
        if len(rest) > LONGEST:
            rest, skipping = b"", True
        if piece.lines or piece.too_long:
            yield piece
    if skipping:
        yield Piece(place, [], [], [place], end)
    elif rest.strip():
        yield _piece(place, [rest], place, [], end)


def _piece(first: int, lines: list[bytes], place: int, too_long: list[int], end: int) -> Piece:
    if lines and all(lines) and max(map(len, lines)) <= LONGEST and not any(map(bytes.isspace, lines)):
        return Piece(first, lines, list(range(place, place + len(lines))), too_long, end)
    kept, places = [], []
    for at, line in enumerate(lines, place):
        if len(line) > LONGEST:
            too_long.append(at)
        elif line and not line.isspace():
            kept.append(line)
            places.append(at)
    return Piece(first, kept, places, too_long, end)


def _blocks(source: bytes | IO[bytes] | Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Blocks of at most ``BLOCK`` bytes, and whether one is surely the last: of bytes it is known, of a pipe not."""
    for large in _raw(source):
        for start in range(0, len(large), BLOCK):
            yield large[start : start + BLOCK], large is source and start + BLOCK >= len(large)


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
