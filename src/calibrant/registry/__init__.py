"""The registry as values and pure rules: who may do what to artifacts and bindings, and what becomes of them.

Card
----
Lives here: states of artifacts, bindings, principals, roles, approvals; each command as a function from what is to the
changes that it asks for. Comes in: resources, a principal, the time. Goes out: changes, or a refusal that says why.
Never: a store, a signature made, the time of day.
"""
