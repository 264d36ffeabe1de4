"""Readiness: the checklists before production, in production and for incidents, held against what really is.

Card
----
Lives here: what is known of a stream (facts), the items of the checklists (events, decisions), their run (checklist).
Comes in: a declaration, events, the registry, the channels. Goes out: an answer for each item with its reason and what
to do. Never: changing anything, passing an item for want of data.
"""
