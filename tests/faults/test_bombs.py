"""Small files that want to become large: refused early, whatever is inside, and memory stays where it was."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("bomb_child.py")
MIB = 1 << 20
EVENT = '{"id":"%s","at":"2026-03-01T00:00:00Z","score":0.5}\n'


def packed(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """gzip, block by block."""
    squeezed = zlib.compressobj(1, wbits=31)
    for block in blocks:
        yield squeezed.compress(block)
    yield squeezed.flush()


def filler(count: int, block: bytes) -> Iterator[bytes]:
    """An event, and the same block many times."""
    yield (EVENT % "a").encode()
    for _ in range(count):
        yield block


#: name -> content, and (items, refused, code): either items are refused one by one or the file as a whole.
BOMBS: dict[str, tuple[Callable[[], Iterator[bytes]], tuple[int, int, str]]] = {
    "line.jsonl": (lambda: filler(1024, b"x" * MIB), (2, 1, "-")),
    "line.jsonl.gz": (lambda: packed(filler(256, b"x" * MIB)), (0, 0, "CAL-118")),
    "members.jsonl.gz": (lambda: filler_of_members(1_000_000), (0, 0, "CAL-118")),
    "blank.jsonl.gz": (lambda: packed(filler(256, b"\n" * MIB)), (0, 0, "CAL-118")),
    "line.csv": (lambda: table(b"x" * MIB, 256), (0, 0, "CAL-119")),
    "fields.csv": (lambda: table(b"," * MIB, 256), (0, 0, "CAL-119")),
    "quote.csv": (lambda: table(b'"a\nb",' * (MIB // 6), 256), (0, 0, "CAL-119")),
    "line.csv.gz": (lambda: packed(table(b"x" * MIB, 256)), (0, 0, "CAL-119")),
    "deep.jsonl": (lambda: iter([b"[" * 60_000 + b"\n"] * 40), (40, 40, "-")),
    "deeper.jsonl": (lambda: iter([b'{"id":' * 10_000 + b"\n"] * 40), (40, 40, "-")),
    "array.json": (lambda: iter([b"[" * 3_000_000]), (1, 1, "-")),
}


def table(block: bytes, count: int) -> Iterator[bytes]:
    """A CSV whose second row never ends."""
    yield b"id,at,score\n"
    for _ in range(count):
        yield block


def filler_of_members(count: int) -> Iterator[bytes]:
    """gzip with very many members, all empty."""
    yield gzip.compress((EVENT % "a").encode())
    yield gzip.compress(b"", mtime=0) * count


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read from Linux")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_early(name: str, tmp_path: Path) -> None:
    """At most 64 MiB and 2 seconds of this process's own time, though up to a gigabyte would come out."""
    content, want = BOMBS[name]
    with (tmp_path / name).open("wb") as file:
        file.writelines(content())
    (tmp_path / "warm.jsonl").write_text("".join(EVENT % number for number in range(20_000)))
    env = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    command = [sys.executable, str(CHILD), str(tmp_path), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    items, refused, code, megabytes, seconds = done.stdout.split()
    assert (int(items), int(refused), code) == want
    assert float(megabytes) <= 64
    assert float(seconds) <= 2
