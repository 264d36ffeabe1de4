"""Opening the embedded store: to write, by one process, or to read, by any number."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from calibrant.ports import event_log, kept_summaries
from calibrant.storage import sql_store
from calibrant.storage.embedded import faults, segments, sqlite


class EmbeddedStore(sql_store.SqlStore):
    """The store of a folder, with the lock that makes this process its one writer."""

    def __init__(self, root: Path) -> None:
        with faults.told():
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock: int | None = _locked(root / "writer.lock")
        opened = None
        try:
            with faults.told():
                # before the database: a reader takes its presence for a store
                segments.Segments(root).prepare()
                os.close(sqlite.private(root / sqlite.FILE))
            opened = sqlite.SqliteDatabase(root, writes=True)
            opened.migrate()
            super().__init__(opened)
            with opened.read() as session:
                known = {file for name in ("files", "doomed", "run_files") for (file,) in session.rows(name)}
            opened.sealed.remove_unknown(known)
            self._sweep()
        except BaseException:  # an interrupt too must let go of the lock; it is raised on
            if opened is not None:
                opened.close()
            self._release()
            raise

    def close(self) -> None:
        super().close()
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def open_store(root: str | Path) -> EmbeddedStore:
    """Open the store in a folder for reading and writing, making it if it is not there.

    Raises StoreBusyError (CAL-851) when another process writes into it.
    """
    return EmbeddedStore(Path(root))


def _keeps_its_promises(store: EmbeddedStore) -> tuple[event_log.EventLog, kept_summaries.KeptSummaries]:
    """The type checker's proof that the store is both ports."""
    return store, store


def open_reader(root: str | Path) -> sql_store.SqlReads:
    """Open the store in a folder for reading, also while another process writes.

    Raises SourceError (CAL-111) when there is no store.
    """
    folder = Path(root)
    if not (folder / sqlite.FILE).is_file():
        raise faults.absent(str(folder), f"it holds no {sqlite.FILE}")
    return sql_store.SqlReads(sqlite.SqliteDatabase(folder.resolve(), writes=False))


def _locked(path: Path) -> int:
    handle = sqlite.private(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise faults.busy(str(path.parent)) from error
    return handle
