"""Predictions and labels as they arrive, checked one by one before anything is kept.

Card
----
Lives here: the two events as values and as Arrow batches, their digests, the wire formats, masking, every reason to
refuse an item. Comes in: bytes, CloudEvents, tables, values, and the stream that declares what they mean. Goes out:
``Parsed``: a batch of what is good and one ``Rejected`` for each item that is not. Never: a store, a join, a value of
a refused item in a message, a batch lost for one bad item.
"""
