"""Where events and summaries lie: the stores behind the ports, their SQL as documents, their migrations.

Card
----
Lives here: the embedded store (SQLite and Parquet on a local disk), the PostgreSQL store, what both share. Comes in:
event tables, summaries. Goes out: the same, later. Never: a rule about what a label means, an answer that was not
fsynced, a name of a stream in a path.
"""
