"""A map as an ONNX graph in double precision: no loops and no branches, so that any runtime takes it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

import numpy as np

from calibrant import errors
from calibrant.calibrators import blocks, by_cohort, codec, kinds, logistic, multiclass, scales
from calibrant.calibrators.export import formula, proof

if TYPE_CHECKING:
    import onnx

#: Doubles throughout; sums over K knots round K times, each time by 1e-16.
BOUND = 1e-12
OPSET, OPSET_ML, IR = 17, 4, 8
#: Maps that are not lines in log-odds are all computed for every row.
MOST_COHORTS = 64

ByClass: TypeAlias = multiclass.MulticlassTemperature | multiclass.VectorScaling | multiclass.MatrixScaling


def export(document: codec.Document) -> proof.Exported:
    """The serialised model; digest, threshold and proof are in its metadata.

    Input ``score`` (N) doubles, by cohort also ``cohort_0`` ... (N) texts in the order of the fields; multiclass
    ``scores`` (N, K). Output ``calibrated``. Memory is N times the number of knots: send large files in batches.
    """
    _demand_packages()
    model = graph(document.calibrator)
    found = prove(document.calibrator, model)
    about = {"calibrant.digest": codec.digest(document), "calibrant.kind": document.calibrator.kind}
    about |= {"calibrant.proof": found.to_json()}
    if document.threshold is not None:
        about |= {"calibrant.threshold": repr(document.threshold.value)}
    if isinstance(document.calibrator, by_cohort.ByCohort):
        about |= {"calibrant.fields": json.dumps(document.calibrator.fields)}
    for key, value in sorted(about.items()):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    return proof.Exported(model.SerializeToString(deterministic=True), ".onnx", found)


def prove(calibrator: kinds.Kind, model: onnx.ModelProto) -> proof.Proof:
    """Run the model in onnxruntime on every telling score."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def run(rows: proof.Rows) -> blocks.Floats:
        answers = []
        for start in range(0, len(rows.scores), 4096):
            part = slice(start, start + 4096)
            columns = [np.array(column[part], object) for column in rows.cohorts]
            feeds = dict(
                zip([found.name for found in session.get_inputs()], [rows.scores[part], *columns], strict=True)
            )
            answers.append(session.run(["calibrated"], feeds)[0])
        return np.concatenate(answers)

    version = onnxruntime.__version__
    return proof.prove(calibrator, run, bound=BOUND, engine="onnxruntime", version=version)


