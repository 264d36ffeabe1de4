"""A calibrator for other people's programs: Python without packages, SQL, ONNX. Each export is proved equal.

Card
----
Lives here: one formula per map (``formula``), three printers of formulas, and the proof. Comes in: a calibrator
document. Goes out: ``Exported``, whose proof was made by running it. Never: an export that was not run.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, assert_never

from calibrant.calibrators import codec
from calibrant.calibrators.export import onnx, proof, python, sql

Target: TypeAlias = Literal["python", "sql", "onnx"]
Exported = proof.Exported
Proof = proof.Proof


def export(document: codec.Document, *, to: Target, dialect: str = "duckdb", score: str = "score") -> proof.Exported:
    """Write the map for another engine, run it there, and refuse when it differs from ``apply``.

    ``dialect`` (a name that sqlglot knows) and ``score`` (the score column) matter for SQL only. SQL is run in
    DuckDB: for another dialect the same expression is printed in that dialect, and the proof says so.
    """
    match to:
        case "python":
            return python.export(document)
        case "sql":
            return sql.export(document, dialect=dialect, score=score)
        case "onnx":
            return onnx.export(document)
        case _:
            assert_never(to)
