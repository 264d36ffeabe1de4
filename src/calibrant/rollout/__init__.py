"""How a candidate comes to everybody, or back: one rollout as values and pure functions.

Card
----
Lives here: the plan of a rollout, its state, signals and commands, what a guard's reading means, which binding each
step asks for, what was rolled back before. Comes in: a state and a signal (a look at readings, a person's word). Goes
out: the next state and commands, or a refusal. Never: a store, the time of day, how a reading was computed.
"""
