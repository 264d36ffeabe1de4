"""The proof of an export: the other engine's answers beside ``apply``, on the scores where they might differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

from calibrant import errors
from calibrant.calibrators import blocks, by_cohort, codec, kinds, scales
from calibrant.calibrators.export import formula

#: Rows of a proof: scores are thinned when there are many cohorts.
MOST_ROWS = 400_000


@dataclass(frozen=True, slots=True)
class Proof:
    """The largest difference between the export and ``apply``, seen on ``points`` rows in an engine.

    Absolute for probabilities; for measurements in units of the largest answer.
    """

    largest_difference: float
    bound: float
    points: int
    engine: str
    version: str

    def __str__(self) -> str:
        return (
            f"largest difference {self.largest_difference:.3g} (allowed {self.bound:g}) "
            f"on {self.points} scores in {self.engine} {self.version}"
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Exported:
    """What to write to a file, the file's suffix, and the proof (which the content repeats)."""

    content: bytes
    suffix: str
    proof: Proof

    @property
    def text(self) -> str:
        """The content of a Python or SQL export."""
        return self.content.decode()


@dataclass(frozen=True, slots=True)
class Rows:
    """Scores, shape (n,) or (n, K), and one tuple of cohort columns, each of n texts (no columns: no cohorts)."""

    scores: blocks.Floats
    cohorts: tuple[tuple[str, ...], ...] = ()


Runner: TypeAlias = Callable[[Rows], blocks.Floats]


def prove(calibrator: kinds.Kind, run: Runner, *, bound: float, engine: str, version: str) -> Proof:
    """Run an export beside ``apply``; ArtifactError when they differ by more than ``bound`` anywhere.

    Probabilities differ absolutely; answers of measurement maps in units of the largest answer, if that exceeds 1.
    """
    rows = rows_for(calibrator)
    wanted = expected(calibrator, rows)
    found = np.asarray(run(rows), np.float64)
    if found.shape != wanted.shape:
        raise AssertionError(f"the export answered {found.shape}, not {wanted.shape}")
    difference = np.abs(found - wanted) / max(1.0, float(np.abs(wanted).max()))
    largest = float(difference.max()) if np.isfinite(difference).all() else float("inf")
    if largest > bound:
        raise errors.ArtifactError(
            "CAL-620",
            f"the export of this {calibrator.kind} map is not equal to the map",
            cause=f"in {engine} {version} an answer differs by {largest:.3g}, allowed is {bound:g}",
            fix="do not use this export; apply the JSON form with calibrant, and report the map as a defect",
        )
    return Proof(largest, bound, len(wanted), engine, version)


def expected(calibrator: kinds.Kind, rows: Rows) -> blocks.Floats:
    """What the map itself says."""
    if isinstance(calibrator, by_cohort.ByCohort):
        return calibrator.apply(rows.scores, [np.array(column, object) for column in rows.cohorts])
    return calibrator.apply(rows.scores)


def rows_for(calibrator: kinds.Kind) -> Rows:
    """Scores where an export might go wrong; each with every cohort and with one that is unknown."""
    if isinstance(calibrator, by_cohort.ByCohort):
        return _rows_by_cohort(calibrator)
    classes = class_count(calibrator)
    return Rows(_class_scores(calibrator, classes)) if classes else Rows(points(calibrator))


def points(calibrator: kinds.Kind) -> blocks.Floats:
    """A dense grid of raw scores, the ends, tiny ones, and every knot with both neighbours; sorted, distinct."""
    found = formula.of(calibrator)
    marks = np.array(_marks(found.root))
    scale = getattr(calibrator, "scale", None)
    grid = np.concatenate([_grid(scale, marks), marks, np.nextafter(marks, -np.inf), np.nextafter(marks, np.inf)])
    grid = grid[np.isfinite(grid) & (grid >= found.low) & (grid <= found.high)]
    return np.unique(grid + 0.0)


def _grid(scale: scales.Scale | None, marks: blocks.Floats) -> blocks.Floats:
    if scale is None:
        low, high = (marks.min(), marks.max()) if len(marks) else (-1.0, 1.0)
        return np.concatenate([np.linspace(low - 1.0, high + 1.0, 2001), np.linspace(-1e3, 1e3, 201), [0.0]])
    match scale.kind:
        case "probability" | "percent":
            tails = 10.0 ** np.linspace(-17.0, 0.0, 401)
            unit = np.concatenate([np.linspace(0.0, 1.0, 1001), tails, 1.0 - tails, [5e-324, 1e-300]])
            return unit * scale.range[1]
        case "logit" | "unbounded":
            odds = np.concatenate([np.linspace(-45.0, 45.0, 1801), [-1e300, -1e3, -710.0, 710.0, 1e3, 1e300]])
            with np.errstate(over="ignore"):
                return scale.center + scale.spread * odds


def _marks(node: formula.Node) -> tuple[float, ...]:
    """Raw scores at which the formula changes: exact for steps, which are written in raw scores."""
    match node:
        case formula.Steps(formula.Score(), edges, _):
            return edges
        case formula.Polyline(formula.Score(), knots, _):
            return knots
        case formula.Polyline(formula.Divide(formula.Score(), formula.Number(unit)), knots, _):
            return tuple(knot * unit for knot in knots)
        case _:
            return ()


def _rows_by_cohort(calibrator: by_cohort.ByCohort) -> Rows:
    keys = [key for key, _ in calibrator.maps]
    stranger = "unknown"
    while any(stranger in key for key in keys):
        stranger += "_"
    keys += [(stranger,) * len(calibrator.fields)]
    each = max(1, MOST_ROWS // len(keys))
    scores, columns = [], []
    for key in keys:
        own = points(calibrator.of(key))
        # thin evenly, ends kept
        own = own[np.unique(np.linspace(0, len(own) - 1, min(each, len(own))).astype(int))]
        scores.append(own)
        columns += [key] * len(own)
    return Rows(np.concatenate(scores), tuple(zip(*columns, strict=True)))


def class_count(calibrator: kinds.Kind) -> int:
    """Classes of a multiclass map; 3 for temperature scaling, which fits any number; 0 for all other maps."""
    if calibrator.kind == "multiclass_temperature":
        return 3
    biases = getattr(calibrator, "biases", ())
    return len(biases)


def _class_scores(calibrator: Any, classes: int) -> blocks.Floats:
    """Rows that lean to every class, from level to certain."""
    rng = np.random.default_rng(20_260_101)
    logits = rng.normal(size=(2000, classes)) * rng.choice([0.1, 1.0, 5.0, 20.0], size=(2000, 1))
    if calibrator.scale.kind == "logit":
        return np.vstack([logits, np.zeros((1, classes))])
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return np.asarray(np.vstack([shares, np.eye(classes)]) * calibrator.scale.range[1])


def header(document: codec.Document, proof: Proof | None, *notes: str) -> list[str]:
    """What an exported text says about itself: only names from a fixed set, numbers and digests."""
    lines = [f"Calibrated score: {document.calibrator.kind} map, written by calibrant; do not edit."]
    lines += [f"Document: {codec.digest(document)}"]
    if document.threshold is not None:
        lines += [f"Threshold: act when the calibrated score is >= {document.threshold.value!r}"]
    return lines + ([f"Proof: {proof}"] if proof else []) + list(notes)
