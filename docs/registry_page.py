"""Writes the table of roles and actions in docs/registry.md from the declared policy: `make pages`."""

from __future__ import annotations

import re
from pathlib import Path

from calibrant.registry import policy

PAGE = Path(__file__).with_name("registry.md")
TABLE = re.compile(r"^\| action \|.*?\n(?=\n)", re.DOTALL | re.MULTILINE)


def table() -> str:
    """One line for each action, one column for each role."""
    head = [f"| action | {' | '.join(policy.ROLES)} |", "|---|" + ":-:|" * len(policy.ROLES)]
    lines = [
        f"| `{action}` | " + " | ".join("yes" if role in policy.MATRIX[action] else "" for role in policy.ROLES) + " |"
        for action in policy.ACTIONS
    ]
    return "\n".join([*head, *lines]) + "\n"


def render(page: str) -> str:
    """The page with the table as it is declared now."""
    return TABLE.sub(lambda _: table(), page, count=1)


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print("docs/registry.md")
