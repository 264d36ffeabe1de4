"""Where errors are raised and what they say, read from the source: for docs/errors.md and for ``calibrant explain``."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CODE = re.compile(r"CAL-\d{3}")
SOURCE = Path(__file__).resolve().parents[1]


class Site(NamedTuple):
    """One place where a code is raised: what it says, as far as the source tells."""

    what: str
    cause: str
    fix: str


def of(code: str) -> list[Site]:
    """The places of one code; only files that name it are parsed."""
    return sites(SOURCE, only=code).get(code, [])


def sites(source: Path = SOURCE, *, only: str = "CAL-") -> dict[str, list[Site]]:
    """All places, by code, in the order of files and lines; of files that hold ``only``."""
    found: dict[str, list[Site]] = defaultdict(list)
    for path in sorted(source.rglob("*.py")):
        written = path.read_text(encoding="utf-8")
        if only not in written:
            continue
        for code, call in _calls(ast.parse(written)):
            named = {keyword.arg: keyword.value for keyword in call.keywords}
            what = text(call.args[1]) if len(call.args) > 1 else "…"
            site = Site(what, text(named.get("cause")), text(named.get("fix")))
            if site not in found[code]:
                found[code].append(site)
    return found


def text(node: ast.expr | None) -> str:
    """A literal message, with … for whatever is computed."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(text(value) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return text(left) + text(right)
        case _:
            return "…"


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _is_code(node.args[0]):
            yield ast.literal_eval(node.args[0]), node


def _is_code(node: ast.AST) -> bool:
    """Whether this is a code as a whole, not one that a text mentions."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value) is not None
