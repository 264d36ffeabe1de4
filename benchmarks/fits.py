"""Fits from rows and from a summary, against packages that read every row, with the parameters compared."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import clock, data
from calibrant.calibrators import calibrator, scales
from calibrant.fitting import beta, isotonic, platt, temperature
from calibrant.stats import summary

TITLE = "Fitting calibrators"
#: Where the maps are compared: the middle 99 % of the scores of the stream.
PROBES = 1.0 / (1.0 + np.exp(-np.linspace(-4.9, 2.9, 400)))

Apply = Callable[[np.ndarray], np.ndarray]


def run(stream: data.Stream) -> Iterator[clock.Line]:
    warnings.simplefilter("ignore", FutureWarning)  # of the peers about each other
    yield from family(stream, "Platt on logits", platt.fit, 100.0, [sklearn_platt, probmetrics_platt, newton_platt])
    yield from family(stream, "temperature", temperature.fit, 100.0, [sklearn_temperature, probmetrics_temperature])
    yield from family(stream, "beta", beta.fit, 100.0, [betacal_beta, newton_beta])
    yield from family(stream, "isotonic", isotonic.fit, 30.0, [sklearn_isotonic, netcal_isotonic])


def family(
    stream: data.Stream,
    name: str,
    fit: Callable[..., calibrator.Calibrator],
    factor: float,
    peers: list[Callable[[data.Stream], tuple[str, float, Apply] | None]],
) -> Iterator[clock.Line]:
    """From rows against each peer that is installed, then from a summary."""
    made = summary.summarise(stream.scores, stream.labels, detail="counts")
    ours = clock.median(lambda: fit(summary.summarise(stream.scores, stream.labels, detail="counts")), times=3)
    reading = clock.median(lambda: summary.summarise(stream.scores, stream.labels, detail="counts"), times=3)
    mine = fit(made)
    for peer in peers:
        answer = peer(stream)
        if answer is not None:
            label, taken, apply = answer
            told = f"against {label}, {agreement(name, mine, apply)}; {losses(stream, mine, apply)}"
            if ours * factor > taken:
                told += (
                    f"; the goal is missed because {clock.seconds(reading)} go into reading the rows once, about as "
                    "much as one np.log and one np.bincount, and not into the fit"
                )
            yield clock.Line(f"{name}, from rows", ours, label, taken, clock.Goal("faster", factor), told)
    yield clock.Line(f"{name}, from a summary", clock.median(lambda: fit(made)), goal=clock.Goal("at_most", 0.010))


def agreement(name: str, mine: calibrator.Calibrator, apply: Apply) -> str:
    """Parameters of both maps, read off their values: the log-odds they give are linear in known columns."""
    ours, theirs = scales.logit(mine.apply(PROBES)), scales.logit(apply(PROBES))
    x = scales.logit(PROBES)
    columns = {
        "Platt on logits": [x, np.ones_like(x)],
        "temperature": [x],
        "beta": [np.log(PROBES), -np.log1p(-PROBES), np.ones_like(x)],
    }.get(name)
    if columns is None:
        difference = np.abs(mine.apply(PROBES) - apply(PROBES))
        return f"maps differ by {difference.mean():.1e} on average and {difference.max():.1e} at most (probability)"
    design = np.stack(columns, axis=1)
    parameters = [np.linalg.lstsq(design, values, rcond=None)[0] for values in (ours, theirs)]
    return f"parameters differ by {np.abs(parameters[0] - parameters[1]).max():.1e} at most"


def losses(stream: data.Stream, mine: calibrator.Calibrator, apply: Apply) -> str:
    """How much the two maps differ where it matters: log loss on the first million rows."""
    part = stream.first(1_000_000)
    told = np.where(part.labels == 1, 1.0, -1.0)
    ours, theirs = (scales.logit(np.asarray(q)) for q in (mine.apply(part.scores), apply(part.scores)))
    difference = np.logaddexp(0.0, -told * ours).mean() - np.logaddexp(0.0, -told * theirs).mean()
    return f"log loss {difference:+.1e}"


def sklearn_platt(stream: data.Stream) -> tuple[str, float, Apply] | None:
    from sklearn.linear_model import LogisticRegression

    def fit() -> Any:
        return LogisticRegression(C=np.inf, tol=1e-6).fit(scales.logit(stream.scores)[:, None], stream.labels)

    taken, model = clock.timed(fit)
    return (
        "scikit-learn LogisticRegression on logits",
        taken,
        lambda p: model.predict_proba(scales.logit(p)[:, None])[:, 1],
    )


def newton_platt(stream: data.Stream) -> tuple[str, float, Apply] | None:
    return _newton("Platt", stream, lambda p: scales.logit(p)[:, None])


def newton_beta(stream: data.Stream) -> tuple[str, float, Apply] | None:
    return _newton("beta", stream, lambda p: np.stack([np.log(p), -np.log1p(-p)], axis=1))


def _newton(name: str, stream: data.Stream, design: Apply) -> tuple[str, float, Apply] | None:
    """Not a calibration package: the maximum itself, to the last digit, by Newton's method on all rows."""
    from sklearn.linear_model import LogisticRegression

    def fit() -> Any:
        model = LogisticRegression(C=np.inf, tol=1e-12, solver="newton-cholesky")
        return model.fit(design(stream.scores), stream.labels)

    taken, model = clock.timed(fit)
    return (
        f"scikit-learn's Newton solver on the columns of {name}",
        taken,
        lambda p: model.predict_proba(design(p))[:, 1],
    )


