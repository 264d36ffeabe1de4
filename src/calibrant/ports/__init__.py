"""What the workflow asks of the world: one capability per file, as a Protocol with its promises in words.

Card
----
Lives here: Protocols and the values that cross them. Comes in: event tables, summaries,
times. Goes out: the same, kept. Never: SQL, files, the name of a concrete store.
"""
