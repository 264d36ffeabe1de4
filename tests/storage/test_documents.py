"""SQL documents: complete in both dialects, every statement used."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from calibrant.storage import documents


def test_both_dialects_have_every_statement() -> None:
    """No name of a shared document is missing in one of them."""
    shared = {name for document in documents.SHARED for name in documents.read(document, "sqlite")}
    assert shared == {name for document in documents.SHARED for name in documents.read(document, "postgres")}
    assert shared <= set(documents.statements("sqlite")) & set(documents.statements("postgres"))


def test_every_statement_is_used() -> None:
    """A statement that nobody calls goes."""
    code = "".join(path.read_text() for path in Path(documents.__file__).parent.rglob("*.py"))
    names = {*documents.statements("sqlite"), *documents.statements("postgres")}
    assert not [name for name in names if f'"{name}"' not in code]


def test_every_statement_is_understood() -> None:
    """SQLite prepares each of them on the newest schema."""
    connection = sqlite3.connect(":memory:")
    for script in documents.migrations("sqlite"):
        connection.executescript(script)
    for text in documents.statements("sqlite").values():
        names = dict.fromkeys(re.findall(r":([a-z_0-9]+)", text))
        connection.execute(f"EXPLAIN {text}", names or (None,) * text.count("?"))
    connection.close()


def test_parameters_are_in_the_style_of_the_driver() -> None:
    """Named and positional ones, nothing else is touched."""
    assert "%(sha256)s" in documents.statements("postgres")["add_piece"]
    assert "?" not in "".join(documents.statements("postgres").values())
