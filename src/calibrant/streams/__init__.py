"""What a stream is: one flow of scores from one decision point, declared once and read by everyone.

Card
----
Lives here: the declaration as frozen values, its YAML file, lint, JSON Schema and commented example. Comes in: values
or the text of one YAML file. Goes out: ``Stream``, findings with path and line, canonical YAML, JSON Schema. Never:
an event, a store, a clock, a default that hides a decision which only the owner can take.
"""
