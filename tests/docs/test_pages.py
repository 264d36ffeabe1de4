"""The documentation tells the truth: its Python runs, its commands print what it says, its links lead somewhere."""

from __future__ import annotations

import doctest
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from calibrant.cli import error_sites

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>.+?) -->\n)?```(?P<kind>\w+)\n(?P<body>.*?)^```", re.DOTALL | re.MULTILINE
)
EXIT = re.compile(r"\s+# exit (\d)$")


class Block(NamedTuple):
    kind: str
    body: str
    line: int
    reason: str | None


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page; `<!-- not run: why -->` above a block leaves it out."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["kind"], found["body"], text.count("\n", 0, found.start()) + 1, found["reason"])
        for found in BLOCK.finditer(text)
    ]


def runnable(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.kind in ("python", "console") and block.reason is None]


@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=lambda page: page.name)
def test_what_the_page_shows_is_what_happens(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Blocks run in order, in one folder and one namespace; printed lines are compared (... stands for anything)."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__page__"}
    for block in runnable(page):
        if block.kind == "console":
            run_console(block, page)
        elif block.body.startswith(">>>"):
            run_doctest(block, page, namespace)
        else:
            exec(compile(block.body, f"{page.name}:{block.line}", "exec"), namespace)
    capsys.readouterr()


def run_doctest(block: Block, page: Path, namespace: dict[str, object]) -> None:
    test = doctest.DocTestParser().get_doctest(block.body, namespace, page.name, page.name, block.line)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=said.append, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)
    namespace.update(test.globs)


def run_console(block: Block, page: Path) -> None:
    """`$ calibrant ...` lines with the output that follows; `# exit 1` at the end of a line is the exit code."""
    for part in re.split(r"^\$ ", block.body, flags=re.MULTILINE)[1:]:
        command, _, expected = part.replace("\\\n", " ").partition("\n")
        code = EXIT.search(command)
        done = subprocess.run(
            ["/bin/sh", "-c", EXIT.sub("", command)],
            capture_output=True, text=True, check=False, timeout=120, env=environment(),
        )  # fmt: skip
        told = f"{page.name}:{block.line}: {command}\n{done.stdout}{done.stderr}"
        assert done.returncode == (int(code[1]) if code else 0), told
        if expected.strip():
            assert matches(expected, done.stdout + done.stderr), told


def environment() -> dict[str, str]:
    scripts = str(Path(sys.executable).parent)
    path = scripts + os.pathsep + os.environ.get("PATH", "")
    return {**os.environ, "PATH": path, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


def matches(expected: str, printed: str) -> bool:
    """Compare line by line without trailing space; `...` on its own line or within one stands for anything."""

    def flat(text: str) -> str:
        return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())

    pattern = re.escape(flat(expected)).replace(re.escape("..."), ".*?")
    return re.fullmatch(pattern, flat(printed), flags=re.DOTALL) is not None


def test_a_page_that_lies_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness itself: a wrong output, a wrong exit code and a wrong value each fail."""
    monkeypatch.chdir(tmp_path)
    page = Path("page.md")
    for lie in ("$ echo yes\nno\n", "$ true  # exit 1\n"):
        with pytest.raises(AssertionError):
            run_console(Block("console", lie, 1, None), page)
    with pytest.raises(AssertionError):
        run_doctest(Block("python", ">>> 1 + 1\n3\n", 1, None), page, {})
    run_console(Block("console", "$ echo a b; echo c\na ... \n...\n", 1, None), page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    """Relative links of pages, with the README's and CONTRIBUTING's, name files that exist."""
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_navigation() -> None:
    """No page that nobody finds."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f": {page.name}\n" not in navigation + "\n"] == []


def test_the_site_asks_nothing_of_the_network() -> None:
    """No fonts, scripts or pictures from elsewhere in the pages or the theme's settings."""
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in settings
    assert "http" not in settings
    for page in PAGES:
        assert not re.search(r"(?:src|href)=[\"']https?:|!\[[^\]]*\]\(https?:", page.read_text(encoding="utf-8")), (
            page.name
        )


def test_command_line_page_is_what_the_help_says() -> None:
    """docs/cli.md is written by `make pages`."""
    # in a process of its own: click remembers the help option of a command that another test has run on its own
    show = [sys.executable, str(ROOT / "docs" / "cli_page.py"), "--show"]
    done = subprocess.run(show, capture_output=True, text=True, check=True)
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == done.stdout, "run `make pages`"


def test_errors_page_is_what_the_source_says() -> None:
    """docs/errors.md is written by `make pages`."""
    page = runpy.run_path(str(ROOT / "docs" / "errors_page.py"))
    written = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert written == page["render"](error_sites.sites()), "run `make pages`"


def test_runbooks_are_what_the_catalogue_says() -> None:
    """docs/runbooks is written by `make pages`, and every page is in the navigation."""
    written = runpy.run_path(str(ROOT / "docs" / "runbooks_page.py"))["pages"]()
    found = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "runbooks").iterdir()}
    assert found == written, "run `make pages`"


def test_the_table_of_roles_is_what_the_policy_says() -> None:
    """The table in docs/registry.md is written by `make pages`."""
    page = runpy.run_path(str(ROOT / "docs" / "registry_page.py"))
    written = (ROOT / "docs" / "registry.md").read_text(encoding="utf-8")
    assert page["table"]() in written, "run `make pages`"
    assert page["render"](written) == written
