"""Part of the way from one map to another: a share of the change, and no score moved further than allowed.

Maps here are those of probabilities and rates. Straight lines in log-odds meet in straight lines; all others in a table
of knots, blended in probability. Both ways the blend of two maps that do not fall does not fall.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from calibrant.advice import effects
from calibrant.calibrators import by_cohort, calibrator, identity, kinds, linear, logistic, scales

Floats = NDArray[np.float64]
Pair = tuple[tuple[str, ...] | None, Any, Any]

#: Scores at which two maps are compared: 1/100 apart in log-odds, from one end of the doubles to the other.
_SCORES: Final = np.unique(np.concatenate([[0.0, 1.0], scales.expit(np.linspace(-37.0, 37.0, 7_401))]))
#: Knots of a blended table, apart from those of the maps.
_KNOTS: Final = np.unique(np.concatenate([[0.0, 1.0], scales.expit(np.linspace(-14.0, 14.0, 449))]))
#: The other side of a step lies this far below it.
_BELOW: Final = 1e-12
_HALVINGS: Final = 24
#: What arithmetic may move a score by, without anything being changed.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Damped:
    """``share`` of the proposed change was made; no score moves by more than ``reach``, in probability."""

    calibrator: kinds.Kind
    share: float
    reach: float


def damp(current: kinds.Kind, proposed: kinds.Kind, *, share: float, max_shift: float) -> Damped | None:
    """The map at ``share`` of the way, or nearer to the current one if a score would move beyond ``max_shift``.

    Where the whole change is allowed, the proposed map comes back as it is. None where no part of the way can be gone:
    maps by different cohorts that move scores too far, or a limit finer than a table of knots can keep.
    """
    pairs = list(_members(current, proposed))
    reach = max(_reach(old, new) for _, old, new in pairs)
    if share >= 1.0 and reach <= max_shift:
        return Damped(proposed, 1.0, reach)
    if _crossed(current, proposed):
        return None
    low, high, found = 0.0, share, None
    for step in range(_HALVINGS):
        middle = high if step == 0 else (low + high) / 2.0
        blended = [(key, _blend(old, new, middle)) for key, old, new in pairs]
        moved = max(_reach(old, new) for (_, old, _), (_, new) in zip(pairs, blended, strict=True))
        if moved <= max_shift:
            low, found = middle, Damped(_assembled(current, proposed, blended), middle, moved)
        else:
            high = middle
        if low == high:
            break
    return found


def step(current: float, proposed: float, *, share: float, max_step: float) -> float:
    """A threshold at ``share`` of the way, and no further than ``max_step`` from where it was.

    >>> step(0.5, 0.9, share=1.0, max_step=0.1)
    0.6
    """
    return current + min(max(share * (proposed - current), -max_step), max_step)


def changed_share(current: kinds.Kind, proposed: kinds.Kind) -> float:
    """The share of the maps' cohorts whose scores would move at all; maps without cohorts are one cohort."""
    pairs = list(_members(current, proposed))
    return sum(_apart(old, new)[0] > _ROUNDING for _, old, new in pairs) / len(pairs)


def largest_shift(current: kinds.Kind, proposed: kinds.Kind) -> float:
    """How far a score moves at most, among scores that are 1/100 apart in log-odds: to show, not to limit."""
    return max(_apart(old, new)[0] for _, old, new in _members(current, proposed))


def _members(current: kinds.Kind, proposed: kinds.Kind) -> Iterator[Pair]:
    """Which map takes the place of which: by cohort, and last (None) for cohorts that neither knows."""
    old, new = (_by_cohort(one) for one in (current, proposed))
    if _crossed(current, proposed):
        assert old is not None
        assert new is not None
        every = [([one.pooled, *(member for _, member in one.maps)]) for one in (old, new)]
        yield from ((None, first, second) for first in every[0] for second in every[1])
        return
    keys = dict.fromkeys(key for one in (old, new) if one is not None for key, _ in one.maps)
    for key in keys:
        yield key, current if old is None else old.of(key), proposed if new is None else new.of(key)
    yield None, current if old is None else old.pooled, proposed if new is None else new.pooled


def _by_cohort(map_: kinds.Kind) -> by_cohort.ByCohort | None:
    return map_ if isinstance(map_, by_cohort.ByCohort) else None


def _crossed(current: kinds.Kind, proposed: kinds.Kind) -> bool:
    """Whether both are by cohort, and by different fields."""
    old, new = _by_cohort(current), _by_cohort(proposed)
    return old is not None and new is not None and old.fields != new.fields


def _assembled(
    current: kinds.Kind, proposed: kinds.Kind, blended: list[tuple[tuple[str, ...] | None, calibrator.Calibrator]]
) -> kinds.Kind:
    grouped = _by_cohort(proposed) or _by_cohort(current)
    *known, (_, pooled) = blended
    if grouped is None:
        return cast(kinds.Kind, pooled)
    maps = tuple((key, member) for key, member in known if key is not None)
    return by_cohort.ByCohort(grouped.fields, pooled, maps)


def _blend(old: Any, new: Any, share: float) -> calibrator.Calibrator:
    if _is_line(old) and _is_line(new):
        (slope, intercept), (towards, lift) = _line(old), _line(new)
        return logistic.Platt(
            slope + share * (towards - slope), intercept + share * (lift - intercept), scale=new.scale
        )
    knots = _knots(old, new)
    first, second = (effects.on_probability(one).apply(knots) for one in (old, new))
    values = np.clip(np.maximum.accumulate(first + share * (second - first)), 0.0, 1.0)
    return linear.CenteredIsotonic(tuple(knots.tolist()), tuple(values.tolist()), scale=new.scale)


def _is_line(map_: Any) -> bool:
    return isinstance(map_, (identity.Identity, logistic.Intercept, logistic.Platt, logistic.Temperature))


def _line(map_: Any) -> tuple[float, float]:
    return (1.0, 0.0) if isinstance(map_, identity.Identity) else (map_.slope, map_.intercept)


def _reach(old: Any, new: Any) -> float:
    """The largest distance that two maps that do not fall can have anywhere."""
    return _apart(old, new)[1]


def _apart(old: Any, new: Any) -> tuple[float, float]:
    """The largest distance at the compared scores, and a bound for all scores between them."""
    if old == new:
        return 0.0, 0.0
    at = np.union1d(_SCORES, _knots(old, new))
    first, second = (effects.on_probability(one).apply(at) for one in (old, new))
    same = np.abs(second - first).max()
    # where both are level nothing can happen; elsewhere the ends of the gap bound what lies inside
    level = (first[1:] == first[:-1]) & (second[1:] == second[:-1])
    inside = np.where(level, 0.0, np.maximum(second[1:] - first[:-1], first[1:] - second[:-1]))
    return float(same), float(max(same, inside.max(initial=0.0)))


def _knots(*maps: Any) -> Floats:
    """Scores at which one of the maps may bend or jump, with the other side of each jump."""
    own = [np.asarray(values) for one in maps for name in ("thresholds", "knots") if (values := getattr(one, name, ()))]
    if not own:
        return _KNOTS
    places = np.concatenate(own)
    both = np.concatenate([_KNOTS, places, places - _BELOW])
    both = np.unique(both[(both >= 0.0) & (both <= 1.0)])
    # knots nearer to each other than a step's two sides would only make infinite slopes
    return np.asarray(both[np.append(True, np.diff(both) > _BELOW / 4.0)])
