"""A host's name as it stands in a ``Host`` header, in a URL, or in ``[server] allowed_hosts``."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

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


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
