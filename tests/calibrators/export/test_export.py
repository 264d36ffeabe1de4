"""Every export of every map equals the map, run in the engine it is for; what is wrong is refused."""

from __future__ import annotations

import ast
import json
import math
import subprocess
import sys
from typing import Any

import duckdb
import numpy as np
import onnx
import onnxruntime
import pytest

from calibrant import errors
from calibrant.calibrators import by_cohort, codec, identity, linear, logistic, quantile, scales, steps
from calibrant.calibrators import export as exports
from calibrant.calibrators.export import formula, proof, python, sql
from calibrant.calibrators.export import onnx as onnx_export

DOCUMENT = codec.Document(logistic.Platt(1.3, 0.2), codec.Threshold(0.37, "costs"))


def loaded(text: str) -> dict[str, Any]:
    """The names that an exported module defines."""
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(text, "exported.py", "exec"), names)
    return names


def answers(expression: str, scores: list[float | None]) -> list[float | None]:
    """What DuckDB says of a column of scores."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE t (i INTEGER, score DOUBLE)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(scores)))
        return [row[0] for row in connection.execute(f"SELECT ({expression}) FROM t ORDER BY i").fetchall()]


@pytest.mark.parametrize("to", ["python", "sql", "onnx"])
def test_export_equals_the_map(exportable_map: Any, to: exports.Target) -> None:
    """Proved on its own telling scores: closer than 1e-13, on over 500 of them, in a named engine."""
    document = codec.Document(exportable_map)
    if to == "sql" and proof.class_count(exportable_map):
        with pytest.raises(errors.UsageError) as caught:
            exports.export(document, to=to)
        assert caught.value.code == "CAL-432"
        return
    found = exports.export(document, to=to)
    assert found.proof.largest_difference < 1e-13
    assert found.proof.points > 500
    assert found.proof.engine in ("CPython", "duckdb", "onnxruntime")
    assert found.suffix == {"python": ".py", "sql": ".sql", "onnx": ".onnx"}[to]
    assert exports.export(document, to=to).content == found.content


def test_onnx_on_every_scale(binary_map: Any) -> None:
    """ONNX, whose sums are the least like numpy's, stays within its bound on every scale."""
    assert exports.export(codec.Document(binary_map), to="onnx").proof.largest_difference < 1e-13


@pytest.mark.parametrize("to", ["python", "sql"])
def test_texts_on_other_scales(to: exports.Target) -> None:
    """Steps, straight lines and curves on log-odds: their jumps come at the very same scores."""
    knots, values = (0.0, 0.1, 0.25, 0.5, 0.9), (0.0, 0.01, 0.2, 0.7, 1.0)
    for scale in (scales.Scale("percent"), scales.Scale("logit"), scales.Scale("unbounded", 3.0, 2.0)):
        for map_ in (steps.Isotonic(knots, values, scale), linear.CenteredIsotonic(knots, values, scale)):
            assert exports.export(codec.Document(map_), to=to).proof.largest_difference < 1e-13


def test_raw_edges_are_the_first_scores_that_reach() -> None:
    """The score itself reaches the threshold, the double before it does not."""
    edges = (1e-300, 1e-12, 0.1, 0.5, 0.9, 1.0 - 1e-12, 1.0)
    for text in ("percent", "logit", "unbounded:-3,0.1"):
        scale = scales.Scale.parse(text)
        to_probability = identity.Identity(scale).apply
        raw = np.array(formula.raw_edges(scale, edges))
        assert np.all(to_probability(raw) >= edges)
        assert np.all(to_probability(np.nextafter(raw, -np.inf)) < edges)


def test_telling_scores() -> None:
    """Ends, tiny scores, and each step with both neighbours are among the scores of a proof."""
    found = set(proof.points(steps.Isotonic((0.0, 0.25, 0.5), (0.1, 0.2, 0.3))).tolist())
    assert {0.0, 5e-324, 1.0, 0.25, math.nextafter(0.25, 0.0), math.nextafter(0.25, 1.0), 0.5} <= found


@pytest.mark.parametrize("wrong", [1e-6, float("nan"), float("inf")])
def test_a_wrong_export_is_refused(wrong: float) -> None:
    """One wrong answer in two thousand is enough."""
    map_ = logistic.Platt(1.0, 0.5)

    def run(rows: proof.Rows) -> Any:
        found = map_.apply(rows.scores)
        found[777] += wrong
        return found

    with pytest.raises(errors.ArtifactError) as caught:
        proof.prove(map_, run, bound=1e-9, engine="broken", version="1")
    assert caught.value.code == "CAL-620"
    assert "broken" in caught.value.cause


