"""What exactly is signed: DSSE's pre-authentication encoding, which binds the type of a payload to its bytes."""

from __future__ import annotations

from typing import Final

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """DSSE v1 pre-authentication encoding.

    Source: https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md

    >>> pae(b"hello world", "http://example.com/HelloWorld")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