def sklearn_temperature(stream: data.Stream) -> tuple[str, float, Apply] | None:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    class Scores(ClassifierMixin, BaseEstimator):
        """A classifier that was fitted elsewhere: its column is its log-odds."""

        classes_ = np.array([0, 1])

        def fit(self, *_: Any) -> Any:
            return self

        def predict(self, features: Any) -> Any:
            return (features[:, 0] > 0).astype(int)

        def decision_function(self, features: Any) -> Any:
            return features[:, 0]

        def __sklearn_is_fitted__(self) -> bool:
            return True

    def fit() -> Any:
        model = CalibratedClassifierCV(FrozenEstimator(Scores()), method="temperature")
        return model.fit(scales.logit(stream.scores)[:, None], stream.labels)

    taken, model = clock.timed(fit)
    return "scikit-learn CalibratedClassifierCV", taken, lambda p: model.predict_proba(scales.logit(p)[:, None])[:, 1]


def sklearn_isotonic(stream: data.Stream) -> tuple[str, float, Apply] | None:
    from sklearn.isotonic import IsotonicRegression

    taken, model = clock.timed(lambda: IsotonicRegression(out_of_bounds="clip").fit(stream.scores, stream.labels))
    return "scikit-learn IsotonicRegression", taken, model.predict


def betacal_beta(stream: data.Stream) -> tuple[str, float, Apply] | None:
    if not clock.installed("betacal"):
        return None
    from betacal import BetaCalibration

    taken, model = clock.timed(lambda: BetaCalibration("abm").fit(stream.scores, stream.labels))
    return "betacal", taken, model.predict


def netcal_isotonic(stream: data.Stream) -> tuple[str, float, Apply] | None:
    if not clock.installed("netcal"):
        return None
    from netcal.binning import IsotonicRegression

    taken, model = clock.timed(lambda: IsotonicRegression().fit(stream.scores, stream.labels))
    return "netcal IsotonicRegression", taken, model.transform


def probmetrics_platt(stream: data.Stream) -> tuple[str, float, Apply] | None:
    return _probmetrics(stream, "affine-scaling")


def probmetrics_temperature(stream: data.Stream) -> tuple[str, float, Apply] | None:
    return _probmetrics(stream, "temp-scaling")


def _probmetrics(stream: data.Stream, method: str) -> tuple[str, float, Apply] | None:
    if not clock.installed("probmetrics"):
        return None
    from probmetrics.calibrators import get_calibrator

    model = get_calibrator(method)
    both = np.stack([1.0 - stream.scores, stream.scores], axis=1)
    labels = stream.labels.astype(np.int64)
    model.fit(both[:1_000], labels[:1_000])  # compiles, which is not counted
    taken, _ = clock.timed(lambda: model.fit(both, labels))
    return f"probmetrics {method}", taken, lambda p: model.predict_proba(np.stack([1.0 - p, p], axis=1))[:, 1]
