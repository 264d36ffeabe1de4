"""Advice: what to do about a stream, from evidence and policy alone.

Card
----
Lives here: the smallest change that helps (none, collect labels, a new artifact or threshold, roll back, retrain), its
expected effect, what holds it back (cooldown, freeze, damping, latch), and the states of a recommendation. Comes in:
matured pairs, maps, policies, what happened before. Goes out: a recommendation with reasons. Never: a clock, a store,
a change made.
"""
