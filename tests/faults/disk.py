"""A disk that loses power: replays what a process asked of the kernel, as strace wrote it down, up to any moment.

A file's bytes are safe when it was fsynced after they were written; a name is safe when its folder was fsynced after it
was made, moved or removed. An image holds what was safe at the cut, and of what was not yet safe what the dice say:
nothing (the strictest disk), or any subset of the writes since, some torn in the middle, and a prefix of the names.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

CALLS = (
    "openat,open,creat,close,write,pwrite64,writev,pwritev,ftruncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,"
    "unlink,unlinkat,mkdir,mkdirat,lseek,dup,dup2,dup3,fcntl,sync_file_range,read,pread64,sendfile,copy_file_range"
)
_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += +(-?\d+)", re.DOTALL)
_PATH = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FD = re.compile(r"^(\d+)<((?:\\x[0-9a-f]{2}|[^>\\])*)>")


@dataclass(frozen=True, slots=True)
class Event:
    """One successful call that matters: what, on which path, and its bytes or number."""

    call: str
    path: str
    data: bytes = b""
    offset: int = -1
    other: str = ""
    flags: str = ""


def record(command: Sequence[str], trace: Path) -> list[Event]:
    """Run a command to its end under strace and read what it wrote down."""
    calls = CALLS.split(",")
    watched = ",".join(one for one in calls if one not in ("read", "pread64", "fcntl"))
    subprocess.run(
        ["strace", "-f", "-y", "-xx", "-s", "100000000", "-e", f"trace={watched}", "-o", str(trace), *command],
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=300,
    )
    return list(parse(trace.read_text().splitlines()))


def parse(lines: Sequence[str]) -> Iterator[Event]:
    """The successful calls in the order in which they ended."""
    begun: dict[str, str] = {}
    for line in lines:
        pid, _, rest = line.partition(" ")
        rest = rest.lstrip()
        if rest.endswith("<unfinished ...>"):
            begun[pid] = rest.removesuffix("<unfinished ...>").rstrip()
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>\s?", rest)
        if resumed:
            rest = begun.pop(pid) + rest[resumed.end() :]
        found = _LINE.match(rest)
        if found and int(found[3]) >= 0:
            yield from _event(found[1], found[2], int(found[3]))


def _event(call: str, said: str, result: int) -> Iterator[Event]:
    texts = [bytes.fromhex(one.replace("\\x", "")) for one in _PATH.findall(said)]
    at = _FD.match(said)
    here = _plain(at[2]) if at else ""
    if call in ("openat", "open", "creat"):
        yield Event("open", texts[0].decode(), flags=said)
    elif call in ("pwrite64",):
        yield Event("write", here, texts[0][:result], int(said.rsplit(", ", 1)[1]))
    elif call == "write":
        yield Event("append", here, texts[0][:result])
    elif call == "lseek":
        yield Event("seek", here, offset=result)
    elif call == "ftruncate":
        yield Event("truncate", here, offset=int(said.rsplit(", ", 1)[1]))
    elif call in ("fsync", "fdatasync"):
        yield Event("sync", here)
    elif call in ("rename", "renameat", "renameat2"):
        yield Event("rename", texts[0].decode(), other=texts[1].decode())
    elif call in ("unlink", "unlinkat"):
        yield Event("unlink", texts[0].decode())
    elif call in ("mkdir", "mkdirat"):
        yield Event("mkdir", texts[0].decode())
    elif call in ("writev", "pwritev", "fallocate", "sendfile", "copy_file_range", "sync_file_range"):
        yield Event("unknown", here, flags=call)


def _plain(path: str) -> str:
    return re.sub(r"(?:\\x[0-9a-f]{2})+", lambda m: bytes.fromhex(m[0].replace("\\x", "")).decode(), path)


@dataclass(slots=True)
class Inode:
    """A file: what is safe, what is visible, and the writes in between."""

    safe: bytearray = field(default_factory=bytearray)
    seen: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes]] = field(default_factory=list)  # (-1 - n, b"") cuts to n bytes
    place: int = 0


def put(held: bytearray, offset: int, data: bytes) -> None:
    """Write into a file, or cut it."""
    if offset < 0:
        del held[-1 - offset :]
        held.extend(bytes(-1 - offset - len(held)))
        return
    held.extend(bytes(max(0, offset + len(data) - len(held))))
    held[offset : offset + len(data)] = data


class Disk:
    """The files below one folder while events happen to them."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.names: dict[str, Inode | None] = {}  # what is visible; None is a folder
        self.safe_names: dict[str, Inode | None] = {self.root: None}
        self.pending_names: list[tuple[str, Inode | None, bool]] = []
        self.said: list[str] = []

    def happen(self, event: Event) -> bool:
        """Apply an event; whether it concerned this disk."""
        if event.call == "append" and not event.path.startswith(self.root):
            self._hear(event)
            return False
        if not event.path.startswith(self.root) or event.path.endswith((".lock", "-shm")):
            return False
        assert event.call != "unknown", f"{event.flags} is not modelled"
        getattr(self, f"_{event.call}")(event)
        return event.call not in ("open", "seek")

    def _hear(self, event: Event) -> None:
        for line in event.data.decode(errors="replace").splitlines():
            if line.split(" ")[0] in ("ack", "lab", "done", "open"):
                self.said.append(line)

    def _file(self, path: str) -> Inode:
        found = self.names[path]
        assert found is not None
        return found

    def _open(self, event: Event) -> None:
        if event.path not in self.names and "O_CREAT" in event.flags:
            self._name(event.path, Inode(), True)
        held = self.names.get(event.path)
        if held is not None:
            held.place = 0
            if "O_TRUNC" in event.flags and held.seen:
                self._change(held, -1, b"")

    def _seek(self, event: Event) -> None:
        if self.names.get(event.path) is not None:
            self._file(event.path).place = event.offset

    def _append(self, event: Event) -> None:
        held = self._file(event.path)
        self._change(held, held.place, event.data)
        held.place += len(event.data)

    def _write(self, event: Event) -> None:
        self._change(self._file(event.path), event.offset, event.data)

    def _truncate(self, event: Event) -> None:
        self._change(self._file(event.path), -1 - event.offset, b"")

    def _change(self, held: Inode, offset: int, data: bytes) -> None:
        put(held.seen, offset, data)
        held.pending.append((offset, data))

    def _sync(self, event: Event) -> None:
        if event.path in self.names and self.names[event.path] is not None:
            held = self._file(event.path)
            held.safe, held.pending = bytearray(held.seen), []
            return
        rest = []
        for path, inode, there in self.pending_names:
            if path.rpartition("/")[0] == event.path:
                self._settle(self.safe_names, path, inode, there)
            else:
                rest.append((path, inode, there))
        self.pending_names = rest

    def _rename(self, event: Event) -> None:
        inode = self.names[event.path]
        self._name(event.path, inode, False)
        self._name(event.other, inode, True)

    def _unlink(self, event: Event) -> None:
        if event.path in self.names:
            self._name(event.path, self.names[event.path], False)

    def _mkdir(self, event: Event) -> None:
        self._name(event.path, None, True)

    def _name(self, path: str, inode: Inode | None, there: bool) -> None:
        self._settle(self.names, path, inode, there)
        self.pending_names.append((path, inode, there))

    @staticmethod
    def _settle(names: dict[str, Inode | None], path: str, inode: Inode | None, there: bool) -> None:
        if there:
            names[path] = inode
        else:
            names.pop(path, None)

    def image(self, target: Path, rng: np.random.Generator | None) -> None:
        """Write what a power cut now would leave; without dice only what is safe."""
        names = dict(self.safe_names)
        if rng is not None:
            for path, inode, there in self.pending_names[: int(rng.integers(0, len(self.pending_names) + 1))]:
                self._settle(names, path, inode, there)
        target.mkdir(parents=True)
        for path in sorted(names):
            below = target / path.removeprefix(self.root).lstrip("/")
            inode = names[path]
            if not below.parent.is_dir():
                continue  # its folder's own name was not safe
            if inode is None:
                below.mkdir(exist_ok=True)
            else:
                below.write_bytes(_bytes(inode, rng))


def _bytes(inode: Inode, rng: np.random.Generator | None) -> bytes:
    held = bytearray(inode.safe)
    for offset, data in inode.pending if rng is not None else ():
        assert rng is not None
        fate = rng.random()
        if fate < 0.45:
            put(held, offset, data)
        elif fate < 0.6 and offset >= 0 and len(data) > 512:
            put(held, offset, data[: 512 * int(rng.integers(1, len(data) // 512 + 1))])
    return bytes(held)
