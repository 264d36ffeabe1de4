"""Backup of an installation that lies in a folder, and its restoration into another one.

Card
----
Lives here: the archive's form, the order in which things are copied while others write, what is compared before either
is called done. Comes in: a project's folder, or an archive. Goes out: one file with the digest of everything in it, or
a folder. Never: a private key that nobody asked for, a file under a name that we do not give, half a folder.
"""
