"""What the workflow asks of the world: one capability per file, as a Protocol with its promises in words.

Card
----
Lives here: Protocols, the values that cross them, the errors a store may raise. Comes in: event tables, summaries,
times. Goes out: the same, kept. Never: SQL, files, the name of a concrete store.
"""
