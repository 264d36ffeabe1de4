"""The command as a process: start-up, pipes, exit codes, no colour where nobody looks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from calibrant.calibrators import codec, logistic
from calibrant.cli import root

COMMAND = [sys.executable, "-c", "from calibrant import cli; cli.main()"]


def run(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments], input=stdin, capture_output=True, env=os.environ | environment, check=False
    )


def test_help_loads_no_science() -> None:
    """``--help`` of all commands loads neither numpy nor pyarrow nor rich: that is why it is quick."""
    code = (
        "import sys; from calibrant import cli\n"
        "assert cli.invoke(['--help']) == 0\n"
        f"for name in {root.COMMANDS}: assert cli.invoke([name, '--help']) == 0\n"
        "heavy = {'numpy', 'scipy', 'pyarrow', 'rich', 'narwhals', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("name", root.COMMANDS)
def test_help_has_two_examples_and_the_exit_codes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command shows two examples that start with its name, and says what its exit codes mean."""
    from calibrant import cli

    assert cli.invoke([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.count(f"calibrant {name}") >= 3  # usage and two examples
    assert "Exit codes:" in text
    assert "--json" in text


def test_pipe_through_transform(tmp_path: Path) -> None:
    """CSV in, CSV out, nothing but data on standard output."""
    (tmp_path / "c.json").write_bytes(codec.dumps(codec.Document(logistic.Platt(1.0, 0.0))))
    ran = run("transform", str(tmp_path / "c.json"), "-", "--score", "p", "-o", "-", stdin=b"id,p\n07,0.5\n")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"id,p,calibrated\n07,0.5,0.5\n", b"")


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """``| head`` ends the command quietly."""
    (tmp_path / "c.json").write_bytes(codec.dumps(codec.Document(logistic.Platt(1.0, 0.0))))
    (tmp_path / "a.csv").write_bytes(b"p\n" + b"0.5\n" * 200_000)
    process = subprocess.Popen(
        [*COMMAND, "transform", str(tmp_path / "c.json"), str(tmp_path / "a.csv"), "--score", "p", "-o", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert said == b""


def test_exit_code_and_message_of_a_process() -> None:
    """Wrong use is 2 with the message on standard error, without colours."""
    ran = run("check", "no.csv", "--score", "p", "--label", "y", NO_COLOR="1")
    assert ran.returncode == 2
    assert ran.stdout == b""
    assert ran.stderr.startswith(b"CAL-101: ")
    assert b"\x1b" not in ran.stderr


def test_completion_script() -> None:
    """The shell gets its completion from click."""
    ran = run(_CALIBRANT_COMPLETE="bash_source")
    assert b"complete" in ran.stdout


def test_without_arguments_there_is_help() -> None:
    """Help goes to standard error, because nothing was asked for: wrong use."""
    ran = run()
    assert ran.returncode == 2
    assert b"Commands:" in ran.stderr
