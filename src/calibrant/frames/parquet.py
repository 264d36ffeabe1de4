"""Parquet in record batches: only the wanted columns are read."""

from __future__ import annotations

import io
from collections.abc import Generator, Sequence

import pyarrow as pa
from pyarrow import parquet

from calibrant import errors
from calibrant.frames import files
from calibrant.frames.chunks import Chunk, Place, Source

ROWS = 1 << 18


def open_source(opened: files.Opened) -> Source:
    """Read the footer; the rows come when ``chunks`` is called. Standard input is held in memory."""
    place = Place(opened.name, opened.path)
    try:
        if opened.path is None:
            file = parquet.ParquetFile(io.BytesIO(opened.stream.read()))
        else:
            opened.stream.close()
            file = parquet.ParquetFile(opened.path)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(place.name, error) from error
    if file.metadata.num_rows == 0:
        raise files.empty(place.name)

    def chunks(wanted: Sequence[str] | None) -> Generator[Chunk]:
        first, rows = 1, file.metadata.num_rows
        try:
            for batch in file.iter_batches(ROWS, columns=None if wanted is None else list(wanted)):
                table = pa.Table.from_batches([batch])
                done = opened.size * (first - 1 + table.num_rows) // rows
                yield Chunk(table if wanted is None else table.select(list(wanted)), place, first, done=done)
                first += table.num_rows
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(place.name, error) from error
        finally:
            file.close()

    return Source(place, tuple(file.schema_arrow.names), chunks, opened.size, "parquet")


def _unreadable(name: str, error: BaseException) -> errors.SourceError:
    return errors.SourceError(
        "CAL-104",
        f"{name} cannot be read as Parquet",
        cause=files.shorten(str(error)),
        fix="the file is truncated, damaged or of another format: write or download it again",
    )
