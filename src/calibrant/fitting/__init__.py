"""Fitting: summaries in, calibrators out, and the choice between them proved on rows they were not fitted on.

Card
----
Lives here: one file per method, each with ``fit(summary, *, scale=Scale()) -> calibrator``; ``grouped`` (what
every fit reads from a summary, and when it refuses); ``folds``, ``selection`` and ``cohorts``; ``online`` (a line that
follows the labels) and ``windows`` (how far back to fit). Comes in: summaries, or rows to be summarised by fold.
Goes out: frozen calibrators, ``Selection``, ``CohortSelection``, ``OnlineState``, ``Choice``.
Never: files, clocks, hidden randomness, a map judged on the rows it was fitted on.
"""
