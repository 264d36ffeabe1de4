"""Artifacts that tests seal: one small map, a threshold that reads it, keys, a trust policy."""

from __future__ import annotations

from typing import Any

import pytest

from calibrant.artifacts import document, folder, keys, provenance, trust
from calibrant.calibrators import logistic

MAP = logistic.Platt(1.1, -0.25)
EVIDENCE = b'{"verdict":"passed"}\n'
SEALED_US = 1_780_000_000_000_000
DAY_US = 86_400_000_000
PROVENANCE = provenance.Provenance(
    approach="recommend",
    code=provenance.Code("0.1.0", "3.11.7", "2.4.6", "1.17.1"),
    source=provenance.Source("stream", "fraud"),
    data_digest="sha256:" + "1" * 64,
    window_us=(SEALED_US - 30 * DAY_US, SEALED_US - DAY_US),
    as_of_us=SEALED_US,
    rows=20_000,
    method="platt",
    candidates=("identity", "platt"),
    seed=7,
    options=provenance.FitOptions(
        (), "costs fp=1 fn=20", {"cost_fp": 1.0, "cost_fn": 20.0}, 0.02, 0.95, 200, None, None, None, None
    ),
)


@pytest.fixture
def artifact() -> document.Artifact:
    """fraud@7 with everything in it."""
    threshold = document.Threshold(
        "review", 0.37, "costs fp=1 fn=20", {"cost": 0.125}, document.map_digest(MAP), "probability"
    )
    return document.Artifact(
        stream="fraud",
        version=7,
        selector={"model": "m-2013"},
        calibrator=MAP,
        thresholds=(threshold,),
        provenance=PROVENANCE,
        parent="sha256:" + "2" * 64,
        evidence=document.digest(EVIDENCE),
        sealed_at_us=SEALED_US,
        expires_us=SEALED_US + 90 * DAY_US,
    )


@pytest.fixture
def key() -> keys.PrivateKey:
    return keys.generate()


@pytest.fixture
def files(artifact: document.Artifact) -> dict[str, bytes]:
    """The unsigned files of fraud@7."""
    return folder.files(document.dumps(artifact), EVIDENCE)


def trusted(key: keys.PrivateKey, **changes: Any) -> trust.TrustedKey:
    """The key's place in a trust policy: alice's, for artifacts, from a year before the sealing on."""
    members: dict[str, Any] = {"owner": "alice", "purposes": ("artifact",), "not_before_us": SEALED_US - 365 * DAY_US}
    return trust.TrustedKey(key.public.pem.decode(), **(members | changes))


@pytest.fixture
def policy(key: keys.PrivateKey) -> trust.TrustPolicy:
    return trust.TrustPolicy((trusted(key),))
