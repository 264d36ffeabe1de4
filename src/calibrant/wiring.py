"""The composition root: the only file that knows which store, which clock and which folder there really are.

    calibrant.d/                    the project: --store PATH or CALIBRANT_STORE names another one
      streams/NAME.yaml             one declaration for each stream
      alerts.yaml                   who is told of alerts
      store/                        the embedded store
      ingest/                       how far unfinished ingests are
      control.sqlite                decisions and the audit log
      contents/                     artifacts, signatures and evidence, by digest
      keys/artifacts.key, audit.key what signs; readable by their owner alone
      audit-copy/                   the second place of the audit log; CALIBRANT_AUDIT_COPY names a better one

With ``postgresql://…`` as the store, events and decisions lie there, and the rest in ``calibrant.d`` of the working
directory. CALIBRANT_CONTENTS names another place for contents, such as s3://bucket/folder.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from calibrant import errors
from calibrant.artifacts import keys, trust
from calibrant.audit import checkpoint
from calibrant.ports import audit_copy, contents, control_store, working_state
from calibrant.ports import message_source as sources
from calibrant.registry import principals
from calibrant.streams import channels, channels_file, declaration, yaml_file
from calibrant.workflow import checkpoints, controlling, deliveries, ledger, partitions

PROJECT: Final = "calibrant.d"
STORE_VARIABLE: Final = "CALIBRANT_STORE"
KEY_VARIABLE: Final = "CALIBRANT_HMAC_KEY"
TOKEN_VARIABLE: Final = "CALIBRANT_KEY"  # noqa: S105  # the name of a variable, not a secret
CONTENTS_VARIABLE: Final = "CALIBRANT_CONTENTS"
COPY_VARIABLE: Final = "CALIBRANT_AUDIT_COPY"
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

    def channels(self) -> channels.Channels:
        """How people are told of alerts; no channels where there is no alerts.yaml."""
        return channels_file.load(self.folder / "alerts.yaml")

    def office(self, environ: Mapping[str, str] = os.environ) -> deliveries.Office:
        """What sends to the declared channels. One whose secret is missing keeps no other from being told."""
        from calibrant.integrations import alertmanager
        from calibrant.integrations import channels as senders

        declared, found, broken = self.channels(), {}, {}
        for one in declared.channels:
            try:
                found[one.name] = senders.notifier_of(one, environ=environ)
            except errors.UsageError as error:
                broken[one.name] = f"{error.code}: {error.cause}"
        lapsing = frozenset(one.name for one in declared.channels if one.type == "alertmanager")
        repeats = {
            one.name: one.repeat // timedelta(microseconds=1) for one in declared.channels if one.repeat is not None
        }
        repeats |= {name: min(repeats.get(name, alertmanager.REPEAT_US), alertmanager.REPEAT_US) for name in lapsing}
        return deliveries.Office(declared, found, repeats, broken, lapsing)

    def checkpoints(self) -> checkpoints.FolderOfCheckpoints:
        """How far unfinished ingests are."""
        return checkpoints.FolderOfCheckpoints(self.folder / "ingest")

    # ---------------------------------------------------------------- decisions

    def open_control(self) -> control_store.ControlStore:
        """Decisions and the audit log, for writing by any number of processes; made when they are not there."""
        if self.server is not None:
            from calibrant.storage.control import postgres

            return postgres.open_store(self.server)
        from calibrant.storage.control import sqlite

        self.folder.mkdir(parents=True, exist_ok=True)
        return sqlite.open_store(self.folder / "control.sqlite")

    @contextmanager
    def control_reader(self) -> Iterator[control_store.ControlReader]:
        """The same for reading: UsageError when nothing was decided here yet."""
        if self.server is not None:
            with self.open_control() as store:
                yield store
            return
        from calibrant.storage.control import sqlite

        with sqlite.open_reader(self.folder / "control.sqlite") as reader:
            yield reader

    @contextmanager
    def ledger(self) -> Iterator[ledger.Ledger]:
        """What executes commands; a checkpoint covers everything when the block ends."""
        with self.open_control() as store:
            opened = ledger.Ledger(store, self.audit_copy(), self.log_signer(store), clock())
            yield opened
            # the changes have happened: a second place that fails now is told the next time
            with contextlib.suppress(errors.AuditCopyError):
                opened.checkpoint()

    def contents(self, environ: Mapping[str, str] = os.environ) -> contents.Contents:
        """Where artifacts, signatures and evidence lie."""
        from calibrant.storage.contents import address

        return address.open_contents(environ.get(CONTENTS_VARIABLE) or self.folder / "contents")

    def audit_copy(self, environ: Mapping[str, str] = os.environ) -> audit_copy.AuditCopy:
        """The second place of the audit log."""
        from calibrant.storage.audit_copy import folder

        return folder.FolderCopy(self.copy_folder(environ))

    def copy_folder(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Where the second place lies."""
        named = environ.get(COPY_VARIABLE)
        return Path(named) if named else self.folder / "audit-copy"

    def make_keys(self) -> None:
        """Generate the keys of this installation, where they are not there yet."""
        place = self.folder / "keys"
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("artifacts", "audit"):
            if not (place / f"{name}.key").exists():
                keys.save(keys.generate(), place / f"{name}.key")

    def key(self, name: str) -> keys.PrivateKey:
        """The private key ``artifacts`` or ``audit``; refused when others can read it."""
        return keys.load(self.folder / "keys" / f"{name}.key")

    def own_trust(self, *, owner: str, now_us: int) -> dict[str, Any]:
        """A trust policy of this installation's own keys."""
        trusted = tuple(
            trust.TrustedKey(self.key(name).public.pem.decode(), owner, (purpose,), now_us)
            for name, purpose in _PURPOSES.items()
        )
        return trust.to_dict(trust.TrustPolicy(trusted))

    def log_signer(self, reader: control_store.ControlReader) -> checkpoint.Signer | None:
        """What signs checkpoints; None where the key of the audit log is not on this machine."""
        if not (self.folder / "keys" / "audit.key").exists():
            return None
        key, newest = self.key("audit"), reader.newest_checkpoint()
        # a log keeps its name when its key is changed
        origin = checkpoint.origin_of(key.public) if newest is None else checkpoint.parse(newest.note).origin
        return checkpoint.Signer(origin, key)


