"""A map as one Python file that needs nothing but Python: ``calibrate(score)``."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import assert_never

import numpy as np

from calibrant import errors
from calibrant.calibrators import blocks, by_cohort, codec, kinds, multiclass, scales
from calibrant.calibrators.export import formula, proof

#: math.exp and math.log are right to one unit in the last place, as numpy's are; log-odds multiply that by up to
#: slope * 36, and the logistic function divides it by 4 again.
BOUND = 1e-12
#: One function per cohort: beyond this the file is a data base, not a program.
MOST_COHORTS = 10_000

_INTERPOLATE = '''
def _interpolate(x, knots, values):
    """Straight between (knot, value) pairs, constant outside."""
    i = bisect_right(knots, x)
    if i == 0:
        return values[0]
    if i == len(knots):
        return values[-1]
    slope = (values[i] - values[i - 1]) / (knots[i] - knots[i - 1])
    return min(slope * (x - knots[i - 1]) + values[i - 1], values[-1])
'''

_CUBIC = '''
def _cubic(x, knots, pieces):
    """Polynomials in x - origin, one per interval."""
    origin, constant, linear, quadratic, cubic = pieces[bisect_right(knots, x)]
    x -= origin
    return ((cubic * x + quadratic) * x + linear) * x + constant
'''

_SOFTMAX = """
def _log_softmax(z):
    top = max(z)
    total = math.log(math.fsum(math.exp(value - top) for value in z))
    return [value - top - total for value in z]
"""

#: Reads rows as JSON, answers as JSON; appended to the file only while it is being proved.
_HARNESS = """
import json, sys
print(json.dumps([calibrate(*row) for row in json.load(sys.stdin)]))
"""


def export(document: codec.Document) -> proof.Exported:
    """The module's text, proved by running it in an isolated interpreter without any package."""
    body = _body(document.calibrator)
    found = proof.prove(
        document.calibrator,
        lambda rows: _run(body, rows),
        bound=BOUND,
        engine=platform.python_implementation(),
        version=platform.python_version(),
    )
    threshold = "" if document.threshold is None else f"\nTHRESHOLD = {document.threshold.value!r}\n"
    head = "\n".join(proof.header(document, found))
    return proof.Exported(f'"""{head}\n"""\n{body}{threshold}'.encode(), ".py", found)


