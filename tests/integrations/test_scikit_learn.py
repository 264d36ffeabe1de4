"""The scikit-learn estimators: their own checks, and that they learn what Calibrant's fits learn."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from calibrant import errors
from calibrant.calibrators import codec, identity, logistic, multiclass, scales
from calibrant.fitting import platt, selection
from calibrant.integrations import scikit_learn
from calibrant.integrations.scikit_learn import CalibratedClassifier, ReliabilityDisplay, ScoreCalibrator
from calibrant.stats import summary

PIPELINE = "Pipeline's own: it fits the steps that it was given"
#: check -> why it cannot pass.
EXPECTED: dict[str, dict[str, str]] = {
    "CalibratedClassifier": {},
    "Pipeline": {
        "check_estimators_overwrite_params": PIPELINE,
        "check_dont_overwrite_parameters": PIPELINE,
        "check_estimator_sparse_tag": "Pipeline's own: PCA takes sparse arrays although the tag of the whole says no",
    },
}


def expected_failures(estimator: Any) -> dict[str, str]:
    return EXPECTED.get(type(estimator).__name__, {})


@parametrize_with_checks(
    [
        CalibratedClassifier(LogisticRegression()),
        # scikit-learn does not check estimators of one-dimensional scores; behind a PCA they meet all its checks
        make_pipeline(PCA(n_components=1), ScoreCalibrator(scale="unbounded")),
    ],
    expected_failed_checks=expected_failures,
)
@pytest.mark.filterwarnings("ignore")  # the checks provoke the warnings that they look for
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    """All of them, with the few that cannot pass listed above, each with its reason."""
    check(estimator)


def binary(n: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return make_classification(n, 20, n_informative=6, n_redundant=8, flip_y=0.05, random_state=seed)


def several(n: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return make_classification(n, 20, n_informative=8, n_redundant=6, n_classes=4, flip_y=0.05, random_state=seed)


# ---------------------------------------------------------------- scores that exist already


def test_the_map_is_the_one_that_the_fit_gives() -> None:
    """A named method on named labels: parameters of the plain fit on the same rows."""
    rng = np.random.default_rng(0)
    p = rng.random(500)
    y = np.where(rng.random(500) < p**2, "yes", "no")
    w = rng.exponential(size=500)
    found = ScoreCalibrator(method="platt").fit(p, y, sample_weight=w)
    assert found.calibrator_ == platt.fit(summary.summarise(p, y == "yes", weights=w, grid="distinct"))
    assert found.classes_.tolist() == ["no", "yes"]
    assert found.predict_proba(p).shape == (500, 2)
    assert np.array_equal(found.predict(p), np.where(found.transform(p) > 0.5, "yes", "no"))
    assert np.array_equal(found.transform(p[:, None])[:, 0], found.transform(p))


def test_selection_is_calibrants_with_its_proof() -> None:
    """Identity for calibrated scores, a map with a proved gain for others; groups go to the folds."""
    rng = np.random.default_rng(1)
    p = rng.random(2000)
    kept = ScoreCalibrator().fit(p, rng.random(2000) < p)
    assert kept.calibrator_ == identity.Identity()
    overconfident = scales.expit(2.5 * scales.logit(p))
    found = ScoreCalibrator().fit(overconfident, rng.random(2000) < p, groups=np.arange(2000) // 4)
    assert isinstance(found.selection_, selection.Selection)
    assert found.selection_.scheme == "groups"
    assert found.selection_.gain.low > 0.0
    assert np.abs(found.transform(overconfident) - p).mean() < 0.02


def test_scores_off_their_scale_and_wrong_names_are_refused() -> None:
    """Each with its code; nothing is guessed."""
    p, y = np.linspace(0, 100, 40), np.tile([0, 1], 20)
    with pytest.raises(errors.ValueRangeError, match="CAL-362"):
        ScoreCalibrator().fit(p, y)
    assert ScoreCalibrator(scale="percent", method="identity").fit(p, y).transform([50.0]) == [0.5]
    with pytest.raises(errors.UsageError, match="CAL-473"):
        ScoreCalibrator(method="vector", scale="percent").fit(p, y)
    with pytest.raises(errors.ValueRangeError, match="CAL-361"):
        ScoreCalibrator(scale="percent").fit(np.stack([p, p], axis=1), y)
    with pytest.raises(errors.ValueRangeError, match="CAL-363"):
        ScoreCalibrator(scale="percent").fit(p, np.arange(40) % 3)
    with pytest.raises(NotFittedError):
        ScoreCalibrator().transform([0.5])


# ---------------------------------------------------------------- classifiers


@pytest.mark.parametrize("make", [binary, several])
def test_calibration_pays_on_rows_that_nobody_saw(make: Any) -> None:
    """Naive Bayes is overconfident: the wrapped one has a smaller log loss on fresh rows, with 2 and with 4 classes."""
    X, y = make(6000)
    raw = GaussianNB().fit(X[:3000], y[:3000])
    found = CalibratedClassifier(GaussianNB()).fit(X[:3000], y[:3000])
    assert found.selection_.method != "identity"
    before, after = (log_loss(y[3000:], each.predict_proba(X[3000:])) for each in (raw, found))
    assert after < before - 0.05
    assert np.allclose(found.predict_proba(X).sum(axis=1), 1.0)


@pytest.mark.parametrize("make", [binary, several])
def test_a_frozen_classifier_is_left_alone(make: Any) -> None:
    """Its own object answers, and the map is the selection on exactly the rows that were given."""
    X, y = make()
    inner = GaussianNB().fit(X[:1500], y[:1500])
    found = CalibratedClassifier(FrozenEstimator(inner)).fit(X[1500:], y[1500:])
    assert found.estimator_.estimator is inner
    raw = inner.predict_proba(X[1500:])
    calibrated = found.calibrator_.apply(raw[:, 1] if len(found.classes_) == 2 else raw)
    answer = found.predict_proba(X[1500:])
    assert np.allclose(answer[:, 1] if len(found.classes_) == 2 else answer, calibrated)
    assert found.selection_.method != "identity"


def test_a_frozen_classifier_keeps_its_classes() -> None:
    """Rows that lack a class are fine, rows of an unknown class are not."""
    X, y = several()
    inner = FrozenEstimator(GaussianNB().fit(X, y))
    few = y != 2
    found = CalibratedClassifier(inner, method="structured_vector").fit(X[few], y[few])
    assert found.classes_.tolist() == [0, 1, 2, 3]
    with pytest.raises(errors.ValueRangeError, match="CAL-364"):
        CalibratedClassifier(inner).fit(X, y + 1)


def test_margins_count_as_log_odds() -> None:
    """A linear SVM has no probabilities; Platt scaling of its margins is one logistic regression."""
    X, y = binary()
    found = CalibratedClassifier(LinearSVC(), method="platt").fit(X, y)
    assert isinstance(found.calibrator_, logistic.Platt)
    assert found.calibrator_.scale.kind == "logit"
    margins = found.estimator_.decision_function(X)
    direct = logistic.Platt(found.calibrator_.slope, found.calibrator_.intercept, scales.Scale("logit"))
    assert np.allclose(found.predict_proba(X)[:, 1], direct.apply(margins))
    large = CalibratedClassifier(LinearSVC(C=1.0), method="platt").fit(1000.0 * X, y)
    assert np.isfinite(np.log(large.predict_proba(1000.0 * X))).all()


def test_many_margins_are_logits_and_pairs_are_refused() -> None:
    """One margin for each class is a row of logits; one for each pair of classes is not."""
    X, y = several(600)
    found = CalibratedClassifier(LinearSVC(), method="structured_matrix").fit(X, y)
    assert isinstance(found.calibrator_, multiclass.MatrixScaling)
    assert found.calibrator_.scale.kind == "logit"
    with pytest.raises(errors.UsageError, match="CAL-474"):
        CalibratedClassifier(SVC(decision_function_shape="ovo")).fit(X, y)


def test_a_clone_that_misses_a_class_says_zero_for_it() -> None:
    """Folds in which a rare class is not among the training rows do not shift columns."""
    X, y = several(400)
    y[:] = y % 3
    y[:3] = 3
    found = CalibratedClassifier(GaussianNB(), method="temperature", cv=KFold(4)).fit(X, y)
    assert found.predict_proba(X).shape == (400, 4)
    assert found.classes_.tolist() == [0, 1, 2, 3]


def test_weights_reach_classifier_and_map_also_through_a_pipeline() -> None:
    """Weight 0 is as good as absent for what is learnt inside; a classifier without weights is named in a warning."""
    X, y = binary(800)
    w = np.where(np.arange(800) < 400, 1.0, 1e-12)
    inner = make_pipeline(StandardScaler(), LogisticRegression())
    found = CalibratedClassifier(inner, method="identity").fit(X, y, sample_weight=w)
    bare = LogisticRegression().fit(StandardScaler().fit(X).transform(X)[:400], y[:400])
    assert np.allclose(found.estimator_[-1].coef_, bare.coef_, atol=1e-3)
    with pytest.warns(UserWarning, match="KNeighborsClassifier takes no sample_weight"):
        CalibratedClassifier(KNeighborsClassifier(), method="identity").fit(X, y, sample_weight=w + 1.0)


def test_it_lives_in_scikit_learns_world() -> None:
    """clone, get_params, grid search over the inner model and the method, cross-validation, pickling."""
    X, y = binary(600)
    wrapped = CalibratedClassifier(RandomForestClassifier(5, random_state=0), method="platt", cv=2)
    again = clone(wrapped)
    assert again.get_params()["estimator__n_estimators"] == 5
    grid = {"estimator__max_depth": [2, 6], "method": ["platt", "beta"]}
    search = GridSearchCV(wrapped, grid, scoring="neg_log_loss", cv=2).fit(X, y)
    assert search.best_params_["method"] in ("platt", "beta")
    whole = Pipeline([("scale", StandardScaler()), ("model", search.best_estimator_)])
    assert cross_val_score(whole, X, y, cv=2, scoring="neg_brier_score").mean() > -0.2
    fitted = whole.fit(X, y)
    restored = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(restored.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize("make", [binary, several])
def test_the_map_can_leave_scikit_learn(make: Any) -> None:
    """calibrator_ is a value of its own: it goes through a file and gives the same probabilities."""
    X, y = make(1500)
    found = CalibratedClassifier(GaussianNB()).fit(X, y)
    read = codec.loads(codec.dumps(codec.Document(found.calibrator_))).calibrator
    raw = found.estimator_.predict_proba(X)
    p = read.apply(raw[:, 1]) if len(found.classes_) == 2 else read.apply(raw)
    answer = found.predict_proba(X)
    assert np.allclose(p, answer[:, 1] if len(found.classes_) == 2 else answer, atol=1e-12)


def test_folds_that_leave_rows_out_are_refused() -> None:
    """A time series split judges no early row, so these rows have no score to calibrate on."""
    X, y = binary(300)
    with pytest.raises(errors.UsageError, match="CAL-471"):
        CalibratedClassifier(GaussianNB(), cv=TimeSeriesSplit(3)).fit(X, y)


# ---------------------------------------------------------------- drawing and doing without


def test_a_diagram_from_a_classifier() -> None:
    """from_estimator draws the wanted class against all others, the same as from_predictions."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    X, y = several()
    model = GaussianNB().fit(X[:1500], y[:1500])
    _, ax = pyplot.subplots()
    found = ReliabilityDisplay.from_estimator(model, X[1500:], y[1500:], pos_label=2, ax=ax)
    assert found.ax_ is ax
    assert found.name == "GaussianNB"
    other = ReliabilityDisplay.from_predictions(y[1500:] == 2, model.predict_proba(X[1500:])[:, 2])
    assert np.array_equal(found.reliability.curve.rate, other.reliability.curve.rate)
    with pytest.raises(errors.UsageError, match="CAL-472"):
        ReliabilityDisplay.from_estimator(model, X, y, pos_label="two")
    pyplot.close("all")


def test_without_scikit_learn_the_error_names_the_extra() -> None:
    """In a fresh interpreter in which sklearn cannot be imported."""
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from calibrant import errors\n"
        "try:\n    import calibrant.integrations.scikit_learn\n"
        "except errors.MissingExtraError as error:\n    print(error.code, error.fix)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "CAL-701 pip install 'calibrant[sklearn]'"


def test_nothing_else_imports_scikit_learn() -> None:
    """The estimators are the only way in."""
    assert scikit_learn.__name__ == "calibrant.integrations.scikit_learn"
    code = (
        "import sys, calibrant.fitting.multiclass_selection, calibrant.stats.forecast; print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
