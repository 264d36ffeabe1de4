"""Online Platt scaling: a line in log-odds that follows the labels from its anchor, inside an envelope.

``observe`` takes labels as they arrive and changes nothing that is served; ``advance`` ends a period (a day, say): it
forgets, makes one Newton step and keeps the step and the distance from the anchor within the envelope.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors
from calibrant.calibrators import identity, linear, logistic, scales
from calibrant.stats import pav
from calibrant.stats.sequential import arrivals, bets, packed
from calibrant.stats.sequential import line as lines

Floats = NDArray[np.float64]

SCHEMA = "calibrant.online/1"
#: The anchor is held to half a unit of log-odds: it is a fitted map, but of a time that is over.
PRECISION = (4.0, 4.0)
#: Rows that a band's correction is shrunk by.
SHRINKAGE = 200.0
#: Scores at which a corrected map is tabulated, evenly in log-odds; straight lines between them.
TABLE = scales.expit(np.linspace(-10.0, 10.0, 401))

Anchor = identity.Identity | logistic.Intercept | logistic.Platt | logistic.Temperature


@dataclass(frozen=True, slots=True)
class Envelope:
    """``step``: the largest change of slope or intercept in one period; ``slope``, ``intercept``: from the anchor."""

    step: float = 0.1
    slope: float = 0.5
    intercept: float = 1.0


@dataclass(frozen=True, eq=False, slots=True)
class OnlineState:
    """A line on its way.

    ``anchor`` and ``line`` are (intercept, slope) on log-odds, shape (2,); ``information`` (3,) says how firmly the
    line is known; ``gradient`` (2,) and ``curvature`` (3,) are the sums of the period under way. ``residuals`` and
    ``seen`` (bands,) are the sums of y - q and of the weights by band of the line's answer q; ``shifts`` the
    corrections that are served. ``left`` says that the line would be outside the envelope.
    """

    scale: scales.Scale
    envelope: Envelope
    calibeat: bool
    left: bool
    rows: int
    anchor: Floats
    line: Floats
    information: Floats
    gradient: Floats
    curvature: Floats
    shifts: Floats
    residuals: Floats
    seen: Floats

    @property
    def distance(self) -> tuple[float, float]:
        """How far intercept and slope are from the anchor's."""
        intercept, slope = (self.line - self.anchor).tolist()
        return intercept, slope

    def calibrator(self) -> logistic.Platt | linear.CenteredIsotonic:
        """The map to serve: the line, or with calibeating a table of it with its bands corrected, made to rise."""
        intercept, slope = self.line.tolist()
        map_ = logistic.Platt(slope, intercept, self.scale)
        if not self.calibeat:
            return map_
        q = _by_line(self.line, scales.logit(TABLE))
        corrected = np.clip(q + self.shifts[_band(q)], q / 2.0, (1.0 + q) / 2.0)
        values = np.clip(pav.pool(corrected, np.ones(len(q))).fitted, 0.0, 1.0)
        return linear.CenteredIsotonic(tuple(TABLE.tolist()), tuple(values.tolist()), self.scale)

    def to_dict(self) -> dict[str, Any]:
        """JSON values, exact to the bit."""
        flags = {"calibeat": int(self.calibeat), "left": int(self.left), "rows": self.rows}
        numbers = {**flags, **dataclasses.asdict(self.envelope)}
        arrays = {name: getattr(self, name) for name in SHAPES}
        return {"scale": str(self.scale), **packed.pack(SCHEMA, numbers, arrays)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """The state that ``to_dict`` wrote; UsageError CAL-468 for anything else."""
        written = dict(document)
        scale = written.pop("scale", None)
        if not isinstance(scale, str):
            raise packed.unreadable("it does not say on which scale its scores are")
        reader = packed.Reader(written, SCHEMA)
        envelope = Envelope(*(reader.number(name) for name in ("step", "slope", "intercept")))
        calibeat, left, rows = (int(reader.number(name)) for name in ("calibeat", "left", "rows"))
        arrays: dict[str, Any] = {name: reader.floats(name, size) for name, size in SHAPES.items()}
        reader.done()
        return cls(scales.Scale.parse(scale), envelope, bool(calibeat), bool(left), rows, **arrays)


SHAPES: Mapping[str, int] = {
    "anchor": 2,
    "line": 2,
    "information": 3,
    "gradient": 2,
    "curvature": 3,
    "shifts": bets.BANDS,
    "residuals": bets.BANDS,
    "seen": bets.BANDS,
}


def start(anchor: Anchor, *, envelope: Envelope = Envelope(), calibeat: bool = False) -> OnlineState:
    """At the anchor, the map that was promoted.

    Parameters
    ----------
    anchor
        The identity or a line in log-odds. Another map can be followed too: start at the identity, observe what that
        map answers instead of raw scores, and serve ``compose.after(map, slope=..., intercept=...)``.
    envelope
        How far it may move without being asked.
    calibeat
        Whether bands of the line's answers are corrected by their own mean residual.

    Raises
    ------
    UsageError
        CAL-499 for an envelope in which nothing could move.

    Examples
    --------
    >>> start(logistic.Platt(0.8, -0.2)).calibrator()
    Platt(slope=0.8, intercept=-0.2, scale=Scale(kind='probability', center=0.0, spread=1.0))
    """
    limits = (envelope.step, envelope.slope, envelope.intercept)
    if not all(0.0 < limit < math.inf for limit in limits):
        raise errors.UsageError(
            "CAL-499",
            "an online map cannot move in this envelope",
            cause=f"step, slope and intercept are {limits}",
            fix="give positive limits",
        )
    slope, intercept = (1.0, 0.0) if isinstance(anchor, identity.Identity) else (anchor.slope, anchor.intercept)
    at = np.array([intercept, slope])
    zeros: dict[str, Any] = {name: np.zeros(size) for name, size in SHAPES.items()}
    zeros |= {"anchor": at, "line": at.copy(), "information": _prior(at).information(1)[:, 0]}
    return OnlineState(anchor.scale, envelope, calibeat, False, 0, **zeros)


def observe(
    state: OnlineState, scores: ArrayLike, labels: ArrayLike, *, weights: ArrayLike | None = None
) -> OnlineState:
    """The state after more labels; the line is where it was, and the cut into batches makes no difference.

    Parameters
    ----------
    scores
        Shape (n,), raw scores in [0, 1] (``scale.to_probability`` of what came), as they were when predicted.
    labels
        Shape (n,), in [0, 1].
    weights
        Shape (n,), >= 0 and finite.
    """
    w = None if weights is None else np.asarray(weights, np.float64)
    heaviest = 1.0 if w is None or not len(w) else max(float(w.max()), 1.0)
    batch = arrivals.read(scores, labels, w, None, group_count=1, heaviest=heaviest)
    u = batch.weights * heaviest if w is None else w
    x = np.clip(scales.logit(batch.scores), -bets.FARTHEST, bets.FARTHEST)
    q = _by_line(state.line, x)
    residual, v = u * (batch.labels - q), u * q * (1.0 - q)
    band = _band(q)
    return dataclasses.replace(
        state,
        rows=state.rows + len(batch),
        gradient=_added(state.gradient, residual, residual * x),
        curvature=_added(state.curvature, v, v * x, v * x * x),
        residuals=_into(state.residuals, band, residual),
        seen=_into(state.seen, band, u),
    )


def advance(state: OnlineState, *, half_lives: float) -> OnlineState:
    """The state after the period that is under way: one Newton step, inside the envelope.

    Parameters
    ----------
    half_lives
        How long the period was, in half-lives of a label; >= 0.

    Notes
    -----
    With d = 2^-half_lives, H0 the precision of the anchor and sums over the period at the line that was served:
    H <- d H + (1 - d) H0 + sum q (1 - q) x x', line <- line + H^-1 (sum (y - q) x + (1 - d) H0 (anchor - line)).
    Online Newton steps as in online Platt scaling, but from the incumbent map instead of 0 and with a forgetting
    that gives the line back to its anchor when labels stop. Calibeating (Foster and Hart 2023): each band of answers
    is corrected by its own mean residual, shrunk by 200 rows.

    References
    ----------
    Gupta and Ramdas 2023, arXiv:2305.00070; Foster and Hart 2023, doi:10.3982/TE5330.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> p = rng.beta(2, 2, 5_000)
    >>> seen = observe(start(identity.Identity()), p, rng.random(5_000) < scales.expit(scales.logit(p) - 0.3))
    >>> moved = advance(seen, half_lives=0.1)
    >>> moved.distance[0], moved.left    # -0.3 is more than one step
    (-0.1, False)
    """
    kept = 0.5**half_lives
    line, information = lines.newton(
        state.line[:, None],
        state.information[:, None],
        gradient=state.gradient[:, None],
        curvature=state.curvature[:, None],
        prior=_prior(state.anchor),
        kept=kept,
    )
    limit = state.envelope
    wanted = state.line + np.clip(line[:, 0] - state.line, -limit.step, limit.step)
    reach = np.array([limit.intercept, limit.slope])
    inside = np.clip(wanted, state.anchor - reach, state.anchor + reach)
    # a line that falls would turn the ranking round: the slope stays positive in any envelope
    inside[1] = max(inside[1], min(state.anchor[1], limit.step) / 2.0)
    return dataclasses.replace(
        state,
        left=bool((np.abs(inside - wanted) > 0.0).any()),
        line=inside,
        information=information[:, 0],
        gradient=np.zeros(2),
        curvature=np.zeros(3),
        shifts=state.residuals / (state.seen + SHRINKAGE),
        residuals=state.residuals * kept,
        seen=state.seen * kept,
    )


def _prior(anchor: Floats) -> lines.Prior:
    intercept, slope = anchor.tolist()
    return lines.Prior((intercept, slope), PRECISION)


def _by_line(line: Floats, x: Floats) -> Floats:
    return scales.expit(np.asarray(line[0] + line[1] * x))


def _band(q: Floats) -> NDArray[np.int64]:
    return np.searchsorted(bets.EDGES, q, side="right").astype(np.int64)


def _added(sums: Floats, *terms: Floats) -> Floats:
    """Sums with terms added one after the other: the last bit does not depend on where batches end."""
    return np.array([np.cumsum(np.append(old, term))[-1] for old, term in zip(sums, terms, strict=True)])


def _into(sums: Floats, band: NDArray[np.int64], term: Floats) -> Floats:
    made = sums.copy()
    np.add.at(made, band, term)
    return made
