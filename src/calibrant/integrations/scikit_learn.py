"""scikit-learn estimators around Calibrant's fits (extra ``sklearn``).

``ScoreCalibrator`` calibrates scores that exist already; ``CalibratedClassifier`` wraps a classifier, fitted or
not; ``ReliabilityDisplay`` draws. What they learn is in ``calibrator_``, a frozen map that needs no scikit-learn,
and, with ``method="select"``, in ``selection_``, the proof.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, TransformerMixin, clone
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import check_cv
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import LabelEncoder
    from sklearn.utils import _safe_indexing, check_random_state, get_tags
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import (
        _check_sample_weight,
        check_array,
        check_is_fitted,
        check_X_y,
        has_fit_parameter,
        indexable,
    )
except ImportError as missing:
    raise errors.MissingExtraError.of("sklearn", needed_for="the scikit-learn estimators") from missing

from calibrant.calibrators import calibrator as protocol
from calibrant.calibrators import identity, scales
from calibrant.calibrators import multiclass as multiclass_maps
from calibrant.fitting import multiclass_selection, selection
from calibrant.integrations import matplotlib as drawing
from calibrant.stats import summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

#: Folds of ``CalibratedClassifier`` unless told otherwise, fewer if a class has fewer rows.
FOLDS = 5
#: Margins beyond this are squeezed, so that no two of them meet where log-odds are clipped.
MARGIN = 30.0


class ScoreCalibrator(TransformerMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # untyped bases
    """Calibrates scores of one class against binary labels, as a scikit-learn estimator.

    Parameters
    ----------
    method
        ``"select"`` (proved by cross-fitting, identity unless something better is proved), ``"identity"`` or a
        name from ``calibrant.fitting.selection.METHODS``: intercept, temperature, platt, beta ...
    scale
        The scale of the scores, as ``calibrant.Scale.parse`` reads it: probability, percent, logit, unbounded or
        unbounded:CENTER,SPREAD.
    random_state
        Of the folds of ``"select"``.

    Attributes
    ----------
    calibrator_ : the fitted map, a frozen value
    selection_ : the proof, or None for a named method
    classes_ : the two labels; probabilities are of the second

    Examples
    --------
    >>> scores, labels = [0.2] * 50 + [0.8] * 50, ["no"] * 30 + ["yes"] * 20 + ["no"] * 20 + ["yes"] * 30
    >>> ScoreCalibrator(method="temperature").fit(scores, labels).transform([0.2, 0.8]).round(6)
    array([0.4, 0.6])
    """

    def __init__(self, *, method: str = "select", scale: str = "probability", random_state: int | None = 0) -> None:
        self.method = method
        self.scale = scale
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,  # the name that scikit-learn passes
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit to scores, shape (n,) or (n, 1), and labels of two classes; rows of one group stay together."""
        found, labels = check_X_y(X, y, ensure_2d=False, dtype=np.float64, estimator=self)
        scores = self._scores(found).reshape(-1)
        check_classification_targets(labels)
        weights = _weights(sample_weight, scores)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        _demand_two(self.classes_)
        self.calibrator_, self.selection_ = _fit_binary(
            scores, numbers, weights, groups, method=self.method, scale=self._scale(), random_state=self.random_state
        )
        return self

    def transform(self, X: ArrayLike) -> Floats:
        """Calibrated probabilities of ``classes_[1]``, of the shape of X: (n,) or (n, 1)."""
        check_is_fitted(self, "calibrator_")
        return np.asarray(self.calibrator_.apply(self._scores(X)))

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Probabilities of both classes, shape (n, 2)."""
        p = self.transform(X).reshape(-1)
        return np.stack([1.0 - p, p], axis=1)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The class with a probability above 1/2; to act on costs choose a threshold with ``calibrant.decisions``."""
        above = self.transform(X).reshape(-1) > 0.5
        return np.asarray(self.classes_[above.astype(np.int64)])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:  # noqa: ARG002  # their protocol
        """The name of the one column that ``transform`` makes, so that ``set_output`` works."""
        return np.asarray(["calibrated"], dtype=object)

    def _scale(self) -> scales.Scale:
        return scales.Scale.parse(self.scale)

    def _scores(self, X: ArrayLike) -> Floats:
        found = np.asarray(check_array(X, ensure_2d=False, dtype=np.float64))
        if found.ndim > 2 or (found.ndim == 2 and found.shape[1] != 1):
            raise errors.ValueRangeError(
                "CAL-361",
                "one column of scores is needed",
                cause=f"X has shape {found.shape}",
                fix="pass scores of shape (n,) or (n, 1); for several classes use CalibratedClassifier",
            )
        low, high = self._scale().range
        if len(found) and (found.min() < low or found.max() > high):
            raise errors.ValueRangeError(
                "CAL-362",
                f"scores are not on the scale {self.scale}",
                cause=f"they run from {found.min():.6g} to {found.max():.6g}",
                fix="declare the scale that they have: probability, percent, logit or unbounded",
            )
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # as IsotonicRegression has it; (n, 1) is taken too, but scikit-learn's checks would feed wider arrays
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.poor_score = True  # one score column, taken as it is
        return tags


class CalibratedClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose probabilities are calibrated by the map that was proved best.

    Parameters
    ----------
    estimator
        Any classifier with ``predict_proba`` or ``decision_function``. Wrapped in
        ``sklearn.frozen.FrozenEstimator`` it counts as fitted and is left alone: ``fit`` then only calibrates, on
        rows that it must not have seen. Otherwise scores for calibration come from ``cv`` clones, each on the rows
        it was not fitted on, and the final classifier is fitted on all rows.
    method
        ``"select"``, ``"identity"``, or a method's name: for two classes those of
        ``calibrant.fitting.selection``, for more those of ``calibrant.fitting.multiclass_selection``
        (temperature, vector, structured_vector, structured_matrix).
    cv
        Folds, a scikit-learn splitter, or None for 5 stratified folds (fewer if a class has fewer rows).
    random_state
        Of the folds of ``"select"``.

    Attributes
    ----------
    estimator_ : the fitted classifier
    calibrator_ : the fitted map of its scores, a frozen value
    selection_ : the proof, or None for a named method
    classes_ : labels, in the order of the probabilities

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.datasets import make_classification
    >>> X, y = make_classification(2000, 20, n_informative=5, random_state=0)
    >>> found = CalibratedClassifier(GaussianNB()).fit(X, y)
    >>> found.selection_.method != "identity", found.predict_proba(X[:3]).shape
    (True, (3, 2))
    """

    def __init__(self, estimator: Any, *, method: str = "select", cv: Any = None, random_state: int | None = 0) -> None:
        self.estimator = estimator
        self.method = method
        self.cv = cv
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the classifier (unless frozen) and the map. Weights go to both, groups to both kinds of folds."""
        check_classification_targets(y)
        X, y = indexable(X, y)
        weights = _weights(sample_weight, X)
        encoder = LabelEncoder().fit(y)
        labels = encoder.transform(y)
        if isinstance(self.estimator, FrozenEstimator):
            self.estimator_ = self.estimator
            self.classes_ = np.asarray(self.estimator.classes_)
            labels = _known(self.classes_, np.asarray(y))
            raw, scale = _responses(self.estimator_, X, self.classes_)
        else:
            self.classes_ = encoder.classes_
            if len(self.classes_) < 2:
                _demand_two(self.classes_)
            raw, scale = self._out_of_fold(X, np.asarray(y), labels, weights, groups)
            self.estimator_ = _fit(clone(self.estimator), X, np.asarray(y), weights)
        fitter = _fit_binary if len(self.classes_) == 2 else _fit_multiclass
        found = fitter(raw, labels, weights, groups, method=self.method, scale=scale, random_state=self.random_state)
        self.calibrator_, self.selection_ = found
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def _out_of_fold(
        self,
        X: Any,
        y: NDArray[Any],
        labels: NDArray[np.int64],
        weights: Floats | None,
        groups: ArrayLike | None,
    ) -> tuple[Floats, scales.Scale]:
        """Raw scores of every row from a clone that did not see it, and their scale."""
        smallest = int(np.bincount(labels).min())
        cv = check_cv(min(FOLDS, max(smallest, 2)) if self.cv is None else self.cv, labels, classifier=True)
        k = len(self.classes_)
        raw = np.full(len(labels) if k == 2 else (len(labels), k), np.nan)
        kinds = set()
        for train, test in cv.split(X, labels, groups):
            part = None if weights is None else weights[train]
            found = _fit(clone(self.estimator), _safe_indexing(X, train), y[train], part)
            raw[test], kind = _respond(found, _safe_indexing(X, test), self.classes_)
            kinds.add(kind)
        if np.isnan(raw).any() or len(kinds) != 1:
            raise errors.UsageError(
                "CAL-471",
                "these folds do not give every row one score",
                cause="the splitter leaves rows out of all test folds (a time series split does)",
                fix="use a splitter that partitions the rows, or freeze a classifier fitted on earlier rows",
            )
        return raw, _scale_of(raw, kinds.pop())

    def predict_proba(self, X: Any) -> Floats:
        """Calibrated probabilities, shape (n, classes)."""
        check_is_fitted(self, "calibrator_")
        raw, _ = _respond(self.estimator_, X, self.classes_)
        p = np.asarray(self.calibrator_.apply(raw))
        return np.stack([1.0 - p, p], axis=1) if p.ndim == 1 else p

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.classifier_tags.multi_class = inner.classifier_tags is None or inner.classifier_tags.multi_class
        return tags


