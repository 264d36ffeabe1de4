"""Fitted maps as values: frozen data with one verb, ``apply``.

Card
----
Lives here: every kind of calibrator, the declared score scales, the JSON form and the exports. Comes in: fitted
parameters and raw scores. Goes out: calibrated probabilities. Never: fitting, scipy, pickle.
"""