def test_a_proof_sees_another_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a printer to print another map, each of the three exports would refuse."""
    other = formula.of(logistic.Platt(1.3, 0.2000001))
    monkeypatch.setattr(formula, "of", lambda _: other)
    monkeypatch.setattr(proof, "points", lambda _: np.linspace(0.0, 1.0, 101))
    for to in ("python", "sql", "onnx"):
        with pytest.raises(errors.ArtifactError) as caught:
            exports.export(DOCUMENT, to=to)  # type: ignore[arg-type]
        assert caught.value.code == "CAL-620"


# ---------------------------------------------------------------------------------- python


def test_python_file_needs_only_the_standard_library() -> None:
    """It imports math and bisect, defines calibrate and THRESHOLD, and states digest and proof."""
    found = exports.export(DOCUMENT, to="python")
    imported = {
        alias.name for node in ast.walk(ast.parse(found.text)) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {node.module for node in ast.walk(ast.parse(found.text)) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"math", "bisect"}
    names = loaded(found.text)
    assert names["THRESHOLD"] == 0.37
    assert codec.digest(DOCUMENT) in names["__doc__"]
    assert str(found.proof) in names["__doc__"]


def test_python_file_runs_alone() -> None:
    """As a person would use it: another interpreter, no packages."""
    text = exports.export(DOCUMENT, to="python").text
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", text + "\nprint(repr(calibrate(0.3)))"], capture_output=True, check=True
    )
    assert float(ran.stdout) == pytest.approx(float(logistic.Platt(1.3, 0.2).apply(0.3)), abs=1e-15)


def test_python_ends_and_missing() -> None:
    """NaN stays NaN, infinite log-odds are answered, scores off the scale raise."""
    calibrate = loaded(exports.export(DOCUMENT, to="python").text)["calibrate"]
    assert math.isnan(calibrate(float("nan")))
    for bad in (-0.1, 1.1, float("inf")):
        with pytest.raises(ValueError, match="outside"):
            calibrate(bad)
    map_ = logistic.Platt(2.0, 0.0, scales.Scale("logit"))
    calibrate = loaded(exports.export(codec.Document(map_), to="python").text)["calibrate"]
    assert calibrate(float("inf")) == float(map_.apply(float("inf")))


def test_python_by_cohort_checks_its_arguments(cohort_map: by_cohort.ByCohort) -> None:
    """One value per field; strangers get the pooled map."""
    names = loaded(exports.export(codec.Document(cohort_map), to="python").text)
    assert names["FIELDS"] == cohort_map.fields
    strangers = ["stranger"] * len(cohort_map.fields)
    assert names["calibrate"](0.3, *strangers) == pytest.approx(float(cohort_map.pooled.apply(0.3)), abs=1e-15)
    with pytest.raises(ValueError, match="cohort"):
        names["calibrate"](0.3)


def test_python_text_that_does_not_run_is_refused() -> None:
    """The last line of the interpreter's complaint is the cause."""
    with pytest.raises(errors.ArtifactError) as caught:
        python._run("def calibrate(score):\n    return 1.0 / 0.0\n", proof.Rows(np.array([0.5])))
    assert caught.value.code == "CAL-621"
    assert "ZeroDivisionError" in caught.value.cause


# ---------------------------------------------------------------------------------- sql


def test_sql_refuses_what_is_no_score() -> None:
    """NULL, NaN, infinities and scores off the scale give NULL, never a probability."""
    for map_ in (logistic.Platt(1.3, 0.2), steps.Isotonic((0.0, 0.5), (0.1, 0.9))):
        text = exports.export(codec.Document(map_), to="sql").text
        bad: list[float | None] = [None, float("nan"), float("inf"), -float("inf"), -1e-300, 1.0000000000000002]
        assert answers(text, bad) == [None] * 6
        assert answers(text, [0.0, 1.0]) == pytest.approx(map_.apply([0.0, 1.0]).tolist(), abs=1e-15)


def test_sql_states_digest_threshold_and_proof() -> None:
    """In comments above the expression."""
    found = exports.export(DOCUMENT, to="sql", dialect="bigquery", score="my score")
    comments = [line for line in found.text.splitlines() if line.startswith("--")]
    assert any(codec.digest(DOCUMENT) in line for line in comments)
    assert any("0.37" in line for line in comments)
    assert any(str(found.proof) in line for line in comments)
    assert any("bigquery" in line and "not run" in line for line in comments)
    assert "`my score`" in found.text


