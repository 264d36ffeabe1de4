"""Contents by their digest: a folder on a local disk, or a bucket of an object storage.

Card
----
Lives here: the two implementations of ``ports.contents`` and how an address chooses one. Comes in: bytes, digests. Goes
out: exactly those bytes, or an error. Never: a name from outside in a path, bytes whose digest was not checked.
"""

from calibrant.storage.contents.address import open_contents

__all__ = ["open_contents"]
