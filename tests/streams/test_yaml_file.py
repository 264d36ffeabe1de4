"""The file: every mistake is found, with its path, its line and what to do; a good file survives being written."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant import errors
from calibrant.calibrators import scales
from calibrant.streams import declaration, template, yaml_file

GOOD = """\
apiVersion: calibrant/v1
kind: Stream
metadata:
  name: card-fraud
  owner: payments
  runbook: https://example.org/r
spec:
  unit: account
  labels:
    horizon: 90d
    implicitNegative: true
    terminal: []
  cohorts:
    - field: country
      cap: 50
  context:
    hmac: [account]
"""


def test_a_good_file_has_no_findings() -> None:
    """And reads as what it says."""
    assert yaml_file.lint(GOOD) == ()
    stream = yaml_file.read(GOOD)
    assert stream.labels == declaration.LabelContract(timedelta(days=90), True)
    assert (stream.name, stream.cohorts) == ("card-fraud", (declaration.CohortField("country", 50),))


@pytest.mark.parametrize(
    ("before", "after", "code", "path", "line", "fix"),
    [
        ("calibrant/v1", "calibrant/v2", "CAL-825", "apiVersion", 1, "calibrant/v1"),
        ("kind: Stream\n", "", "CAL-822", "kind", 1, "write kind: Stream"),
        ("kind: Stream", "kind: stream", "CAL-825", "kind", 2, "Stream"),
        ("card-fraud", "Card Fraud", "CAL-801", "metadata.name", 4, "letters"),
        ("card-fraud", "no", "CAL-823", "metadata.name", 4, "quotes"),
        ("  name: card-fraud\n", "", "CAL-822", "metadata.name", 3, "write name"),
        ("owner:", "ownr:", "CAL-821", "metadata.ownr", 5, "did you mean owner?"),
        ("horizon: 90d", "horizon: 90", "CAL-823", "spec.labels.horizon", 10, "duration such as 90d"),
        ("horizon: 90d", "horizon: 3 months", "CAL-826", "spec.labels.horizon", 10, "90d"),
        ("horizon: 90d", "horizon: 0d", "CAL-802", "spec.labels.horizon", 10, "more than nothing"),
        ("    horizon: 90d\n", "", "CAL-828", "spec.labels.horizon", 9, "horizon: 90d"),
        ("    horizon: 90d\n    implicitNegative: true\n", "", "CAL-822", "spec.labels.horizon", 9, "write horizon"),
        ("implicitNegative", "implicit_negative", "CAL-821", "spec.labels.implicit_negative", 11, "implicitNegative?"),
        ("implicitNegative: true", "implicitNegative: 1", "CAL-823", "spec.labels.implicitNegative",
         11, "true or false"),
        ("terminal: []", "terminal: [2]", "CAL-807", "spec.labels.terminal[0]", 12, "a value that labels have"),
        ("terminal: []", "terminal: [.nan]", "CAL-803", "spec.labels.terminal[0]", 12, "finite"),
        ("terminal: []", "terminal: 1", "CAL-823", "spec.labels.terminal", 12, "a list"),
        ("terminal: []", "conflicts: newest", "CAL-804", "spec.labels.conflicts", 12, "last_revision"),
        ("terminal: []", "conflicts: majority_vot", "CAL-804", "spec.labels.conflicts", 12,
         "did you mean majority_vote?"),
        ("terminal: []", "conflicts: labeler_priority", "CAL-808", "spec.labels.priority", 9, "best first"),
        ("    terminal: []", "    horizon: 9d", "CAL-824", "spec.labels.horizon", 12, "keep one"),
        ("cap: 50", "cap: 0", "CAL-803", "spec.cohorts[0].cap", 15, "above 0"),
        ("cap: 50", "cap: 1.5", "CAL-823", "spec.cohorts[0].cap", 15, "whole number"),
        ("cap: 50", "field: x", "CAL-824", "spec.cohorts[0].field", 15, "keep one"),
        ("- field: country\n      cap: 50", "- country", "CAL-823", "spec.cohorts[0]", 14, "a mapping"),
        ("  context:", "  contxt:", "CAL-821", "spec.contxt", 16, "did you mean context?"),
        ("hmac: [account]", "hmac: [account]\n    allow: [account]", "CAL-809", "spec.context.hmac[0]", 17, "one list"),
        ("hmac: [account]", "hmac: [account]\n    maxBytes: 4096", "CAL-803", "spec.context.maxBytes", 18, "2048"),
        ("  unit: account", "  unit: account\n  scale: percentage", "CAL-402", "spec.scale", 9, "declare"),
        ("  unit: account", "  unit: account\n  retention: 30d", "CAL-812", "spec.retention", 9, "longer"),
        ("  unit: account", "  unit: account\n  source: {type: tabel}", "CAL-804", "spec.source.type", 9, "table?"),
        ("  unit: account", "  unit: account\n  source: {engine: duckdb}", "CAL-822", "spec.source.type", 9, "managed"),
        ("  unit: account", "  unit: account\n  source: {type: managed, engine: x}", "CAL-821",
         "spec.source.engine", 9, "type"),
        ("  unit: account", "  unit: account\n  source: {type: table, engine: duckdb, predictions: p}", "CAL-822",
         "spec.source.labels", 9, "write labels"),
        ("  unit: account",
         "  unit: account\n  source: {type: table, engine: files, predictions: p, labels: l, columns: {x: y}}",
         "CAL-810", "spec.source.columns.x", 9, "member on the left"),
        ("  owner: payments\n", "", "CAL-830", "metadata.owner", 3, "team"),
        ("  runbook: https://example.org/r\n", "", "CAL-831", "metadata.runbook", 3, "page"),
        ("https://example.org/r", "ask Anna", "CAL-832", "metadata.runbook", 6, "https://"),
        ("\n      cap: 50", "", "CAL-833", "spec.cohorts[0]", 14, "cap: 50"),
        ("hmac: [account]", "hmac: []", "CAL-834", "spec.unit", 8, "context.hmac"),
        ("hmac: [account]", "allow: [account]", "CAL-835", "spec.unit", 8, "context.hmac"),
        ("horizon: 90d", "horizon: 900d", "CAL-836", "spec.labels.horizon", 10, "unit"),
        ("terminal: []", "terminal: [1]", "CAL-839", "spec.labels.terminal", 12, "both outcomes or none"),
        ("terminal: []", "terminal: [0, 1]", "CAL-837", "spec.labels.terminal", 12, "0"),
        ("  unit: account", "  unit: account\n  target: rate", "CAL-838", "spec.labels.implicitNegative", 12, "false"),
    ],
)  # fmt: skip
def test_each_mistake_is_found_where_it_is(before: str, after: str, code: str, path: str, line: int, fix: str) -> None:
    """One mistake, one finding, with path, line and a fix that helps."""
    assert GOOD.count(before) == 1
    [finding] = yaml_file.lint(GOOD.replace(before, after))
    assert (finding.code, finding.path, finding.line) == (code, path, line)
    assert fix in finding.fix
    warning = code in {f"CAL-83{digit}" for digit in range(10)}
    assert finding.severity == ("warning" if warning else "error")
    if warning:
        yaml_file.read(GOOD.replace(before, after))
    else:
        with pytest.raises(errors.UsageError, match=code):
            yaml_file.read(GOOD.replace(before, after))


def test_all_mistakes_are_told_at_once() -> None:
    """In the order of lines; reading tells the first and how many there are."""
    text = GOOD.replace("owner:", "ownr:").replace("90d", "soon").replace("cap: 50", "cap: -1")
    assert [(one.code, one.line) for one in yaml_file.lint(text)] == [("CAL-821", 5), ("CAL-826", 10), ("CAL-803", 15)]
    with pytest.raises(errors.UsageError, match="2 more"):
        yaml_file.read(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "CAL-820"),
        ("a: [", "CAL-820"),
        ("a: b: c", "CAL-820"),
        ("--- {}\n--- {}", "CAL-820"),
        ("!!python/object/apply:os.system [ls]", "CAL-820"),
        ("a: !!binary aGk=", "CAL-820"),
        ("? [a]\n: 1", "CAL-820"),
        ("a: " + "9" * 5000, "CAL-820"),
        ("a: \x07", "CAL-820"),
        ("a: \ud800", "CAL-820"),
        ("[" * 5000, "CAL-827"),
        ("x" * 200_000, "CAL-827"),
        ("a: &a [*a]", "CAL-827"),
        ("a: &a [1]\nb: " + "[" + ",".join(["*a"] * 30_000) + "]", "CAL-827"),
        ("l0: &l0 [x,x,x,x,x,x,x,x,x]\n"
         + "\n".join(f"l{n}: &l{n} [{','.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 10)), "CAL-827"),
    ],
)  # fmt: skip
def test_files_that_are_broken_or_bombs_are_one_finding_at_once(text: str, code: str) -> None:
    """Syntax, several documents, tags that construct, nesting, size, aliases that explode."""
    start = time.process_time()
    findings = yaml_file.lint(text)
    assert [(one.code, one.severity) for one in findings] == [(code, "error")]
    assert time.process_time() - start < 2


def test_a_file_is_read_from_disk_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    """The error names the file and the line."""
    path = tmp_path / "fraud.yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert yaml_file.load(path) == yaml_file.read(GOOD)
    assert yaml_file.lint_file(path) == ()
    path.write_text(GOOD.replace("90d", "soon"), encoding="utf-8")
    with pytest.raises(errors.UsageError, match=r"fraud\.yaml, line 10, spec\.labels\.horizon"):
        yaml_file.load(path)
    for wrong in (tmp_path / "nothing.yaml", tmp_path):
        with pytest.raises(errors.SourceError, match="CAL-120"):
            yaml_file.load(wrong)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(errors.SourceError, match="CAL-120"):
        yaml_file.load(path)


words = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30)
fields = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_.-]{0,20}\Z")
lengths = st.integers(1, 86_400 * 700).map(lambda seconds: timedelta(seconds=seconds))
contracts = st.builds(
    declaration.LabelContract,
    horizon=lengths,
    implicit_negative=st.booleans(),
    terminal=st.sampled_from([(), (1.0,), (0.0, 1.0)]),
    conflicts=st.sampled_from(["last_revision", "majority_vote", "reject"]),
    orphans=lengths,
)
sources = st.just(declaration.Managed()) | st.builds(
    declaration.TableSource,
    engine=st.sampled_from(["duckdb", "spark", "postgres"]),
    predictions=fields,
    labels=fields,
    columns=st.dictionaries(st.sampled_from(["predictions.id", "labels.value", "predictions.cohorts.a"]), fields),
)
streams = st.builds(
    declaration.Stream,
    name=st.from_regex(r"\A[a-z0-9][a-z0-9._-]{0,20}\Z"),
    labels=contracts,
    target=st.sampled_from(["probability", "rate"]),
    scale=st.sampled_from([scales.Scale(), scales.Scale("percent"), scales.Scale("unbounded", 1.5, 2.0)]),
    cohorts=st.lists(fields, max_size=3, unique=True).map(lambda all_: tuple(map(declaration.CohortField, all_))),
    unit=st.none() | fields,
    context=st.lists(fields, max_size=3, unique=True).map(lambda all_: declaration.ContextPolicy(allow=tuple(all_))),
    retention=st.none() | st.just(timedelta(days=1000)),
    partition=st.sampled_from(["day", "hour"]),
    sampling=st.floats(1e-9, 1),
    owner=words,
    runbook=words,
    description=words,
    source=sources,
)


@given(streams)
@settings(max_examples=25, deadline=None)
def test_what_is_written_is_read_again(stream: declaration.Stream) -> None:
    """The canonical text says everything, and writing it again changes nothing."""
    text = yaml_file.to_yaml(stream)
    assert yaml_file.read(text) == stream
    assert yaml_file.to_yaml(yaml_file.read(text)) == text


def test_the_example_lints_clean_and_its_commented_part_works_too() -> None:
    """`calibrant init` writes a file that is right, and the table source in its comments is right as well."""
    text = template.example("my-stream")
    assert yaml_file.lint(text) == ()
    assert yaml_file.read(text).name == "my-stream"
    start = text.index("    type: managed")
    lines = text[start:].splitlines()[1:]
    table = "\n".join("    " + line.strip().removeprefix("# ") for line in lines).replace(
        "    columns:", "    columns:"
    )  # fmt: skip
    table = table.replace("    predictions.", "      predictions.").replace("    labels.", "      labels.")
    stream = yaml_file.read(text[:start] + table + "\n")
    assert isinstance(stream.source, declaration.TableSource)
    assert stream.source.columns["predictions.score"] == "p_fraud"


@pytest.mark.parametrize("name", ["", "A", "a/b", "x" * 64, "a\n"])
def test_an_example_with_a_bad_name_is_refused(name: str) -> None:
    """Before a file of that name is written."""
    with pytest.raises(errors.UsageError, match="CAL-801"):
        template.example(name)
