"""The commented example that ``calibrant init`` writes: a file that lints clean and says what to change."""

from __future__ import annotations

import re

from calibrant import errors
from calibrant.streams import bounds

_TEMPLATE = """\
# One stream: one flow of scores from one decision point. Check it with: calibrant lint {name}.yaml
apiVersion: calibrant/v1
kind: Stream

metadata:
  name: {name}                # lower-case letters, digits, dots and dashes; part of paths and addresses
  owner: my-team              # who answers for it
  runbook: https://example.org/runbooks/{name}
  description: Which decision is taken with these scores, and what happens when they are wrong.

spec:
  target: probability         # or rate: labels in [0, 1] instead of 0 and 1
  scale: probability          # or percent, logit, unbounded:0,1 (center, spread)

  labels:
    horizon: 30d              # a label counts when it is dated at most this long after its prediction
    implicitNegative: false   # true: no label by the horizon means 0, as with chargebacks
    terminal: []              # [0, 1]: every label is final at once and need not wait for the horizon
    conflicts: last_revision  # or labeler_priority (with priority: [...]), majority_vote, reject
    orphans: 7d               # how long a label may wait for its prediction

  cohorts:                    # groups looked at one by one; further values are counted as __other__
    - field: country
      cap: 250
    - field: channel
      cap: 10

  unit: account               # what a label attaches to: keeps one account out of both fit and validation
  context:                    # what else is kept of an event; what is not listed is dropped
    allow: [amount]
    hmac: [account]           # identifiers, kept as a keyed hash
    drop: [email]
    maxBytes: 2048

  retention: 400d             # events older than this are deleted; longer than the horizon
  partition: day              # or hour, for short horizons
  sampling: 1.0               # the share of predictions that is sent at all

  source:
    type: managed             # events come to Calibrant: calibrant ingest {name} predictions.jsonl
    # type: table             # or they already lie in tables, which stay where they are:
    # engine: duckdb          # bigquery, clickhouse, databricks, files, polars, postgres, snowflake, spark, trino
    # predictions: scores     # the table or file pattern
    # labels: outcomes
    # columns:                # event member: column, where the names differ
    #   predictions.id: transaction_id
    #   predictions.score: p_fraud
    #   labels.prediction: transaction_id
"""


def example(name: str = "my-stream") -> str:
    """The example for a stream of this name."""
    if not re.fullmatch(bounds.NAME, name):
        raise errors.UsageError(
            "CAL-801",
            "the name of the stream is not allowed",
            cause=f"it does not match {bounds.NAME}",
            fix="use lower-case letters, digits, dots and dashes",
        )
    return _TEMPLATE.format(name=name)
