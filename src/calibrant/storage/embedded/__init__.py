"""The default store: a folder on a local disk, without a server; SQLite for what is hot, Parquet for what is sealed.

Card
----
Lives here: the folder's layout, locks, connections, segments. Comes in: what the shared code of ``storage`` decides.
Goes out: bytes on disk, fsynced. Never: a network file system (locks and fsync do not hold there), a second writer.

    <root>/events.sqlite        streams, identities, hot pieces, the manifest of segments, summaries
    <root>/segments/<hash>/     immutable Parquet files, one or more for each closed partition of the stream
    <root>/writer.lock          held by the one process that writes
    <root>/readers.lock         held, shared, by whoever reads: files are only removed when nobody does
"""

from calibrant.storage.embedded.store import open_reader, open_store

__all__ = ["open_reader", "open_store"]
