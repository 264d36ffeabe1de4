"""From calibrated scores to a threshold that somebody can defend.

Card
----
Lives here: thresholds from costs, precision, recall and capacity, and the expected cost curve. Comes in: a
summary of calibrated scores and what the decision is worth. Goes out: a ``Choice`` with expected effect and
intervals. Never: fitting, files, clocks.
"""
