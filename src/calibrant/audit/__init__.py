"""The audit log as mathematics: entries, the Merkle tree over them, proofs, signed checkpoints.

Card
----
Lives here: what an entry says, how a tree is hashed, what a proof proves. Comes in: bytes, hashes, keys. Goes out:
the same, and findings that name the first bad entry. Never: a store, a file, the time of day.
"""
