"""polars as an engine: frames of the caller's by name, and files by path or pattern, scanned and never held whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import narwhals as nw
import pyarrow as pa

from calibrant import errors
from calibrant.joining import expression, sql, tables

if TYPE_CHECKING:
    import polars


class Polars:
    """``frames`` are named as ``source.predictions`` and ``source.labels`` name them; other names are files."""

    def __init__(self, frames: Mapping[str, polars.LazyFrame | polars.DataFrame] | None = None) -> None:
        self.frames = {name: frame.lazy() for name, frame in (frames or {}).items()}

    def columns(self, table: str) -> Mapping[str, bool]:
        """Columns of a frame or of files."""
        return {name: kind.is_integer() for name, kind in self._frame(table).collect_schema().items()}

    def answer(self, question: sql.Question, predictions: sql.Selected, labels: sql.Selected) -> pa.Table:
        """Run the expression itself."""
        made = (
            tables.mapped(self._frame(selected.table), selected, sql.wanted_columns(names, selected))
            for names, selected in ((expression.PREDICTIONS, predictions), (expression.LABELS, labels))
        )
        lazy: polars.LazyFrame = nw.to_native(question(*made))
        return lazy.collect().to_arrow()

    def _frame(self, table: str) -> polars.LazyFrame:
        try:
            import polars
        except ImportError:
            raise errors.MissingExtraError.of("polars", needed_for="polars tables") from None
        if table in self.frames:
            return self.frames[table]
        match sql.file_reader(table):
            case "read_parquet":
                return polars.scan_parquet(table)
            case "read_csv":
                return polars.scan_csv(table, try_parse_dates=True)
            case "read_json":
                return polars.scan_ndjson(table)
            case None:
                raise errors.SourceError(
                    "CAL-113",
                    f"there is no frame {table!r}",
                    cause="known are " + (", ".join(self.frames) or "none") + ", and it is no path of files",
                    fix="hand it over by this name, or name a .parquet, .csv or .jsonl file",
                )
