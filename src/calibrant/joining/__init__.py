"""Predictions meet their labels: which pairs count, as of when, and what became of everything else.

Card
----
Lives here: the label policies, maturity, cohort caps, the reference join on Arrow tables, the same join as one
expression for engines, tests of label bias and leakage. Comes in: tables of predictions and labels, or the names of
tables in some engine. Goes out: ``Joined``: a summary by model and cohort, and exact counts. Never: a store, a clock,
a row dropped without being counted.
"""