def _run(body: str, rows: proof.Rows) -> blocks.Floats:
    feed = [[score, *cohort] for score, *cohort in zip(rows.scores.tolist(), *rows.cohorts, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proved.py"
        path.write_text(body + _HARNESS, encoding="utf-8")
        ran = subprocess.run(  # noqa: S603  # our own interpreter on our own text
            [sys.executable, "-I", "-S", "-X", "utf8", str(path)],
            input=json.dumps(feed).encode(),
            capture_output=True,
            check=False,
        )
    if ran.returncode:
        raise errors.ArtifactError(
            "CAL-621",
            "the exported Python text does not run",
            cause=ran.stderr.decode(errors="replace").strip().splitlines()[-1],
            fix="use the JSON form with calibrant, and report the map as a defect",
        )
    return np.array(json.loads(ran.stdout), np.float64)


def _body(calibrator: kinds.Kind) -> str:
    if isinstance(calibrator, multiclass.MulticlassTemperature | multiclass.VectorScaling | multiclass.MatrixScaling):
        functions = _classes(calibrator)
    elif isinstance(calibrator, by_cohort.ByCohort):
        functions = _by_cohort(calibrator)
    else:
        functions = _Function(formula.of(calibrator)).text("calibrate")
    imports = [line for name, line in (("math.", "import math\n"), ("bisect", "from bisect import bisect_right\n"))
               if name in functions]  # fmt: skip
    helpers = [text for name, text in (("_interpolate(", _INTERPOLATE), ("_cubic(", _CUBIC)) if name in functions]
    needs_bisect = helpers and "bisect" not in functions
    return "".join([*imports, *(["from bisect import bisect_right\n"] if needs_bisect else []), *helpers]) + functions


class _Function:
    """Prints a formula as the statements of one function."""

    def __init__(self, found: formula.Formula) -> None:
        self.lines: list[str] = []
        self.constants: list[str] = []
        self.names: dict[formula.Node, str] = {}
        self.formula = found

    def text(self, name: str) -> str:
        result = self.name(self.formula.root)
        prefix = f"_{name.strip('_')}_".upper()
        low, high = (_literal(end) for end in (self.formula.low, self.formula.high))
        lines = [
            *(f"{prefix}{constant}" for constant in self.constants),
            "",
            "",
            f"def {name}(score):",
            "    if score != score:",
            "        return score",
            f"    if not {low} <= score <= {high}:",
            f'        raise ValueError("a score lies outside [{self.formula.low:g}, {self.formula.high:g}]")',
            *(f"    {line.replace('@', prefix)}" for line in self.lines),
            f"    return {result}",
        ]
        return "\n" + "\n".join(lines) + "\n"

    def name(self, node: formula.Node) -> str:
        if isinstance(node, formula.Score):
            return "score"
        if isinstance(node, formula.Number):
            return repr(node.value)
        if node not in self.names:
            expression = self.expression(node)
            self.names[node] = f"x{len(self.names)}"
            self.lines.append(f"{self.names[node]} = {expression}")
        return self.names[node]

    def constant(self, value: object) -> str:
        self.constants.append(f"{len(self.constants)} = {value!r}")
        return f"@{len(self.constants) - 1}"

    def expression(self, node: formula.Node) -> str:
        match node:
            case formula.Score() | formula.Number():
                return self.name(node)
            case formula.Add(left, right):
                return f"{self.name(left)} + {self.name(right)}"
            case formula.Subtract(left, right):
                return f"{self.name(left)} - {self.name(right)}"
            case formula.Multiply(left, right):
                return f"{self.name(left)} * {self.name(right)}"
            case formula.Divide(left, right):
                return f"{self.name(left)} / {self.name(right)}"
            case formula.Log(x):
                return f"math.log({self.name(x)})"
            case formula.Logistic(x):
                return f"1.0 / (1.0 + math.exp(-{self.name(x)}))"
            case formula.Clip(x, low, high):
                return f"min(max({self.name(x)}, {low!r}), {high!r})"
            case formula.Steps(x, edges, values):
                return f"{self.constant(values)}[bisect_right({self.constant(edges)}, {self.name(x)})]"
            case formula.Polyline(x, knots, values):
                return f"_interpolate({self.name(x)}, {self.constant(knots)}, {self.constant(values)})"
            case formula.Cubic(x, knots, pieces):
                return f"_cubic({self.name(x)}, {self.constant(knots)}, {self.constant(pieces)})"
            case _:
                assert_never(node)


def _literal(end: float) -> str:
    return repr(end) if np.isfinite(end) else f'float("{end}")'


def _by_cohort(calibrator: by_cohort.ByCohort) -> str:
    if len(calibrator.maps) > MOST_COHORTS:
        raise errors.UsageError(
            "CAL-433",
            f"{len(calibrator.maps)} cohorts are too many for a Python file",
            cause=f"the file would hold a function for each; the limit is {MOST_COHORTS}",
            fix="apply the JSON form with calibrant, or export the maps of single cohorts",
        )
    functions = [_Function(formula.of(calibrator.pooled)).text("_pooled")]
    functions += [_Function(formula.of(member)).text(f"_cohort_{i}") for i, (_, member) in enumerate(calibrator.maps)]
    rows = [f"    {key!a}: _cohort_{i},\n" for i, (key, _) in enumerate(calibrator.maps)]
    names = ascii(calibrator.fields)
    return "".join(functions) + (
        f"\n\n#: The columns that make up a cohort, in order.\nFIELDS = {names}\n_MAPS = {{\n{''.join(rows)}}}\n"
        "\n\ndef calibrate(score, *cohort):\n"
        '    """cohort: one text per field; an unknown cohort gets the pooled map."""\n'
        "    if len(cohort) != len(FIELDS):\n"
        '        raise ValueError("one cohort value per field is needed")\n'
        "    return _MAPS.get(cohort, _pooled)(score)\n"
    )


def _classes(
    calibrator: multiclass.MulticlassTemperature | multiclass.VectorScaling | multiclass.MatrixScaling,
) -> str:
    scale = calibrator.scale
    unit = "scores" if scale.kind == "logit" else (
        f"[math.log(max(score / {scale.range[1]!r}, {scales.EPSILON!r})) for score in scores]"
    )  # fmt: skip
    lines = [f"z = _log_softmax({unit})"]
    if calibrator.temperature != 1.0:
        lines += [f"z = _log_softmax([value / {calibrator.temperature!r} for value in z])"]
    if calibrator.mixing != 0.0:
        share = f"{1.0 - calibrator.mixing!r} * math.exp(value) + {calibrator.mixing!r} / len(z)"
        lines += [f"z = [math.log({share}) for value in z]"]
    match calibrator:
        case multiclass.MulticlassTemperature():
            pass
        case multiclass.VectorScaling(weights, biases):
            lines += [f"weights = {weights!r}", f"biases = {biases!r}"]
            lines += ["z = [value * weight + bias for value, weight, bias in zip(z, weights, biases)]"]
        case multiclass.MatrixScaling(matrix, biases):
            lines += [f"matrix = {matrix!r}", f"biases = {biases!r}"]
            lines += ["z = [sum(m * value for m, value in zip(row, z)) + bias for row, bias in zip(matrix, biases)]"]
        case _:
            assert_never(calibrator)
    guard = [] if isinstance(calibrator, multiclass.MulticlassTemperature) else [
        f"if len(scores) != {len(calibrator.biases)}:",
        f'    raise ValueError("{len(calibrator.biases)} class scores are needed")',
    ]  # fmt: skip
    body = "\n".join(
        f"    {line}" for line in [*guard, *lines, "return [math.exp(value) for value in _log_softmax(z)]"]
    )
    return _SOFTMAX + f"\n\ndef calibrate(scores):\n{body}\n"
