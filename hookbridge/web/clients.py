"""Whose request it is: the address of the sender itself, also where proxies stand between.

Each proxy of a chain writes down whom it heard, behind what it was given (``X-Forwarded-For``, or ``Forwarded``,
https://datatracker.ietf.org/doc/html/rfc7239).  Anybody can send such a header, so it is believed only as far as
``[server] trusted_proxies`` wrote it: from its end to the first address that is none of them, which is the sender's.
Invariants: without a trusted proxy next to us no header is looked at; nobody gets another address into our lists than
one that a trusted proxy has heard, or that proxy's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from aiohttp import web
from multidict import CIMultiDictProxy

from hookbridge.settings.hosts import Address, Network, address_of, network_of
from hookbridge.web.keys import PROXIES

Headers = CIMultiDictProxy[str]

_FOR = re.compile(r"""(?:^|;)\s*for\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s;"]+))\s*(?=;|$)""", re.IGNORECASE)
"""An element of ``Forwarded``: pairs with semicolons between them, in any order."""


def client(request: web.BaseRequest) -> str | None:
    """Give the address of who sent a request, as far as it is known; None when the connection is gone."""
    if not isinstance(request, web.Request) or not request.headers:
        return request.remote  # what is no HTTP has no headers to read, and no application either
    return sender(request.remote, request.headers, request.app[PROXIES])


def proxies_of(written: Iterable[str]) -> tuple[Network, ...]:
    """Give ``trusted_proxies``, which settings have looked at already."""
    return tuple(network for one in written if (network := network_of(one)) is not None)


def sender(peer: str | None, headers: Headers, proxies: tuple[Network, ...]) -> str | None:
    """Give the address behind a connection from ``peer``."""
    heard = address_of(peer or "")
    if heard is None or not _among(heard, proxies):
        return peer
    chains = [chain for chain in (list(_forwarded_for(headers)), list(_forwarded(headers))) if chain]
    found = {_first_stranger(heard, chain, proxies) for chain in chains}
    # A proxy writes one of the headers, and hands on the other as the sender made it up: which is which is not known.
    return str(found.pop() if len(found) == 1 else heard)


def _first_stranger(heard: Address, chain: list[str], proxies: tuple[Network, ...]) -> Address:
    """Go from the nearest one outwards; what is no address (``unknown``, ``_hidden``) ends what is known."""
    for written in reversed(chain):
        address = address_of(written)
        if address is None:
            return heard
        heard = address
        if not _among(address, proxies):
            break
    return heard


def _among(address: Address, proxies: tuple[Network, ...]) -> bool:
    return any(address in network for network in proxies)


def _forwarded_for(headers: Headers) -> Iterator[str]:
    for written in _parts(headers, "X-Forwarded-For"):
        yield written.strip()


def _forwarded(headers: Headers) -> Iterator[str]:
    """An element without ``for`` is a proxy that did not say whom it heard."""
    for element in _parts(headers, "Forwarded"):
        found = _FOR.search(element)
        yield (found["quoted"] or found["plain"] or "") if found else ""


def _parts(headers: Headers, name: str) -> Iterator[str]:
    """Give the elements of a list that may be spread over several lines, in their order."""
    for line in headers.getall(name, ()):
        yield from line.split(",")
