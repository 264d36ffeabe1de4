"""CSV and TSV in record batches. The format has no types, so every column is read as text and parsed later."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import IO, Literal

import pyarrow as pa
from pyarrow import csv as arrow_csv

from calibrant import errors
from calibrant.frames import files
from calibrant.frames.chunks import Chunk, Place, Source

BLOCK = 1 << 22


def open_source(opened: files.Opened, *, skip_malformed: bool) -> Source:
    """Read the header; the rows come when ``chunks`` is called."""
    delimiter = "\t" if opened.format == "tsv" else ","
    try:
        tape = files.Tape(opened.stream)
        head = tape.head.decode("utf-8-sig", "replace")
        names = next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), [])
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise files.damaged(opened.name, error) from error
    if not any(names):
        raise files.empty(opened.name)
    place = Place(opened.name, opened.path, opened.format)
    stream = io.BufferedReader(tape, 1 << 20)

    def chunks(wanted: Sequence[str] | None) -> Generator[Chunk]:
        reader = _Reader(opened, stream, names, delimiter, place, skip_malformed)
        return reader.chunks(names if wanted is None else wanted)

    return Source(place, tuple(names), chunks, opened.size, opened.format)


class _Reader:
    def __init__(
        self,
        opened: files.Opened,
        stream: IO[bytes],
        names: list[str],
        delimiter: str,
        place: Place,
        skip: bool,
    ) -> None:
        self.opened, self.stream, self.names, self.delimiter = opened, stream, names, delimiter
        self.place, self.skip, self.malformed = place, skip, 0

    def chunks(self, wanted: Sequence[str]) -> Generator[Chunk]:
        first = 1
        try:
            for batch in self._open(wanted):
                table = pa.Table.from_batches([batch])
                malformed, self.malformed = self.malformed, 0
                yield Chunk(table, self.place, first, True, None, self.opened.tape.done, malformed)
                first += table.num_rows
        except pa.ArrowInvalid as error:
            raise self._explain(str(error)) from error
        except (EOFError, zlib.error, OSError) as error:
            raise files.damaged(self.place.name, error) from error
        finally:
            self.stream.close()

    def _open(self, wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        # a name that comes twice is refused before, when it is wanted; here the others only need to differ
        unique = [name if name in wanted else f"{index}" for index, name in enumerate(self.names)]
        handler: Callable[[arrow_csv.InvalidRow], Literal["skip", "error"]] = self._malformed
        return iter(
            arrow_csv.open_csv(
                self.stream,
                read_options=arrow_csv.ReadOptions(
                    block_size=BLOCK, column_names=unique, skip_rows_after_names=1, use_threads=False
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=handler
                ),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=list(wanted),
                    column_types={name: pa.string() for name in wanted},
                    strings_can_be_null=False,
                ),
            )
        )

    def _malformed(self, _row: arrow_csv.InvalidRow) -> Literal["skip", "error"]:
        self.malformed += 1
        return "skip" if self.skip else "error"

    def _explain(self, message: str) -> errors.SourceError:
        if "UTF8" in message or "UTF-8" in message:
            fix = "save the file as UTF-8, for example: iconv -f latin1 -t utf-8"
            return errors.SourceError("CAL-108", f"{self.place.name} is not UTF-8", cause=message, fix=fix)
        if "Empty CSV" in message:
            return files.empty(self.place.name)
        where = self._ragged()
        return errors.SourceError(
            "CAL-105",
            f"a row of {self.place.name} does not fit its header",
            cause=(f"line {where}: " if where else "") + files.shorten(message.removeprefix("CSV parse error: ")),
            fix="quote values that hold a comma or a line break, or skip and count such rows (--skip-bad-rows)",
        )

    def _ragged(self) -> int | None:
        """The line of the first row whose number of fields differs from the header's."""
        path = self.place.path
        if path is None or path.suffix == ".gz":
            return None
        with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
            reader, start = csv.reader(file, delimiter=self.delimiter), 1
            for fields in reader:
                if fields and len(fields) != len(self.names):
                    return start
                start = reader.line_num + 1
        return None
