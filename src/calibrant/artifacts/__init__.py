"""Artifacts: the sealed and signed unit of maps and thresholds, and whether one may be trusted.

Card
----
Lives here: the artifact document and its closed schema, keys, signatures, the trust policy, verification. Comes in:
calibrators, bytes. Goes out: documents, digests, verdicts. Never: a store, a clock of its own, code from a file.

It stands low in the house, because it is also loaded into the processes that serve scores.
"""
