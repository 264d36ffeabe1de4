"""Objectives and alerts: what is promised about a stream, how fast the promise is used up, and who is told.

Card
----
Lives here: time slices judged good or bad, budgets, burn rates; the life of an alert, silences, inhibition, grouping,
what is still to be told to whom. Comes in: summaries, counts, readings, the time as a number. Goes out: statuses, the
next state of an alert, messages. Never: I/O, a clock, a name of a vendor, an average of ratios.
"""
