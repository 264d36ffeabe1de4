"""The promises that the house makes about itself: light, poor in dependencies, safe, documented."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import calibrant
from calibrant import errors
from calibrant.diagnosis import catalogue

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "calibrant"
FILES = sorted(SOURCE.rglob("*.py"))
ROOMS = sorted(path for path in SOURCE.iterdir() if path.is_dir() and any(path.glob("*.py")))

HEAVY = {
    "scipy", "pandas", "pyarrow", "duckdb", "polars", "sklearn", "matplotlib", "torch", "vl_convert", "jinja2", "rich",
    "narwhals", "onnx", "sqlglot",
}  # fmt: skip
SHADOW_ROOMS = {"utils", "util", "helpers", "common", "base", "core", "manager", "handler", "service", "misc"}
#: Modules that can run code which came in as data.
DANGEROUS_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "runpy", "imp"}
DANGEROUS_CALLS = {"eval", "exec", "compile", "__import__"}
#: file -> why it may do what is forbidden elsewhere.
EXEMPT: dict[str, str] = {
    "__init__.py": "the lazy facade imports its own modules, by names written in a literal table",
    "cli/root.py": "each command is a module, imported when it is asked for, by names written in a literal tuple",
}


def loaded_after(statement: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter holds after the statement."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in FILES:
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


# ---------------------------------------------------------------- weight


def test_importing_the_package_loads_nothing_heavy() -> None:
    """`import calibrant` is a facade: scipy and the frame libraries come when something is computed."""
    assert not loaded_after("import calibrant") & (HEAVY | {"numpy"})


def test_importing_every_calibrator_loads_no_scipy() -> None:
    """Calibrators live in other people's processes and need numpy alone."""
    inside = [
        path.relative_to(SOURCE.parent).with_suffix("") for path in sorted((SOURCE / "calibrators").rglob("*.py"))
    ]
    modules = ", ".join(".".join(path.parts).removesuffix(".__init__") for path in inside)
    assert not loaded_after(f"import {modules}") & HEAVY


def test_importing_takes_less_than_three_tenths_of_a_second() -> None:
    """The best of three fresh interpreters, so that a busy machine does not fail the test; the table has the median."""
    code = "import time; start = time.perf_counter(); import calibrant; print(time.perf_counter() - start)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    assert min(float(run.stdout) for run in runs) < 0.3


def test_something_computed_loads_scipy_and_still_no_frame_library() -> None:
    """The other half of the proof: the guard above would notice scipy."""
    loaded = loaded_after(
        "import calibrant; calibrant.summarise([.2, .8], [0, 1]); import calibrant.stats.logistic, scipy.stats"
    )
    assert "scipy" in loaded
    assert not loaded & {"pandas", "polars", "duckdb", "sklearn", "matplotlib", "torch"}


# ---------------------------------------------------------------- the facade


def test_every_exported_name_can_be_had_and_nothing_else() -> None:
    """`__all__` is exact, and an unknown name is an AttributeError."""
    assert sorted(calibrant.__all__) == sorted(set(calibrant.__all__))
    for name in calibrant.__all__:
        assert getattr(calibrant, name) is not None
    assert set(calibrant.__all__) <= set(dir(calibrant))
    with pytest.raises(AttributeError, match="no_such_name"):
        calibrant.no_such_name  # noqa: B018


def test_the_names_for_type_checkers_are_the_names_at_run_time() -> None:
    """The TYPE_CHECKING block, the lazy table and `__all__` say the same."""
    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    told = {
        alias.asname or alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert told == set(calibrant.__all__) - {"__version__"}


def test_every_exported_name_is_documented() -> None:
    """The Python page has a heading for each name of the facade."""
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^### `(?:calibrant\.)?(\w+)", page, flags=re.MULTILINE))
    assert set(calibrant.__all__) - {"__version__"} <= headings


# ---------------------------------------------------------------- dependencies


def test_few_direct_dependencies_and_none_that_weighs_tons() -> None:
    """At most twelve for library and command line; no scikit-learn, pandas or torch."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[^A-Za-z0-9_.-]", line)[0].lower() for line in project["dependencies"]]
    assert len(names) <= 12
    assert not {"scikit-learn", "sklearn", "pandas", "torch", "tensorflow", "jax"} & set(names)


def test_every_direct_dependency_is_pinned_for_the_tests() -> None:
    """constraints.txt holds exact versions and neither addresses nor hashes."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", pin) for pin in pins)
    pinned = {re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower() for pin in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = [line for part in (project["dependencies"], *project["optional-dependencies"].values()) for line in part]
    wanted = {re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9_.-]", line)[0]).lower() for line in direct} - {"calibrant"}
    assert wanted - pinned - OPTIONAL_PEERS == set()


#: Peers that bring torch, measured only by `make bench BENCH_EXTRA=bench-torch`.
OPTIONAL_PEERS = {"netcal", "numba", "probmetrics", "torch"}


# ---------------------------------------------------------------- rooms


def test_no_room_is_called_after_nothing() -> None:
    """No utils, helpers, common, core: a name says what lives there."""
    names = {part for path in FILES for part in path.relative_to(SOURCE).with_suffix("").parts}
    assert not names & SHADOW_ROOMS


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_every_room_has_a_card(room: Path) -> None:
    """What lives here, what comes in, what goes out, what never happens."""
    card = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    flat = " ".join(card.split())
    for line in ("Lives here:", "Comes in:", "Goes out:", "Never:"):
        assert line in flat, f"{room.name} does not say {line!r}"


def test_every_module_says_what_it_is() -> None:
    """A docstring at the top of every file."""
    assert [name for name, tree in trees() if not ast.get_docstring(tree)] == []


# ---------------------------------------------------------------- safety


def test_nothing_runs_code_that_came_in_as_data() -> None:
    """No pickle, eval, exec, yaml.load, shell=True or import by a name from outside."""
    found = [f"{name}:{line} {what}" for name, tree in trees() for line, what in dangers(tree) if name not in EXEMPT]
    assert found == []


def test_every_exemption_is_still_needed() -> None:
    """A reason beside every exemption, and no exemption for a file that needs none."""
    by_name = dict(trees())
    assert [name for name in EXEMPT if name not in by_name or not list(dangers(by_name[name]))] == []


def dangers(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, n.name) for n in names if n.name.partition(".")[0] in DANGEROUS_MODULES)
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in DANGEROUS_MODULES:
                yield node.lineno, module
            case ast.Call(func=ast.Name(id=called)) if called in DANGEROUS_CALLS:
                yield node.lineno, called
            case ast.Call(func=ast.Name(id="import_module") | ast.Attribute(attr="import_module")):
                yield node.lineno, "import_module"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="yaml"), attr="load")):
                yield node.lineno, "yaml.load"
            case ast.Call(keywords=keywords) if any(
                k.arg == "shell" and isinstance(k.value, ast.Constant) and k.value.value for k in keywords
            ):
                yield node.lineno, "shell=True"
            case _:
                pass


