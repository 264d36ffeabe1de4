"""The composition root: the only file that knows which store, which clock and which folder there really are.

    calibrant.d/                    the project: --store PATH or CALIBRANT_STORE names another one
      streams/NAME.yaml             one declaration for each stream
      store/                        the embedded store
      ingest/                       how far unfinished ingests are

With ``postgresql://…`` as the store, events lie there, and declarations in ``calibrant.d`` of the working directory.
"""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibrant import errors
from calibrant.ports import message_source as sources
from calibrant.streams import declaration, yaml_file
from calibrant.workflow import checkpoints, partitions

PROJECT: Final = "calibrant.d"
STORE_VARIABLE: Final = "CALIBRANT_STORE"
KEY_VARIABLE: Final = "CALIBRANT_HMAC_KEY"
_SERVER: Final = ("postgres://", "postgresql://")


class SystemClock:
    """The clock of this machine."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class Project:
    """A folder of declarations, and where its events are kept: in the folder, or on the server at ``server``."""

    folder: Path
    server: str | None = None

    # ---------------------------------------------------------------- declarations

    def declared(self) -> tuple[str, ...]:
        """Names of the streams that have a declaration, sorted."""
        return tuple(sorted(path.stem for path in (self.folder / "streams").glob("*.yaml")))

    def path_of(self, name: str) -> Path:
        """Where the declaration of a stream lies."""
        return self.folder / "streams" / f"{name}.yaml"

    def stream(self, name: str) -> declaration.Stream:
        """Read a declaration; UsageError when there is none, or when it declares another stream."""
        known = self.declared()
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise errors.UsageError(
                "CAL-486",
                f"there is no stream {name!r}",
                cause=f"{str(self.folder / 'streams')!r} declares " + (", ".join(known[:20]) or "nothing"),
                fix=f"did you mean {near[0]!r}?" if near else "write one with calibrant init, or name its --store",
            )
        found = yaml_file.load(self.path_of(name))
        if found.name != name:
            raise errors.UsageError(
                "CAL-487",
                f"{str(self.path_of(name))!r} declares the stream {found.name!r}",
                cause="a declaration lies in the file that has the name of its stream",
                fix=f"rename it to {found.name}.yaml, or correct metadata.name",
            )
        return found

    def hmac_key(self, stream: declaration.Stream, environ: Mapping[str, str] = os.environ) -> bytes | None:
        """The key that masks identifiers, where the stream masks any."""
        held = environ.get(KEY_VARIABLE)
        if stream.context.hmac and not held:
            raise errors.UsageError(
                "CAL-489",
                f"{stream.name} masks identifiers, and there is no key",
                cause=f"{KEY_VARIABLE} is not set; the stream's context.hmac is " + ", ".join(stream.context.hmac),
                fix="set it to at least 16 random characters, and never change it while events are kept",
            )
        return held.encode() if held else None

    # ---------------------------------------------------------------- the store

    def open_store(self) -> partitions.Store:
        """Open for writing, by this process alone; makes an embedded store that is not there."""
        if self.server is not None:
            from calibrant.storage import postgres

            return postgres.open_store(self.server)
        from calibrant.storage import embedded

        return embedded.open_store(self.folder / "store")

    def open_reader(self) -> partitions.ReadStore:
        """Open for reading, also while another process writes; SourceError (CAL-111) when nothing was ingested yet."""
        if self.server is not None:
            from calibrant.storage import postgres

            # a server lets everybody read and write at once
            return postgres.open_store(self.server)
        from calibrant.storage import embedded

        return embedded.open_reader(self.folder / "store")

    @contextmanager
    def answering(self) -> Iterator[tuple[partitions.Reads, partitions.Store | None]]:
        """What answers are read from, and where summaries that were made for them are kept: nowhere while another
        process writes, which costs time and changes no answer."""
        with self.open_reader() as reader:
            try:
                store = self.open_store()
            except errors.StoreBusyError:
                yield reader, None
                return
            with store:
                yield store, store

    def checkpoints(self) -> checkpoints.FolderOfCheckpoints:
        """How far unfinished ingests are."""
        return checkpoints.FolderOfCheckpoints(self.folder / "ingest")


def project(store: str | None = None, environ: Mapping[str, str] = os.environ) -> Project:
    """The project that is named, or that the environment names, or that of the working directory."""
    named = store or environ.get(STORE_VARIABLE) or PROJECT
    if named.startswith(_SERVER):
        return Project(Path(PROJECT), named)
    return Project(Path(named))


def clock() -> SystemClock:
    """The time of day."""
    return SystemClock()


def message_source(address: sources.Address, settings: Mapping[str, str]) -> sources.MessageSource:
    """The subscription at an address; needs the extra of its scheme."""
    match address.scheme:
        case "kafka":
            from calibrant.integrations import kafka

            return kafka.KafkaSource(address, settings)
        case "nats":
            from calibrant.integrations import nats

            return nats.NatsSource(address, settings)
        case _:
            raise sources.malformed(f"{address.scheme!r} is neither kafka nor nats")
