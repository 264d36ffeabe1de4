"""Second places of the audit log: a folder, best on another disk or another machine's.

Card
----
Lives here: the journal that a copy is written as, and the limit on how long it may take. Comes in: entries and notes.
Goes out: what was told. Never: a decision about what it means that the log says something else.
"""
