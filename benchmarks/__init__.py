"""Benchmarks: Calibrant and its peers measured in one run, printed as ratios.

Card
----
Lives here: one file for each question, a clock, a table. Comes in: the number of rows. Goes out: rows of a
Markdown table for docs/benchmarks.md. Never: a number that was not measured in this run.
"""
