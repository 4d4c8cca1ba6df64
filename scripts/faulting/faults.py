"""The ways in which a source fails, one list for ``scripts/fault-test`` and for the tests.

A fault is switched on at a place and gives what heals it.  It says nothing of what should come of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from hookbridge.standins import NotionStandin, PostgrestStandin
from hookbridge.standins.faults import Fault
from hookbridge.standins.wire import Reply
from scripts.faulting.proxy import TRUSTED, UNTRUSTED, Proxy

Heal = Callable[[], Awaitable[None]]


class Place:
    """A source, and the proxy that stands before it."""

    def __init__(self, standin: PostgrestStandin | NotionStandin, proxy: Proxy, strange: Reply) -> None:
        """``strange``: a well-formed answer about a record that nobody asks for."""
        self.standin = standin
        self.proxy = proxy
        self.strange = strange


async def refused(place: Place) -> Heal:
    """Nobody listens."""
    await place.proxy.refuse()
    return place.proxy.listen


async def drip(place: Place) -> Heal:
    """Answers come byte by byte."""
    place.proxy.dripping = True

    async def heal() -> None:
        place.proxy.dripping = False

    return heal


async def strange_certificate(place: Place) -> Heal:
    """The certificate is one that nobody trusts."""
    place.proxy.present(UNTRUSTED)

    async def heal() -> None:
        place.proxy.present(TRUSTED)

    return heal


def answering(fault: Callable[[Place], Fault]) -> Callable[[Place], Awaitable[Heal]]:
    """Make one of what the source itself answers."""

    async def begin(place: Place) -> Heal:
        switched_on = fault(place)

        async def heal() -> None:
            switched_on.clear()

        return heal

    return begin


FAULTS: Mapping[str, Callable[[Place], Awaitable[Heal]]] = {
    "refused connections": refused,
    "reset connections": answering(lambda at: at.standin.faults.reset()),
    "no answer": answering(lambda at: at.standin.faults.hang()),
    "late answers": answering(lambda at: at.standin.faults.slow(5.0)),
    "dripping answers": drip,
    "cut answers": answering(lambda at: at.standin.faults.cut()),
    "empty answers": answering(lambda at: at.standin.faults.empty()),
    "HTML with 200": answering(lambda at: at.standin.faults.html()),
    "HTML with 500": answering(lambda at: at.standin.faults.html(status=500)),
    "502": answering(lambda at: at.standin.faults.status(502)),
    "503": answering(lambda at: at.standin.faults.status(503)),
    "429": answering(lambda at: at.standin.faults.status(429)),
    "429 with Retry-After": answering(lambda at: at.standin.faults.status(429, retry_after=1)),
    "a record nobody asked for": answering(lambda at: at.standin.faults.answer(at.strange, path=asks_for_records)),
    "a key that is refused": answering(lambda at: at.standin.faults.refuse_key()),
    "a certificate nobody trusts": strange_certificate,
}


def asks_for_records(path: str) -> bool:
    """Whether a request is about records, and not about who asks."""
    return path.startswith(("/rest/v1/", "/v1/pages/"))
