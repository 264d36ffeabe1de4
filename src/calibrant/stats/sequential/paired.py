"""Which of two maps loses less? A comparison on every row, which may be looked at after every row.

Both maps can be applied to the same raw scores, so a row yields a difference d = loss(incumbent) - loss(candidate),
positive where the candidate is better. The mean difference has an interval that holds at all times at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors
from calibrant.stats.sequential import arrivals, mixtures, packed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCHEMA = "calibrant.paired/1"
#: ``passed``: not worse than the margin allows. ``failed``: worse. ``undecided``: neither is shown yet.
Verdict = Literal["passed", "failed", "undecided"]


@dataclass(frozen=True, eq=False, slots=True)
class PairedState:
    """Sums of the differences of g groups: ``rows``, ``total`` (sum d) and ``squares`` (sum d^2), each (g,).

    ``margin``, ``bound`` and ``spread`` are in the unit of the loss; ``alpha`` is that of each side.
    """

    margin: float
    alpha: float
    bound: float
    spread: float
    rows: Ints
    total: Floats
    squares: Floats

    @property
    def groups(self) -> int:
        return len(self.rows)

    @property
    def rho(self) -> float:
        """Tightest at the rows that a decision at gain 0 will take, by the normal approximation; at least 100."""
        need = max(2.0 * np.log(1.0 / self.alpha) * (self.spread / self.margin) ** 2, 100.0)
        return mixtures.best_rho(need * self.spread**2, alpha=self.alpha)

    @property
    def means(self) -> Floats:
        """Mean differences; NaN without rows."""
        return _divide(self.total, self.rows)

    @property
    def deviations(self) -> Floats:
        """Standard deviations of the differences; NaN without rows."""
        return np.sqrt(np.maximum(_divide(self.squares, self.rows) - self.means**2, 0.0))

    @property
    def low(self) -> Floats:
        """The mean difference is above this at all times with probability 1 - alpha; -bound without rows."""
        return self._ends(-1.0)

    @property
    def high(self) -> Floats:
        """The mean difference is below this at all times with probability 1 - alpha; bound without rows."""
        return self._ends(1.0)

    @property
    def log_e_not_worse(self) -> Floats:
        """Evidence, as log e-value, against "the candidate is worse by the margin or more"."""
        return self._evidence(1.0)

    @property
    def log_e_worse(self) -> Floats:
        """Evidence against "the candidate is worse by the margin at most"."""
        return self._evidence(-1.0)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """One for each group: passed or failed as soon as the whole interval is on one side of -margin."""
        goal = -np.log(self.alpha)
        passed, failed = self.log_e_not_worse >= goal, self.log_e_worse >= goal
        return tuple(
            "passed" if good else "failed" if bad else "undecided" for good, bad in zip(passed, failed, strict=True)
        )

    @property
    def better(self) -> NDArray[np.bool_]:
        """Where the candidate gains, whatever the margin: the lower end of the interval is above 0."""
        return self.low > 0.0

    def expected_rows(self, gain: float, deviation: float) -> float:
        """Rows in all until ``passed``, see ``expected_rows``."""
        return expected_rows(
            gain, deviation, margin=self.margin, alpha=self.alpha, bound=self.bound, spread=self.spread
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON values, exact to the bit."""
        numbers = {name: getattr(self, name) for name in NUMBERS}
        arrays = {"rows": self.rows, "total": self.total, "squares": self.squares}
        return packed.pack(SCHEMA, {"groups": self.groups, **numbers}, arrays)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """The state that ``to_dict`` wrote; UsageError CAL-468 for anything else."""
        reader = packed.Reader(document, SCHEMA)
        groups = int(reader.number("groups"))
        margin, alpha, bound, spread = (reader.number(name) for name in NUMBERS)
        rows = reader.ints("rows", groups)
        total, squares = reader.floats("total", groups), reader.floats("squares", groups)
        reader.done()
        return cls(margin, alpha, bound, spread, rows, total, squares)

    def _evidence(self, sign: float) -> Floats:
        away = self.total + self.rows * self.margin
        return mixtures.log_wealth(sign * away, self.squares, bound=self.bound, rho=self.rho)

    def _ends(self, sign: float) -> Floats:
        width = mixtures.boundary(self.squares, alpha=self.alpha, bound=self.bound, rho=self.rho)
        ends = _divide(self.total + sign * width, self.rows)
        return np.clip(np.where(self.rows > 0, ends, sign * self.bound), -self.bound, self.bound)


NUMBERS = ("margin", "alpha", "bound", "spread")