def working(opened: ledger.Ledger) -> working_state.WorkingState:
    """The working state, which lies in the store of the decisions."""
    return state_of(opened.store)


def state_of(opened: control_store.ControlStore) -> working_state.WorkingState:
    """The working state of a control store."""
    from calibrant.storage.control import store

    assert isinstance(opened, store.SqlControlStore)
    return opened


def working_reader(opened: control_store.ControlReader) -> working_state.WorkingReader:
    """The same for reading."""
    from calibrant.storage.control import store

    assert isinstance(opened, store.SqlControlReads)
    return opened


def post(
    found: Project, opened: ledger.Ledger, events: partitions.Store, *, by: principals.Principal
) -> controlling.Post:  # fmt: skip
    """Where a controller acts."""
    return controlling.Post(opened, working(opened), found.contents(), events, found.key("artifacts"), by)


_PURPOSES: Final[Mapping[str, trust.Purpose]] = {"artifacts": "artifact", "audit": "checkpoint"}


def project(store: str | None = None, environ: Mapping[str, str] = os.environ) -> Project:
    """The project that is named, or that the environment names, or that of the working directory."""
    named = store or environ.get(STORE_VARIABLE) or PROJECT
    if named.startswith(_SERVER):
        return Project(Path(PROJECT), named)
    return Project(Path(named))


def token(environ: Mapping[str, str] = os.environ) -> str:
    """The key of whoever is acting; ForbiddenError (CAL-900) when there is none."""
    found = environ.get(TOKEN_VARIABLE)
    if not found:
        raise errors.ForbiddenError(
            "CAL-900",
            "nobody said who is acting",
            cause=f"{TOKEN_VARIABLE} is not set",
            fix="set it to your key; the first one is made by: calibrant people init NAME",
        )
    return found


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
