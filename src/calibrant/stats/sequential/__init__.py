"""Mathematics of time: what may be looked at after every label and still keeps its promise.

Card
----
Lives here: ``monitor`` (is it still calibrated, since when), ``paired`` (which of two maps loses less), ``counts``
(sample ratio, one rate against a limit), and what they are made of. Comes in: labels in the order in which they
arrive. Goes out: states, frozen values that are updated into new ones and kept as JSON. Never: a clock, a batch whose
size changes the answer, a p-value that holds for one look only.
"""