class ReliabilityDisplay(drawing.ReliabilityDisplay):
    """Reliability diagram with bands, in the manner of scikit-learn's displays (needs the extra ``matplotlib`` too)."""

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        pos_label: Any = None,
        name: str | None = None,
        seed: int = 0,
        ax: Axes | None = None,
    ) -> Self:
        """Diagram of ``estimator.predict_proba`` for ``pos_label`` (the last class) against all others."""
        known = np.asarray(estimator.classes_)
        wanted = known[-1] if pos_label is None else pos_label
        where = np.flatnonzero(known == wanted)
        if not len(where):
            raise errors.UsageError(
                "CAL-472",
                f"the classifier knows no class {wanted!r}",
                cause="its classes are " + ", ".join(map(str, known.tolist())),
                fix="name one of them as pos_label",
            )
        p = np.clip(np.asarray(estimator.predict_proba(X), np.float64)[:, where[0]], 0.0, 1.0)
        positive = (np.asarray(y) == wanted).astype(np.int64)
        label = name or type(estimator).__name__
        return cls.from_predictions(positive, p, sample_weight=sample_weight, name=label, seed=seed, ax=ax)


# -------------------------------------------------------------------- fits


def _fit_binary(
    raw: Floats,
    labels: NDArray[np.int64],
    weights: Floats | None,
    groups: ArrayLike | None,
    *,
    method: str,
    scale: scales.Scale,
    random_state: int | None,
) -> tuple[protocol.Calibrator, selection.Selection | None]:
    if method == "select":
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        found = selection.select(raw, labels, weights=weights, groups=groups, scale=scale, seed=seed)
        return found.calibrator, found
    _demand_method(method, tuple(selection.METHODS))
    if method == "identity":
        return identity.Identity(scale), None
    grid: summary.Grid = "distinct" if len(raw) <= drawing.EXACT else "dyadic"
    data = summary.summarise(scale.to_probability(raw), labels, weights=weights, grid=grid)
    return selection.METHODS[method](data, scale=scale), None


def _fit_multiclass(
    raw: Floats,
    labels: NDArray[np.int64],
    weights: Floats | None,
    groups: ArrayLike | None,
    *,
    method: str,
    scale: scales.Scale,
    random_state: int | None,
) -> tuple[protocol.Calibrator, selection.Selection | None]:
    if method == "select":
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        found = multiclass_selection.select(raw, labels, weights=weights, groups=groups, scale=scale, seed=seed)
        return found.calibrator, found
    _demand_method(method, tuple(multiclass_selection.METHODS))
    if method == "identity":
        return multiclass_maps.MulticlassTemperature(1.0, scale=scale), None
    return multiclass_selection.METHODS[method](raw, labels, weights=weights, scale=scale), None


