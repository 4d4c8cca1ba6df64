"""Which addresses a destination may have: looked at when a connection is made, whatever name led there.

Invariant: no packet goes to an address that is refused here, also where a name has it beside another one.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"))
)
"""Where clouds tell their machines secrets, beyond 169.254.169.254: Alibaba, Azure, Oracle, AWS and Google by IPv6."""

EMBEDDING = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96")))
"""Addresses that end with one of IPv4: those of NAT64, of SIIT, and the first form that IPv6 had."""

NAT64_WITHIN = ipaddress.IPv6Network("64:ff9b:1::/48")
"""NAT64 within a network: where the address of IPv4 stands, that network decides."""
_PLACES = ((6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12), (12, 13, 14, 15))
"""The bytes of it behind prefixes of 48, 56, 64 and 96 bits (RFC 6052, 2.2)."""


class AddressRefused(OSError):
    """A destination's name leads to an address that is never called."""


def refusal(text: str, *, allow_private: bool) -> str | None:
    """Say why an address is not called; None for one that may be."""
    meant = tuple(_meant(ipaddress.ip_address(text.partition("%")[0])))
    if any(one.is_link_local or one in METADATA for one in meant):
        return f"{text} is link-local, or tells a cloud's machines their secrets: it is never called"
    if not allow_private and not all(map(_is_public, meant)):
        return f"{text} is a private address, and allow_private is false"
    return None


def _is_public(address: Address) -> bool:
    # Site-local addresses are what private ones of IPv6 were: networks that have them still route them.
    return address.is_global and not (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)


def _meant(address: Address) -> Iterator[Address]:
    """Give the address that another one leads to, or all that it may lead to."""
    if not isinstance(address, ipaddress.IPv6Address):
        yield address
    elif any(address in network for network in EMBEDDING) and not (address.is_loopback or address.is_unspecified):
        yield ipaddress.IPv4Address(address.packed[-4:])
    elif address in NAT64_WITHIN:
        yield address
        yield from (ipaddress.IPv4Address(bytes(address.packed[at] for at in places)) for places in _PLACES)
    else:
        _, client = address.teredo or (None, None)
        yield address.ipv4_mapped or address.sixtofour or client or address


class Sockets:
    """Makes sockets for a connector, and none for an address that is refused."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    def __call__(self, info: tuple[Any, ...]) -> socket.socket:
        """Make a socket for what ``getaddrinfo`` gave.  Raises AddressRefused."""
        family, kind, protocol, _, address = info
        if (why := refusal(str(address[0]), allow_private=self._allow_private)) is not None:
            raise AddressRefused(why)
        return socket.socket(family=family, type=kind, proto=protocol)