def start(
    *, margin: float, alpha: float = 0.05, bound: float, spread: float | None = None, groups: int = 1
) -> PairedState:
    """Nothing seen yet.

    Parameters
    ----------
    margin
        How much worse the candidate may be per row, in the unit of the loss; positive.
    alpha
        The chance that a candidate worse than that passes, and that one which is not fails; in (0, 0.5).
    bound
        No difference is beyond it: known from the maps before any row, see ``losses.bound``.
    spread
        The standard deviation of a difference as far as it is known beforehand, from the rows of the fit for
        example; only how long it takes depends on it. A tenth of the bound by default.
    groups
        How many groups are compared side by side, each at alpha.

    Raises
    ------
    UsageError
        CAL-469 for numbers outside these ranges.

    Examples
    --------
    >>> start(margin=0.002, bound=0.5).verdicts
    ('undecided',)
    """
    known = bound / 10.0 if spread is None else spread
    legal = (
        0.0 < margin < np.inf and 0.0 < bound < np.inf and 0.0 < alpha < 0.5 and 0.0 < known <= bound and groups >= 0
    )
    if not legal:
        raise errors.UsageError(
            "CAL-469",
            "these numbers do not make a paired comparison",
            cause=f"margin={margin}, alpha={alpha}, bound={bound}, spread={spread}, groups={groups}",
            fix="a margin and a bound above 0, alpha between 0 and 0.5, a spread of at most the bound",
        )
    return PairedState(margin, alpha, bound, known, np.zeros(groups, np.int64), np.zeros(groups), np.zeros(groups))


def update(state: PairedState, differences: ArrayLike, *, groups: ArrayLike | None = None) -> PairedState:
    """The state after more rows, to the bit the same however they are cut into batches.

    Parameters
    ----------
    state
        Is not changed.
    differences
        Shape (n,): loss(incumbent) - loss(candidate), in [-bound, bound], in the order in which labels arrived.
    groups
        Shape (n,), codes of the groups; may be left out if there is one.

    Raises
    ------
    ValueRangeError
        CAL-335 for a difference beyond the bound.
    UsageError
        CAL-444 for group codes that do not fit.

    Notes
    -----
    Each side is an e-process: the gamma-exponential mixture of sum (d + margin) given sum d^2 (empirical Bernstein:
    it adapts to the variance that is seen). What is judged is the average, over the rows so far, of the expected
    difference given all that arrived before; rows may depend on each other and the gain may move. With probability
    1 - 2 alpha (low, high) contains it at all times; with 1 - alpha nothing passes while it is -margin or less.

    References
    ----------
    Howard, Ramdas, McAuliffe and Sekhon 2021, doi:10.1214/20-AOS1991; Choe and Ramdas 2024,
    doi:10.1287/opre.2021.0792 (comparing forecasters sequentially).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> found = update(start(margin=0.002, bound=0.5), rng.normal(0.003, 0.05, 5_000))
    >>> found.verdicts, bool(found.low[0] > -0.002)
    (('passed',), True)
    """
    d = np.asarray(differences, np.float64)
    if d.ndim != 1:
        raise arrivals.misshapen(f"differences have the shape {d.shape}")
    if len(d) and not (np.abs(d) <= state.bound).all():
        raise errors.ValueRangeError(
            "CAL-335",
            f"a difference of losses is beyond the bound {state.bound:g}",
            cause=f"the largest is {np.abs(d).max():g}",
            fix="start with the bound that losses.bound finds for these two maps, and clip as it does",
        )
    codes = arrivals.codes(groups, len(d), state.groups)
    rows, total, squares = state.rows.copy(), state.total.copy(), state.squares.copy()
    # one addition after the other, so that the last bit does not depend on where batches end
    np.add.at(rows, codes, 1)
    np.add.at(total, codes, d)
    np.add.at(squares, codes, d * d)
    return dataclasses.replace(state, rows=rows, total=total, squares=squares)


def verdict(state: PairedState) -> Verdict:
    """That of the only group."""
    (only,) = state.verdicts
    return only


def expected_rows(
    gain: float, deviation: float, *, margin: float, alpha: float = 0.05, bound: float, spread: float | None = None
) -> float:
    """Rows until ``passed`` if the candidate gains so much per row; infinite if it is worse by the margin.

    Parameters
    ----------
    gain, deviation
        Mean and standard deviation of a difference, from the rows of the fit or those seen so far.

    Notes
    -----
    The n at which n (gain + margin) reaches the boundary at n (deviation^2 + gain^2): half of all comparisons are
    decided by about then. Roughly 2 ln(1 / alpha) (deviation / (gain + margin))^2.

    Examples
    --------
    >>> round(expected_rows(0.002, 0.05, margin=0.002, bound=0.5))
    1798
    """
    state = start(margin=margin, alpha=alpha, bound=bound, spread=spread)
    pace, squares = gain + margin, deviation**2 + gain**2
    if pace <= 0.0:
        return float("inf")

    def reached(rows: float) -> bool:
        wealth = mixtures.log_wealth(rows * pace, rows * squares, bound=bound, rho=state.rho)
        return bool(wealth >= -np.log(alpha))

    high = 1.0
    while not reached(high):
        high *= 2.0
    low = high / 2.0
    while high - low > max(1.0, 1e-6 * high):
        middle = (low + high) / 2.0
        low, high = (low, middle) if reached(middle) else (middle, high)
    return float(np.ceil(high))


def _divide(sums: Floats, rows: Ints) -> Floats:
    return np.asarray(np.divide(sums, rows, out=np.full(len(rows), np.nan), where=rows > 0))
