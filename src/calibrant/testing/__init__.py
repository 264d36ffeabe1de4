"""For whoever writes a store, a stream consumer or a test: exams of the ports, a clock that obeys, made-up events.

Card
----
Lives here: contract suites (pytest classes; a store passes them or is none), a fake clock, Hypothesis strategies,
a state machine, faults done to made-up feeds. Comes in: a way to open a store. Goes out: failures with a reason.
Never: imported by what runs in production. Needs ``pip install 'calibrant[test]'``.
"""
