"""Addresses that something is sent to, read strictly: what two readers could read differently is refused."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from calibrant import errors

_FORM: Final = re.compile(
    r"(?P<scheme>[a-z]{2,8})://"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,2000}(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,2000})?)?",
    re.ASCII,
)
_PORTS: Final = {"https": 443, "http": 80, "smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Address:
    """``host`` is a name or an IP address without brackets; ``path`` begins with a slash and holds the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as a URL has them; the usual port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is written as an address of this machine; names are not looked up."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


def parse(text: str, *, schemes: tuple[str, ...] = ("https", "http")) -> Address:
    """Read an address: no user, no fragment, no blank, no letter beyond ASCII.

    >>> parse("https://hooks.example.org/a?b=c")
    Address(scheme='https', host='hooks.example.org', port=443, path='/a?b=c')
    """
    found = _FORM.fullmatch(text)
    if found is None or found["scheme"] not in schemes:
        raise errors.UsageError(
            "CAL-845",
            "this is not an address that is sent to",
            cause="it is not of the form " + " or ".join(f"{one}://host:port/path" for one in schemes),
            fix="write it without user, password, fragment and blanks, and names beyond ASCII in punycode",
        )
    port = int(found["port"] or _PORTS[found["scheme"]])
    host = found["host"].strip("[]")
    if port > 65_535 or ".." in host:
        raise errors.UsageError(
            "CAL-845", "this is not an address that is sent to", cause="its host or port cannot be", fix="correct it"
        )
    return Address(found["scheme"], host, port, found["path"] or "/")
