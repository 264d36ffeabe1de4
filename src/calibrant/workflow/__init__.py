"""The one room that knows the order: ingest, join, summarise, assess; and what people ask about a stream.

Card
----
Lives here: taking in files of events with exact counts, keeping summaries up to date, the matured evidence of a
window, the state of a stream, the choice of cases to label. Comes in: a declared stream, the ports of a store, a
time. Goes out: frozen answers. Never: SQL, the name of a store, a clock of its own, a printed line.
"""
