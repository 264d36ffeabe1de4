"""A scikit-learn pipeline with calibrated probabilities, and a classifier that was fitted long ago (extra: sklearn)."""

from __future__ import annotations

from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from calibrant.calibrators import codec
from calibrant.integrations.scikit_learn import CalibratedClassifier

features, labels = make_classification(20_000, 20, n_informative=6, random_state=0)
fit_rows, test_rows, fit_labels, test_labels = train_test_split(features, labels, random_state=0)

raw = make_pipeline(StandardScaler(), GaussianNB()).fit(fit_rows, fit_labels)
inside = CalibratedClassifier(make_pipeline(StandardScaler(), GaussianNB())).fit(fit_rows, fit_labels)
for name, model in (("raw", raw), ("calibrated", inside)):
    print(f"log loss {name}: {log_loss(test_labels, model.predict_proba(test_rows)):.4f}")
print(f"chosen: {inside.selection_.method} ({inside.selection_.reason})")

# a model in production: leave it alone, calibrate it on rows that it has not seen
afterwards = CalibratedClassifier(FrozenEstimator(raw)).fit(test_rows[:2_500], test_labels[:2_500])
print(f"log loss afterwards: {log_loss(test_labels[2_500:], afterwards.predict_proba(test_rows[2_500:])):.4f}")
print(f"the map alone, {len(codec.dumps(codec.Document(afterwards.calibrator_)))} bytes, needs no scikit-learn")
