"""What lives in other people's processes: which unit gets which artifact.

Card
----
Lives here: the assignment of units to arms. Comes in: the name of a rollout, a unit, the width of the arms. Goes out:
a bucket and an arm, the same in every process and language. Never: anything but calibrators and the standard library,
a store, the network, a choice that depends on when it is asked.
"""
