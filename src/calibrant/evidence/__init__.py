"""Evidence: what the data say about a stream of scores, in a form that a decision can rest on.

Card
----
Lives here: the measurement of one group and of many cohorts, the verdict, the reliability diagram as data, drift
between windows, the recommendation with its proof. Comes in: summaries and checked rows. Goes out: documents as
plain data, each with n, uncertainty and reasons. Never: drawing, printing, exit codes.
"""