def _demand_method(method: str, known: tuple[str, ...]) -> None:
    if method != "identity" and method not in known:
        raise errors.UsageError(
            "CAL-473",
            f"unknown calibration method {method!r}",
            cause="for this number of classes a method is one of select, identity, " + ", ".join(known),
            fix="correct the name",
        )


def _weights(sample_weight: ArrayLike | None, rows: Any) -> Floats | None:
    if sample_weight is None:
        return None
    return np.asarray(_check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True))


def _demand_two(found: NDArray[Any]) -> None:
    if len(found) != 2:
        raise errors.ValueRangeError(
            "CAL-363",
            "labels of two classes are needed",
            cause=f"y holds {len(found)} class{'' if len(found) == 1 else 'es'}",
            fix="Only binary classification is supported. The type of the target is multiclass. "
            "Use CalibratedClassifier"
            if len(found) > 2
            else "bring rows of both classes",
        )


def _known(classes: NDArray[Any], y: NDArray[Any]) -> NDArray[np.int64]:
    """Labels as positions in ``classes``, which a frozen classifier has learnt before."""
    order = np.argsort(classes)
    where = np.minimum(np.searchsorted(classes, y, sorter=order), len(classes) - 1)
    numbers = order[where]
    if not (classes[numbers] == y).all():
        raise errors.ValueRangeError(
            "CAL-364",
            "some labels are unknown to the frozen classifier",
            cause="it was fitted on the classes " + ", ".join(map(str, classes.tolist())),
            fix="leave those rows out, or fit the classifier again",
        )
    return numbers.astype(np.int64)


# -------------------------------------------------------------------- the classifier inside


def _fit(estimator: Any, X: Any, y: NDArray[Any], weights: Floats | None) -> Any:
    if weights is None:
        return estimator.fit(X, y)
    if isinstance(estimator, Pipeline) and has_fit_parameter(estimator[-1], "sample_weight"):
        return estimator.fit(X, y, **{f"{estimator.steps[-1][0]}__sample_weight": weights})
    if has_fit_parameter(estimator, "sample_weight"):
        return estimator.fit(X, y, sample_weight=weights)
    warnings.warn(
        f"{type(estimator).__name__} takes no sample_weight: the weights count in the calibration only",
        UserWarning,
        stacklevel=3,
    )
    return estimator.fit(X, y)


def _respond(estimator: Any, X: Any, classes: NDArray[Any]) -> tuple[Floats, scales.Kind]:
    """Raw scores: shape (n,) of the second of two classes, else (n, K) in the order of ``classes``."""
    if hasattr(estimator, "predict_proba"):
        p = np.clip(np.asarray(estimator.predict_proba(X), np.float64), 0.0, 1.0)
        p = p / p.sum(axis=1, keepdims=True)
        columns = np.zeros((len(p), len(classes)))
        # a clone may have missed a class
        columns[:, _known(classes, np.asarray(estimator.classes_))] = p
        return (columns[:, 1], "probability") if len(classes) == 2 else (columns, "probability")
    margins = np.asarray(estimator.decision_function(X), np.float64)
    expected = (len(margins),) if len(classes) == 2 else (len(margins), len(classes))
    if margins.shape != expected or len(estimator.classes_) != len(classes):
        raise errors.UsageError(
            "CAL-474",
            "the classifier's decision function does not give one margin for each class",
            cause=f"its shape is {margins.shape}, {len(classes)} classes were seen",
            fix="use a classifier with predict_proba, or one margin per class (one against the rest)",
        )
    return margins, "logit"


def _responses(estimator: Any, X: Any, classes: NDArray[Any]) -> tuple[Floats, scales.Scale]:
    raw, kind = _respond(estimator, X, classes)
    return raw, _scale_of(raw, kind)


def _scale_of(raw: Floats, kind: scales.Kind) -> scales.Scale:
    """Margins count as log-odds; large ones of two classes are squeezed into the range where these are not clipped."""
    reach = float(np.abs(raw).max()) if kind == "logit" and raw.ndim == 1 and len(raw) else 0.0
    return scales.Scale("unbounded", 0.0, reach / MARGIN) if reach > MARGIN else scales.Scale(kind)
