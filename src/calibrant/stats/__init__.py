"""Mathematics of calibration: arrays in, frozen results out.

Card
----
Lives here: the summary and every measure computed from it, one concept a file. Comes in: numpy arrays and
summaries. Goes out: ``Estimate``, ``Insufficient`` and small frozen results. Never: files, clocks, hidden
randomness, words of the product.
"""
