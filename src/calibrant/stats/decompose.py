"""What changed between two windows: a prior, a covariate and a concept part that add up to the whole change.

Notation: P the distribution of scores, m(p) = P(y = 1 | p) the calibration curve, pi the base rate; r reference,
c current. **Three causes, two observations.** Only the mix of scores (P_r to P_c) and the curve (m_r to m_c) can
be seen, so three parts need a convention. Ours is parsimony:

* **Prior** (label shift): P(p | y) is the same, only the base rate moved. It then moves *both*: the curve by a
  constant d in log-odds, m_d = s(logit m_r + d), and the mix to pi_d P(p|1) + (1 - pi_d) P(p|0), with
  logit pi_d = logit pi_r + d. So d can be read twice: from the curve (``curve_shift``: the shift that fits the
  current labels best given their scores) and from the mix without labels (``mix_shift``: the maximum-likelihood
  base rate of the current scores, Saerens 2002). If the two readings are compatible, d is their precision-weighted
  mean; if they are not, what both agree on: the smaller one if their signs agree, else nothing. (Compatible: the
  mix is no further from the curve's reading than 2 standard errors; between 2 and 3 one passes into the other.)
* **Covariate**: the change of the mix that the prior shift leaves over, valued at the curve m_d.
* **Concept**: the rest, valued at the current mix: the curve itself changed.

Steps in this order (prior, covariate, concept): (P_r, m_r) -> (P_d, m_d) -> (P_c, m_d) -> (P_c, m_c). The parts are
the differences of neighbouring steps, so they add up exactly. A pure shift of one kind is given to that kind
alone. A covariate and a concept shift that conspire to look like a prior shift cannot be told from one, and are
called one: the split describes a change, it does not prove a cause.

References: Saerens, Latinne and Decaestecker 2002, doi:10.1162/089976602753284446; Moreno-Torres et al. 2012,
doi:10.1016/j.patcog.2011.06.019; for splits by reweighting the reference, Cai, Namkoong and Yadlowsky 2023,
arXiv:2303.02011.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtrc, expit

from calibrant.calibrators import scales
from calibrant.stats import cox, ici, intervals, resampling, results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]

#: Base rates that the mix of scores may stand for lie between this and 1 less this.
LOWEST = 1e-3
#: Below this information per row the scores say nothing of the base rate.
BLIND = 1e-9


@dataclass(frozen=True, slots=True)
class Parts:
    """A change (current less reference) and its parts: ``total`` = prior + covariate + concept, exactly."""

    total: results.Estimate
    prior: results.Estimate
    covariate: results.Estimate
    concept: results.Estimate

    def to_dict(self) -> dict[str, object]:
        return {name: getattr(self, name).to_dict() for name in ("total", "prior", "covariate", "concept")}


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The parts of three changes, and what they were read from.

    ``base_rate``, ``log_loss`` and ``calibration`` (the ICI: mean |curve - score|) are each split. ``prior_shift``,
    ``curve_shift`` and ``mix_shift`` are in log-odds. ``curve_change`` is the mean over the current scores of
    |m_c - m_r|, in [0, 1]: how much the meaning of a score changed.
    """

    base_rate: Parts
    log_loss: Parts
    calibration: Parts
    prior_shift: results.Estimate
    curve_shift: results.Estimate
    mix_shift: results.Estimate
    curve_change: results.Estimate

    def to_dict(self) -> dict[str, object]:
        return {name: getattr(self, name).to_dict() for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class CurveTest:
    """Likelihood-ratio tests of one calibration curve for both windows.

    ``p_value``: against one curve. ``shape_p_value``: against curves that differ by a constant in log-odds only
    (as they do under a prior shift); it has one degree of freedom less.
    """

    statistic: float
    degrees: int
    p_value: float
    shape_p_value: float

    def to_dict(self) -> dict[str, float | int]:
        return {name: getattr(self, name) for name in self.__slots__}


def decompose(
    reference: summaries.Summary,
    current: summaries.Summary,
    *,
    replicates: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Decomposition | results.Insufficient:
    """Split the change of base rate, log loss and calibration error into prior, covariate and concept parts.

    Parameters
    ----------
    reference, current
        One group each; labels 0/1 or rates in [0, 1].
    replicates
        Of the Poisson bootstrap, at least 20.
    rng
        The only source of randomness.
    level
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Decomposition or Insufficient
        Insufficient as for ``cox.cox``, for either window.

    Raises
    ------
    UsageError
        CAL-453 for too few replicates.

    Notes
    -----
    See the module for what each part means. Curves are restricted cubic splines in logit p (as in ``ici``), both
    refitted in every replicate; intervals are the percentile bootstrap's, for calibration the basic one's. They
    are rough (nearer 90 % than 95 %) where the windows leave it open whether the two readings are compatible.
    Along the steps base rates are pi_r, pi_d, int m_d dP_c, pi_c; log losses are taken over the same four, and
    those of the first and the last are the observed ones.

    Examples
    --------
    >>> p = np.repeat([0.1, 0.3, 0.5, 0.7, 0.9], 400)
    >>> y = np.tile(np.arange(400) / 400, 5) < p
    >>> other = np.repeat([0.1, 0.3, 0.5, 0.7, 0.9], [200, 300, 400, 500, 600])
    >>> z = np.concatenate([np.arange(n) / n for n in (200, 300, 400, 500, 600)]) < other
    >>> found = decompose(summaries.summarise(p, y), summaries.summarise(other, z), replicates=20,
    ...                   rng=np.random.default_rng(1)).base_rate      # scores moved, their meaning did not
    >>> [round(part.value, 3) + 0.0 for part in (found.total, found.prior, found.covariate, found.concept)]
    [0.1, 0.0, 0.1, 0.0]
    """
    intervals.quantile(level)
    resampling.check(replicates)
    for window in (reference, current):
        lacking = cox.insufficient(window)
        if lacking is not None:
            return lacking
    windows = (reference, current)
    first, second = ici.smooth(reference), ici.smooth(current)
    value = None if first is None or second is None else _numbers(windows, (first, second))
    if first is None or second is None or value is None:
        return results.Insufficient(0, 1, "scores at which both labels occur")

    def again(r: summaries.Summary, c: summaries.Summary) -> Floats | None:
        one, other = first.refitted(r), second.refitted(c)
        return None if one is None or other is None else _numbers((r, c), (one, other))

    found = resampling.replicate_pair(windows, again, value, replicates=replicates, rng=rng)
    # shifts and rates are nearly unbiased but skewed, distances are biased: each has the bootstrap that suits it
    each = found.estimates(level=level, kind="percentile")
    distances = found.estimates(level=level, kind="basic")

    return Decomposition(
        base_rate=Parts(*each[0:4]),
        log_loss=Parts(*each[4:8]),
        calibration=Parts(*distances[8:12]),
        prior_shift=each[12],
        curve_shift=each[13],
        mix_shift=each[14],
        curve_change=resampling.at_least_zero(distances[15]),
    )


def curve_test(reference: summaries.Summary, current: summaries.Summary) -> CurveTest | results.Insufficient:
    """Whether one calibration curve serves both windows.

    Parameters
    ----------
    reference, current
        One group each; labels 0/1 or rates in [0, 1].

    Returns
    -------
    CurveTest or Insufficient
        Insufficient as for ``cox.cox``, for either window.

    Notes
    -----
    Logistic regression on a restricted cubic spline of logit p whose knots come from both windows together:
    common to both, with a shift between them, and separate. Twice the difference of log-likelihoods is
    chi-squared with as many degrees of freedom as there are extra coefficients (Wilks). Weights are scaled to
    each window's effective n, which takes them for unrelated to the score.

    References
    ----------
    Wilks 1938, doi:10.1214/aoms/1177732360; Harrell 2015, Regression Modeling Strategies, 2.4 and 9.3.

    Examples
    --------
    >>> p = np.repeat([0.1, 0.3, 0.5, 0.7, 0.9], 400)
    >>> rank = np.tile(np.arange(400) / 400, 5)
    >>> found = curve_test(summaries.summarise(p, rank < p), summaries.summarise(p, rank < p / 2 + 0.25))
    >>> found.p_value < 1e-6, found.shape_p_value < 1e-6
    (True, True)
    """
    for window in (reference, current):
        lacking = cox.insufficient(window)
        if lacking is not None:
            return lacking
    x = np.concatenate([scales.logit(each.score) for each in (reference, current)])
    wy, w = (
        np.concatenate([column * (each.w.sum() / each.ww.sum()) for each, column in pairs])
        for pairs in (
            [(reference, reference.wy), (current, current.wy)],
            [(reference, reference.w), (current, current.w)],
        )
    )
    now = np.arange(len(x)) >= len(reference.keys)
    order = np.argsort(x, kind="stable")
    for count in (5, 4, 3, 0):
        knots = ici.knots_at(x[order], w[order], count)
        if knots is None:
            continue
        columns = ici.columns(x, knots)
        designs = (
            columns,
            np.column_stack([columns, now]),
            np.column_stack([columns, columns * now[:, None]]),
        )
        fits = [_likelihood(design, wy, w) for design in designs]
        if all(np.isfinite(fits)):
            d = columns.shape[1]
            common, shifted, separate = fits
            statistic, shape = (max(2.0 * (separate - each), 0.0) for each in (common, shifted))
            return CurveTest(statistic, d, float(chdtrc(d, statistic)), float(chdtrc(d - 1, shape)))
    return results.Insufficient(0, 1, "scores at which both labels occur")


def _likelihood(design: Floats, wy: Floats, w: Floats) -> float:
    """The greatest log-likelihood, or -inf without a finite maximum."""
    turn = ici.orthonormal(design, w)
    if turn is None:
        return -np.inf
    found = ici.solve(design @ turn, wy, w, w)
    if found is None:
        return -np.inf
    eta = design @ (turn @ found)
    return float(wy @ eta - w @ np.logaddexp(0.0, eta))


@dataclass(frozen=True, slots=True)
class _Trust:
    """How far the two readings of the prior shift are compatible, in [0, 1]; the weight of the curve in their mean."""

    compatible: float
    curve: float


def _trust(windows: tuple[summaries.Summary, summaries.Summary], eta_r: Floats, eta_c: Floats, shift: float) -> _Trust:
    """A score test of the mix against the base rate that the curve implies: sound even where the mix has no maximum."""
    r, c = windows
    share_r, share_c = r.w / r.w.sum(), c.w / c.w.sum()
    m_r, m_c, n_r, n_c = expit(eta_r), expit(eta_c), float(r.effective_n[0]), float(c.effective_n[0])
    pi_r, q = float(share_r @ r.rate), expit(eta_c + shift)
    # variances of the curve's reading in log-odds, then of the mix's as a base rate
    of_curve = 1.0 / (n_c * float(share_c @ (q * (1.0 - q)))) + 1.0 / (n_r * float(share_r @ (m_r * (1.0 - m_r))))
    pi = _moved(pi_r, shift)
    scale = pi * (1.0 - pi)
    ratio_r, ratio_c = _ratio(m_r, pi_r, pi_r), _ratio(m_c, pi_r, pi)
    information_r, information_c = float(share_r @ ratio_r**2), float(share_c @ ratio_c**2)
    if min(information_r, information_c) < BLIND:
        return _Trust(0.0, 1.0)
    of_mix = 1.0 / (n_r * information_r) + 1.0 / (n_c * information_c)
    apart = float(share_c @ ratio_c) / information_c / np.sqrt(of_mix + of_curve * scale**2)
    return _Trust(float(np.clip(3.0 - abs(apart), 0.0, 1.0)), of_mix / (of_mix + of_curve * scale**2))


def _ratio(m: Floats, pi_r: float, pi: float) -> Floats:
    """Derivative of the log-likelihood of a score by the base rate pi, from the reference curve m there."""
    positive, negative = m / pi_r, (1.0 - m) / (1.0 - pi_r)
    return (positive - negative) / (pi * positive + (1.0 - pi) * negative)


def _numbers(
    windows: tuple[summaries.Summary, summaries.Summary], curves: tuple[ici.Curve, ici.Curve]
) -> Floats | None:
    """Sixteen numbers: total and parts of base rate, log loss and ICI; three shifts; the change of the curve."""
    r, c = windows
    share_r, share_c = r.w / r.w.sum(), c.w / c.w.sum()
    pi_r, pi_c = float(share_r @ r.rate), float(share_c @ c.rate)
    eta_r, eta_c = curves[0].log_odds(r.score), curves[0].log_odds(c.score)
    m_r, m_now = expit(eta_r), expit(curves[1].log_odds(c.score))
    shift = ici.solve(np.ones((len(eta_c), 1)), c.wy, c.w, c.ww, start=eta_c)
    if shift is None or not 0.0 < pi_r < 1.0:
        return None
    curve_shift, mix_shift = float(shift[0]), _mix_shift(expit(eta_c), share_c, pi_r)
    smaller = np.sign(curve_shift) * min(abs(curve_shift), abs(mix_shift)) if curve_shift * mix_shift > 0.0 else 0.0
    trust = _trust(windows, eta_r, eta_c, curve_shift)
    mean = trust.curve * curve_shift + (1.0 - trust.curve) * mix_shift
    d = float(trust.compatible * mean + (1.0 - trust.compatible) * smaller)
    pi_d = _moved(pi_r, d)
    m_d, at_r = expit(eta_c + d), expit(eta_r + d)
    # the reference after the prior shift: each label's scores as they were, the labels in their new proportion
    mix_d = share_r * (pi_d * m_r / pi_r + (1.0 - pi_d) * (1.0 - m_r) / (1.0 - pi_r))
    rates = (pi_r, pi_d, float(share_c @ m_d), pi_c)
    losses = _losses(r, c, pi_r, pi_d, m_d)
    errors_of_calibration = (
        float(share_r @ np.abs(m_r - r.score)),
        float(mix_d @ np.abs(at_r - r.score)),
        float(share_c @ np.abs(m_d - c.score)),
        float(share_c @ np.abs(m_now - c.score)),
    )
    split = [number for steps in (rates, losses, errors_of_calibration) for number in _split(steps)]
    return np.array([*split, d, curve_shift, mix_shift, share_c @ np.abs(m_now - expit(eta_c))])


def _losses(
    r: summaries.Summary, c: summaries.Summary, pi_r: float, pi_d: float, m_d: Floats
) -> tuple[float, float, float, float]:
    """Log loss at the four steps; under a prior shift the loss of each label stays and their shares move."""
    share_r, share_c = r.w / r.w.sum(), c.w / c.w.sum()
    positive = float(share_r * r.rate @ _loss(r.score)) / pi_r
    negative = float(share_r * (1.0 - r.rate) @ _loss(1.0 - r.score)) / (1.0 - pi_r)
    first = float(r.total("loss")[0] / r.w.sum())
    expected = float(share_c @ (m_d * _loss(c.score) + (1.0 - m_d) * _loss(1.0 - c.score)))
    last = float(c.total("loss")[0] / c.w.sum())
    return first, first + (pi_d - pi_r) * (positive - negative), expected, last


def _loss(told: Floats) -> Floats:
    """The log loss of having given this probability to what happened."""
    return -np.log(np.clip(told, summaries.EPSILON, 1.0))


def _split(steps: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Total, prior, covariate, concept from the four steps."""
    return steps[3] - steps[0], steps[1] - steps[0], steps[2] - steps[1], steps[3] - steps[2]


def _moved(rate: float, shift: float) -> float:
    """A base rate after a shift of its log-odds; exactly the same after none."""
    return rate if shift == 0.0 else float(expit(np.log(rate / (1.0 - rate)) + shift))


def _mix_shift(m: Floats, share: Floats, pi_r: float) -> float:
    """The shift of log-odds of the base rate that makes the current scores most likely, from the curve m_r there.

    P(p | y = 1) / P(p) = m_r / pi_r, so pi maximises the mean of log(pi m_r / pi_r + (1 - pi)(1 - m_r)/(1 - pi_r)),
    which is concave. Scores that tell nothing of the label tell nothing of the base rate: the shift is 0.
    """
    if float(share @ _ratio(m, pi_r, pi_r) ** 2) < BLIND:
        return 0.0

    def slope(pi: float) -> float:
        return float(share @ _ratio(m, pi_r, pi))

    if slope(LOWEST) <= 0.0:
        pi = LOWEST
    elif slope(1.0 - LOWEST) >= 0.0:
        pi = 1.0 - LOWEST
    else:
        pi = float(brentq(slope, LOWEST, 1.0 - LOWEST, xtol=1e-12, rtol=1e-12))
    return float(np.log(pi / (1.0 - pi)) - np.log(pi_r / (1.0 - pi_r)))