def test_sql_search_is_a_tree() -> None:
    """A thousand knots nest ten deep, not a thousand."""
    knots = tuple((np.arange(1000) / 1000.0).tolist())
    tree = sql.expression(steps.Isotonic(knots, knots))

    def depth(node: Any) -> int:
        inner = max((depth(child) for child in node.iter_expressions()), default=0)
        return inner + (node.key == "case")

    assert depth(tree) <= 12


def test_sql_columns_of_any_name() -> None:
    """Quotes and semicolons in the name of the score column stay a name."""
    name = 'sc"ore; DROP TABLE t; --'
    assert exports.export(DOCUMENT, to="sql", score=name).proof.points > 500


@pytest.mark.parametrize("dialect", ["mysql", "tsql"])
def test_sql_warns_of_engines_that_ignore_case(dialect: str, cohort_map: by_cohort.ByCohort) -> None:
    """Where 'us' = 'US', the file says so."""
    assert "without case" in exports.export(codec.Document(cohort_map), to="sql", dialect=dialect).text


def test_sql_unknown_dialect() -> None:
    """The known ones are listed."""
    with pytest.raises(errors.UsageError) as caught:
        exports.export(DOCUMENT, to="sql", dialect="klingon")
    assert caught.value.code == "CAL-434"
    assert "postgres" in caught.value.cause


def test_too_many_cohorts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each target has its limit and says what to do instead."""
    line = logistic.Platt(1.0, 0.0)
    many = by_cohort.ByCohort(("c",), line, tuple(((str(i),), line) for i in range(2001)))
    curves = by_cohort.ByCohort(("c",), line, tuple(((str(i),), steps.Isotonic((0.0,), (0.1,))) for i in range(70)))
    monkeypatch.setattr(python, "MOST_COHORTS", 2000)
    for map_, to, code in ((many, "python", "CAL-433"), (many, "sql", "CAL-435"), (curves, "onnx", "CAL-436")):
        with pytest.raises(errors.UsageError) as caught:
            exports.export(codec.Document(map_), to=to)  # type: ignore[arg-type]
        assert caught.value.code == code


def test_intervals_have_no_export() -> None:
    """A shift of intervals is not a map of one score."""
    for to in ("python", "sql", "onnx"):
        with pytest.raises(errors.UsageError) as caught:
            exports.export(codec.Document(quantile.ConformalShift(1.0, 2.0, 0.1)), to=to)  # type: ignore[arg-type]
        assert caught.value.code == "CAL-432"


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the packages the error names the extra."""
    for package, to, extra in (("sqlglot", "sql", "sql"), ("duckdb", "sql", "sql"), ("onnxruntime", "onnx", "onnx")):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            with pytest.raises(errors.MissingExtraError) as caught:
                exports.export(DOCUMENT, to=to)  # type: ignore[arg-type]
            assert f"calibrant[{extra}]" in caught.value.fix


# ---------------------------------------------------------------------------------- onnx


def test_onnx_model_states_its_origin() -> None:
    """Digest, kind, threshold and proof are in the metadata; the model passes the checker."""
    found = exports.export(DOCUMENT, to="onnx")
    model = onnx.load_from_string(found.content)
    onnx.checker.check_model(model, full_check=True)
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert about["calibrant.digest"] == codec.digest(DOCUMENT)
    assert about["calibrant.threshold"] == "0.37"
    assert json.loads(about["calibrant.proof"])["points"] == found.proof.points


def test_onnx_uses_no_control_flow(exportable_map: Any) -> None:
    """No loops, branches or scatter: other runtimes take it; no Gather either but by cohort and for mixing."""
    operators = {node.op_type for node in onnx_export.graph(exportable_map).graph.node}
    assert not operators & {"If", "Loop", "Scan", "ScatterND"}
    if not isinstance(exportable_map, by_cohort.ByCohort) and not getattr(exportable_map, "mixing", 0.0):
        assert "Gather" not in operators


def test_onnx_missing_and_infinite() -> None:
    """NaN stays NaN; infinite log-odds get the end of the map."""
    scale = scales.Scale("logit")
    for map_ in (logistic.Platt(1.0, 0.0, scale), steps.Isotonic((0.3,), (0.4,), scale)):
        found = exports.export(codec.Document(map_), to="onnx")
        session = onnxruntime.InferenceSession(found.content, providers=["CPUExecutionProvider"])
        scores = np.array([np.nan, np.inf, -np.inf])
        answer = session.run(None, {"score": scores})[0]
        assert np.isnan(answer[0])
        assert np.abs(answer[1:] - map_.apply(scores[1:])).max() < 1e-15