def test_no_exception_is_swallowed() -> None:
    """A broad handler raises, here or where the result is asked for; one that only passes says why on its line."""
    found = []
    for name, tree in trees():
        lines = (SOURCE / name).read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                caught = "Exception" if node.type is None else ast.unparse(node.type)
                silent = [
                    step for step in node.body if isinstance(step, ast.Pass) and "#" not in lines[step.lineno - 1]
                ]
                last = node.body[-1]
                cleans_up = isinstance(last, ast.Raise) and last.exc is None
                hands_on = ast.unparse(last).endswith(".set_exception(error)")
                if (caught in {"Exception", "BaseException"} and not (cleans_up or hands_on)) or silent:
                    found.append(f"{name}:{node.lineno}")
    assert found == []


# ---------------------------------------------------------------- errors


def raised() -> dict[str, set[str]]:
    """Every code in the source and the error classes that it is raised with."""
    found: dict[str, set[str]] = defaultdict(set)
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                code = node.args[0].value
                if isinstance(code, str) and re.fullmatch(r"CAL-\d{3}", code):
                    called = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
                    found[code].add("MissingExtraError" if called == "cls" else called)
    return found


HUNDREDS = {
    "1": "SourceError", "2": "ColumnError", "3": "ValueRangeError", "4": "UsageError", "5": "FitError",
    "6": "ArtifactError", "7": "MissingExtraError",
}  # fmt: skip


def test_a_code_belongs_to_the_class_that_its_first_digit_names() -> None:
    """CAL-3xx is a ValueRangeError everywhere, and so on; CAL-8xx is about streams and stores, in any class."""
    codes = {code: kinds & set(HUNDREDS.values()) for code, kinds in raised().items() if code[4] in HUNDREDS}
    assert {code: kinds for code, kinds in codes.items() if kinds and kinds != {HUNDREDS[code[4]]}} == {}


def test_every_code_is_said_by_a_call() -> None:
    """A code that stood anywhere else, such as in a tuple, would be missing from the catalogue."""
    said = {
        node.value
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[A-Z]+-\d+", node.value)
    }
    checks = {one.code for one in catalogue.ALL}
    assert checks <= said
    assert said - set(raised()) - checks == {"UTF-8"} & said


def test_every_code_belongs_to_a_family_of_the_catalogue() -> None:
    """A new first digit needs a heading in docs/errors_page.py."""
    families = runpy.run_path(str(ROOT / "docs" / "errors_page.py"))["FAMILIES"]
    assert {code for code in raised() if code[4] not in families} == set()


def test_every_code_in_the_source_is_in_the_catalogue_and_back() -> None:
    """docs/errors.md has one entry for each code, and no entry for a code that is gone."""
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    documented = re.findall(r"^### (CAL-\d{3})", page, flags=re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == set(raised()), "run `make pages`"


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """The picture in errors.py names exactly the classes that exist."""
    kinds = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert set(re.findall(r"\b\w+Error\b", errors.__doc__ or "")) == kinds


def test_an_error_survives_a_trip_to_another_process() -> None:
    """Errors are raised in worker processes too: they must keep their code, cause and fix."""
    kind, arguments = errors.FitError("CAL-501", "what", cause="cause", fix="fix").__reduce__()
    again = kind(*arguments)
    assert isinstance(again, errors.FitError)
    assert (again.code, again.what, again.cause, again.fix) == ("CAL-501", "what", "cause", "fix")
