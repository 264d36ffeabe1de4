"""Diagnosis: what is wrong with a stream, said by named checks, and the causes behind it in order.

Card
----
Lives here: the facts that checks look at, the catalogue of checks (what is seen, why, the fix), the ranking of causes.
Comes in: a declaration, counts of events, evidence, drift, what the registry recorded. Goes out: findings with their
numbers, causes, questions that data cannot answer. Never: a store, a clock, a repair.
"""
