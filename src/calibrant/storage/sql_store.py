"""The event log and the kept summaries on a SQL database: all that SQLite and PostgreSQL share."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import pyarrow as pa

from calibrant import errors
from calibrant.ports import event_log, kept_summaries
from calibrant.storage import database, housekeeping, reading, removal, summaries, writing


class SqlReads:
    """Reads, each in a transaction of its own."""

    def __init__(self, opened: database.Database) -> None:
        self._database = opened

    @contextmanager
    def snapshot(self) -> Iterator[event_log.EventReader]:
        """Several reads of one state."""
        with self._reader() as reader:
            yield reader

    @contextmanager
    def _reader(self) -> Iterator[reading.Reader]:
        with self._database.read() as session:
            yield reading.Reader(session, self._database.sealed)

    def streams(self) -> tuple[str, ...]:
        with self._reader() as reader:
            return reader.streams()

    def partition_width_us(self, stream: str) -> int:
        with self._reader() as reader:
            return reader.partition_width_us(stream)

    def last_seq(self, stream: str) -> int:
        with self._reader() as reader:
            return reader.last_seq(stream)

    def predictions(
        self,
        stream: str,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        as_of_us: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.Table]:
        with self._reader() as reader:
            yield from reader.predictions(stream, start_us=start_us, end_us=end_us, as_of_us=as_of_us, columns=columns)

    def labels(
        self,
        stream: str,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        as_of_us: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.Table]:
        with self._reader() as reader:
            yield from reader.labels(stream, start_us=start_us, end_us=end_us, as_of_us=as_of_us, columns=columns)

    def counts(self, stream: str, *, as_of_us: int | None = None) -> event_log.Counts:
        with self._reader() as reader:
            return reader.counts(stream, as_of_us=as_of_us)

    def damaged(self, stream: str) -> tuple[str, ...]:
        with self._reader() as reader:
            return reader.damaged(stream)

    def dirty(self, stream: str) -> tuple[int, ...]:
        with self._reader() as reader:
            return reader.dirty(stream)

    def quarantined(self, stream: str) -> pa.Table:
        with self._reader() as reader:
            return reader.quarantined(stream)

    def rejected(self, stream: str) -> pa.Table:
        with self._reader() as reader:
            return reader.rejected(stream)

    def get(
        self,
        stream: str,
        key: kept_summaries.SummaryKey,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> kept_summaries.MergedSummary:
        return summaries.merged(self.partitions(stream, key, start_us=start_us, end_us=end_us))

    def partitions(
        self,
        stream: str,
        key: kept_summaries.SummaryKey,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> tuple[kept_summaries.KeptSummary, ...]:
        with self._of_stream(stream) as (session, stream_id):
            return summaries.partitions(session, stream_id, key, start_us=start_us, end_us=end_us)

    def headers(
        self,
        stream: str,
        key: kept_summaries.SummaryKey,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> tuple[kept_summaries.SummaryHeader, ...]:
        with self._of_stream(stream) as (session, stream_id):
            return summaries.headers(session, stream_id, key, start_us=start_us, end_us=end_us)

    @contextmanager
    def _of_stream(self, stream: str) -> Iterator[tuple[database.Session, int]]:
        """A session and the number of a stream: 0, which none has, for one that was never written to."""
        with self._database.read() as session:
            found = reading.Reader(session, self._database.sealed).find(stream)
            yield session, 0 if found is None else found.stream_id

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


class SqlStore(SqlReads):
    """Reads and writes: an ``EventLog`` and a ``KeptSummaries``."""

    def __init__(self, opened: database.Database) -> None:
        super().__init__(opened)
        self._house = housekeeping.Housekeeping(opened.sealed)
        with opened.write() as session:
            session.run("add_setting", name="salt", value=secrets.token_hex(32))
            self._salt = bytes.fromhex(session.rows("setting", name="salt")[0][0])

    @contextmanager
    def _writing(self, stream: str, received_us: int, partition_us: int = event_log.DAY_US) -> Iterator[Any]:
        with self._database.write() as session:
            yield writing.begin(
                session, stream, received_us=received_us, partition_us=partition_us, merge=self._house.merge
            )

    def declare(self, stream: str, *, partition_us: int) -> None:
        with self._writing(stream, -reading.EVER, partition_us) as open_now:
            if open_now.row.partition_us != partition_us:
                raise errors.UsageError(
                    "CAL-861",
                    f"stream {stream!r} has partitions of another width",
                    cause=f"they are {open_now.row.partition_us} us wide, not {partition_us} us",
                    fix="keep the declared width, or take a new name for the stream",
                )

    def append_predictions(self, stream: str, batch: pa.Table, *, received_us: int) -> event_log.Appended:
        with self._writing(stream, received_us) as open_now:
            return writing.append_predictions(open_now, batch, salt=self._salt)

    def append_labels(self, stream: str, batch: pa.Table, *, received_us: int) -> event_log.Appended:
        with self._writing(stream, received_us) as open_now:
            return writing.append_labels(open_now, batch, salt=self._salt)

    def reject(self, stream: str, items: Sequence[event_log.RejectedItem], *, received_us: int) -> None:
        if items:
            with self._writing(stream, received_us) as open_now:
                writing.reject(open_now, items)

    def clean(self, stream: str, partitions: Sequence[int], *, seq: int) -> None:
        with self._writing(stream, -reading.EVER) as open_now:
            stream_id = open_now.row.stream_id
            open_now.session.many("clean", [(seq, stream_id, one, seq) for one in partitions])

    def maintain(self, *, now_us: int) -> None:
        for stream in self._streams_to_seal(now_us):
            with self._writing(stream, -reading.EVER) as open_now:
                before = housekeeping.end_of_closed(open_now.row, now_us)
                if self._house.seal(open_now, stream, before_us=before):
                    open_now.save()
        self._sweep()

    def _streams_to_seal(self, now_us: int) -> list[str]:
        with self._reader() as reader:
            rows = [(stream, reader.find(stream)) for stream in reader.streams()]
            return [
                stream
                for stream, row in rows
                if row and reader.unsealed(row, before_us=housekeeping.end_of_closed(row, now_us))
            ]

    def forget_before(self, stream: str, at_us: int, *, now_us: int) -> int:
        if at_us > now_us:
            raise errors.UsageError(
                "CAL-862",
                "retention cannot reach into the future",
                cause="the time to forget before lies after now",
                fix="check the clock and the stream's retention",
            )
        with self._writing(stream, -reading.EVER) as open_now:
            removed = removal.forget_before(open_now, self._house, stream, at_us)
            open_now.save()
        self._sweep()
        return removed

    def forget_orphans_before(self, stream: str, received_us: int) -> int:
        with self._reader() as reader:
            row = reader.find(stream)
        if row is None or not row.orphans:
            return 0
        with self._writing(stream, -reading.EVER) as open_now:
            removed = removal.forget_orphans(open_now, received_us, salt=self._salt)
            if removed:
                open_now.save()
        return removed

    def forget_unit(self, stream: str, unit: str) -> int:
        with self._writing(stream, -reading.EVER) as open_now:
            removed = removal.forget_unit(open_now, self._house, stream, unit, salt=self._salt)
            open_now.session.run("add_setting", name="shred", value="due")
            open_now.save()
        self._sweep()
        return removed

    def put(self, stream: str, key: kept_summaries.SummaryKey, kept: kept_summaries.KeptSummary) -> bool:
        with self._writing(stream, -reading.EVER) as open_now:
            return summaries.put(open_now.session, open_now.row.stream_id, key, kept)

    def _sweep(self) -> None:
        """Remove doomed files and overwrite erased bytes, unless a reader holds them: then at the next occasion."""
        with self._database.read() as session:
            doomed = [file for (file,) in session.rows("doomed")]
            due = session.rows("setting", name="shred")
        if due and self._database.shred():
            with self._database.write() as session:
                session.run("forget_setting", name="shred")
        gone = self._database.sealed.sweep(doomed) if doomed else None
        if gone:
            with self._database.write() as session:
                session.many("forget_doomed", [(file,) for file in gone])
