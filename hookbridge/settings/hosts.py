"""A host's name or address as it stands in a header, in a URL, or in ``[server]``."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"(?:\[(?P<address>[^\[\]]+)\]|(?P<name>[^:\[\]/@\s]+))(?::\d*)?")


@lru_cache(maxsize=256)  # every request asks, and nearly all of them the same
def name_of(host: str) -> str:
    """Give the one form of a name, without port and brackets; empty for what names no host.

    Addresses and names in Unicode have several forms (https://datatracker.ietf.org/doc/html/rfc5891).
    """
    if (address := _address(host)) is not None:  # people write those of IPv6 without brackets
        return address
    found = _HOST.fullmatch(host)
    if found is None:
        return ""
    if found["address"]:
        return _address(found["address"]) or ""
    name = found["name"].removesuffix(".").lower()
    if name.isascii():
        return _address(name) or name
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return ""


def is_loopback(name: str) -> bool:
    """Whether a name, as ``name_of`` gives it, means the machine itself."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def address_of(text: str) -> Address | None:
    """Read an address as proxies write one: with or without port, brackets and zone; None for anything else.

    An IPv4 address is that one also where a socket of both kinds writes it as ``::ffff:…``.
    """
    found = _HOST.fullmatch(text)
    bare = (found["address"] or found["name"]) if found else text
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def network_of(text: str) -> Network | None:
    """Read a network (``10.0.0.0/8``), or an address as the network of it alone; None for anything else."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
