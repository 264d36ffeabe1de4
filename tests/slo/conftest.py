"""Labels, readings and alerts by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from calibrant.slo import alerts, labels

RUNBOOK = {"runbook_url": "https://example.org/fraud"}


def labelled(**more: Any) -> labels.Labels:
    """A page about the whole stream."""
    return labels.Labels(
        **{"alertname": "CalibrationBurn", "severity": "page", "stream": "fraud", "kind": "burn"} | more
    )


@pytest.fixture
def named() -> Callable[..., labels.Labels]:
    """A way to make labels."""
    return labelled


@pytest.fixture
def fired() -> Callable[..., alerts.Alert]:
    """A way to make an alert that has fired."""

    def make(*, episode: int = 1, status: alerts.Status = "firing", **more: Any) -> alerts.Alert:
        return alerts.Alert(
            labelled(**more), status, episode, 10, 20, 30 if status == "resolved" else None, RUNBOOK, None
        )

    return make
