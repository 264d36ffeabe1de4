"""Fitting: summaries in, calibrators out, and the choice between them proved on rows they were not fitted on.

Card
----
Lives here: one file per method, each with ``fit(summary, *, scale=Scale()) -> calibrator``; ``grouped`` (what
every fit reads from a summary, and when it refuses); ``folds``, ``selection`` and ``cohorts``. Comes in:
summaries, or rows to be summarised by fold. Goes out: frozen calibrators, ``Selection``, ``CohortSelection``.
Never: files, clocks, hidden randomness, a map judged on the rows it was fitted on.
"""
