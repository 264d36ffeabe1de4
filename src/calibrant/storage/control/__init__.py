"""The control store on SQL: SQLite for one machine, PostgreSQL for teams; one schema, one set of rules.

Card
----
Lives here: the two databases, what both share (reading, committing), the steps of the schema up and down. Comes in:
commands. Goes out: revisions, entries, nodes of the tree. Never: a rule about who may do what, a change without its
entry, a signature.
"""