def graph(calibrator: kinds.Kind) -> onnx.ModelProto:
    """The model without metadata."""
    from onnx import TensorProto, checker, helper

    build = _Graph()
    name = "score"
    shape: list[str | int] = ["N"]
    if isinstance(calibrator, ByClass):
        classes = "K" if isinstance(calibrator, multiclass.MulticlassTemperature) else len(calibrator.biases)
        name, shape = "scores", ["N", classes]
        build.many_classes(calibrator)
    else:
        build.one_score(calibrator)
    fields = calibrator.fields if isinstance(calibrator, by_cohort.ByCohort) else ()
    inputs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, shape)]
    inputs += [helper.make_tensor_value_info(f"cohort_{i}", TensorProto.STRING, ["N"]) for i in range(len(fields))]
    outputs = [helper.make_tensor_value_info("calibrated", TensorProto.DOUBLE, shape)]
    built = helper.make_graph(build.nodes, "calibrator", inputs, outputs, build.constants)
    opsets = [helper.make_opsetid("", OPSET)] + ([helper.make_opsetid("ai.onnx.ml", OPSET_ML)] if fields else [])
    model = helper.make_model(built, opset_imports=opsets, ir_version=IR, producer_name="calibrant")
    checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Collects nodes and constants; values are named by number. Scores are columns of shape (N, 1)."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.done: dict[formula.Node, str] = {}

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Any, dtype: type[Any] = np.float64) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    # -------------------------------------------------------------------------------- one score

    def one_score(self, calibrator: kinds.Kind) -> None:
        column = self.add("Unsqueeze", "score", self.constant([1], np.int64))
        self.done[formula.Score()] = column
        if isinstance(calibrator, by_cohort.ByCohort):
            answer = self.per_cohort(calibrator)
        else:
            answer = self.value(formula.of(calibrator).root)
        # Min, Max and Less do not agree across runtimes on NaN: say it
        answer = self.add("Where", self.add("IsNaN", column), column, answer)
        self.add("Squeeze", answer, self.constant([1], np.int64), output="calibrated")

    def value(self, node: formula.Node) -> str:
        if node not in self.done:
            self.done[node] = self.compute(node)
        return self.done[node]

    def compute(self, node: formula.Node) -> str:
        match node:
            case formula.Score():
                raise AssertionError("the score is there from the start")
            case formula.Number(value):
                return self.constant([[value]])
            case formula.Add(left, right):
                return self.add("Add", self.value(left), self.value(right))
            case formula.Subtract(left, right):
                return self.add("Sub", self.value(left), self.value(right))
            case formula.Multiply(left, right):
                return self.add("Mul", self.value(left), self.value(right))
            case formula.Divide(left, right):
                return self.add("Div", self.value(left), self.value(right))
            case formula.Log(x):
                return self.add("Log", self.value(x))
            case formula.Logistic(x):
                return self.logistic(self.value(x))
            case formula.Clip(x, low, high):
                return self.clip(self.value(x), low, high)
            case formula.Steps(x, edges, values):
                return self.steps(self.value(x), edges, values)
            case formula.Polyline(x, knots, values):
                return self.polyline(self.value(x), knots, values)
            case formula.Cubic(x, knots, pieces):
                return self.cubic(self.value(x), knots, pieces)
            case _:
                assert_never(node)

    def logistic(self, x: str) -> str:
        """Not Sigmoid: onnxruntime's is right to 1e-16 absolutely, which leaves few digits of a rare event's score."""
        odds = self.add("Exp", self.add("Neg", x))
        return self.add("Reciprocal", self.add("Add", odds, self.constant([[1.0]])))

    def clip(self, x: str, low: float, high: float) -> str:
        return self.add("Clip", x, self.constant(low), self.constant(high))

    def steps(self, x: str, edges: Sequence[float], values: Sequence[float]) -> str:
        """The first value plus the jumps of all edges <= x; the sum is rounded, so it is kept within the values."""
        if not edges:
            return self.clip(x, values[0], values[0])
        passed = self.add("Cast", self.add("GreaterOrEqual", x, self.constant([edges])), to=11)
        jumps = self.constant(np.diff(values)[:, None])
        total = self.add("Add", self.add("MatMul", passed, jumps), self.constant([[values[0]]]))
        return self.clip(total, values[0], values[-1])

    def covered(self, x: str, knots: Sequence[float]) -> str:
        """How much of each interval between knots lies below x: min(max(x - knot, 0), width), shape (N, K - 1)."""
        run = self.add("Max", self.add("Sub", x, self.constant([knots[:-1]])), self.constant([[0.0]]))
        return self.add("Min", run, self.constant([np.diff(knots)]))

    def polyline(self, x: str, knots: Sequence[float], values: Sequence[float]) -> str:
        if len(knots) == 1:
            return self.steps(x, (), values)
        slopes = self.constant((np.diff(values) / np.diff(knots))[:, None])
        total = self.add("MatMul", self.covered(x, knots), slopes)
        total = self.add("Add", total, self.constant([[values[0]]]))
        return self.clip(total, min(values), max(values))

    def cubic(self, x: str, knots: Sequence[float], pieces: Sequence[tuple[float, ...]]) -> str:
        """Every piece contributes its own rise over what is covered of it; the ends go on as lines."""
        t = self.covered(x, knots)
        inner = np.array(pieces[1:-1])[:, 2:]
        square = self.add("Mul", t, t)
        total = self.constant([[pieces[0][1]]])
        for power, column in ((t, 0), (square, 1), (self.add("Mul", square, t), 2)):
            total = self.add("Add", total, self.add("MatMul", power, self.constant(inner[:, [column]])))
        for beyond, knot, slope in (("Min", knots[0], pieces[0][2]), ("Max", knots[-1], pieces[-1][2])):
            run = self.add(beyond, self.add("Sub", x, self.constant([[knot]])), self.constant([[0.0]]))
            total = self.add("Add", total, self.add("Mul", run, self.constant([[slope]])))
        return total

    # -------------------------------------------------------------------------------- by cohort

    def per_cohort(self, calibrator: by_cohort.ByCohort) -> str:
        members = [*(member for _, member in calibrator.maps), calibrator.pooled]
        which = self.cohort_number(calibrator)
        lines: list[logistic.Line] = [member for member in members if isinstance(member, by_cohort.LINES)]
        if len(lines) == len(members):
            slopes = self.add("Gather", self.constant([[line.slope] for line in lines]), which)
            intercepts = self.add("Gather", self.constant([[line.intercept] for line in lines]), which)
            x = self.add("Mul", self.value(formula.log_odds(calibrator.scale)), slopes)
            return self.logistic(self.add("Add", x, intercepts))
        if len(members) > MOST_COHORTS:
            raise errors.UsageError(
                "CAL-436",
                f"{len(members) - 1} cohorts with maps of this kind are too many for ONNX",
                cause=f"maps other than lines in log-odds are all computed for every row; the limit is {MOST_COHORTS}",
                fix="export one cohort's map (ByCohort.of), or fit Platt maps by cohort",
            )
        answers = self.add("Concat", *(self.value(formula.of(member).root) for member in members), axis=1)
        column = self.add("Unsqueeze", which, self.constant([1], np.int64))
        return self.add("GatherElements", answers, column, axis=1)

    def cohort_number(self, calibrator: by_cohort.ByCohort) -> str:
        """Shape (N): the number of each row's map, the pooled one last."""
        keys = [key for key, _ in calibrator.maps]
        if not keys:
            shape = self.add("Shape", "score")
            return self.add("Expand", self.constant([0], np.int64), shape)
        places = [{value: i for i, value in enumerate(sorted(set(column)))} for column in zip(*keys, strict=True)]
        strides = [math.prod(len(place) + 1 for place in places[i + 1 :]) for i in range(len(places))]
        if strides[0] * (len(places[0]) + 1) > 2**62:
            raise errors.UsageError(
                "CAL-437",
                "the cohorts have too many combinations for ONNX",
                cause="the numbers of values of all fields multiply to more than 2^62",
                fix="export one cohort's map (ByCohort.of), or fit fewer fields",
            )
        total = ""
        for i, (place, stride) in enumerate(zip(places, strides, strict=True)):
            codes = {"keys_strings": list(place), "values_int64s": [code * stride for code in place.values()]}
            code = self.encoder(f"cohort_{i}", codes, len(place) * stride)
            total = self.add("Add", total, code) if total else code
        names = [sum(place[v] * s for v, place, s in zip(key, places, strides, strict=True)) for key in keys]
        return self.encoder(total, {"keys_int64s": names, "values_int64s": list(range(len(keys)))}, len(keys))

    def encoder(self, x: str, table: dict[str, Any], default: int) -> str:
        return self.add("LabelEncoder", x, domain="ai.onnx.ml", default_int64=default, **table)

    # -------------------------------------------------------------------------------- many classes

    def many_classes(self, calibrator: ByClass) -> None:
        scale = calibrator.scale
        z = "scores"
        if scale.kind != "logit":
            share = self.add("Div", z, self.constant(scale.range[1])) if scale.kind == "percent" else z
            z = self.add("Log", self.add("Max", share, self.constant(scales.EPSILON)))
        z = self.add("LogSoftmax", z, axis=-1)
        if calibrator.temperature != 1.0:
            z = self.add("LogSoftmax", self.add("Div", z, self.constant(calibrator.temperature)), axis=-1)
        if calibrator.mixing != 0.0:
            z = self.mixed(z, calibrator.mixing)
        match calibrator:
            case multiclass.MulticlassTemperature():
                pass
            case multiclass.VectorScaling(weights, biases):
                z = self.add("Add", self.add("Mul", z, self.constant([weights])), self.constant([biases]))
            case multiclass.MatrixScaling(matrix, biases):
                product = self.add("MatMul", z, self.constant(np.array(matrix).T))
                z = self.add("Add", product, self.constant([biases]))
            case _:
                assert_never(calibrator)
        self.add("Softmax", z, axis=-1, output="calibrated")

    def mixed(self, z: str, mixing: float) -> str:
        """log((1 - mixing) exp(z) + mixing / K), K read off the shape."""
        count = self.add("Gather", self.add("Shape", "scores"), self.constant(1, np.int64))
        level = self.add("Div", self.constant(mixing), self.add("Cast", count, to=11))
        kept = self.add("Mul", self.add("Exp", z), self.constant(1.0 - mixing))
        return self.add("Log", self.add("Add", kept, level))


def _demand_packages() -> None:
    try:
        import onnx
        import onnxruntime
    except ImportError:
        raise errors.MissingExtraError.of("onnx", needed_for="export to ONNX") from None
    del onnx, onnxruntime
