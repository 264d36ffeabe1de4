"""Other people's libraries: one file is one library is one extra.

Card
----
Lives here: adapters to optional packages. Comes in: Calibrant's own values. Goes out: objects of the other library.
Never: statistics of its own, an import that hides that the package is missing.
"""
