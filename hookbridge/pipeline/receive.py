"""From a request to events: authenticate the raw bytes, decode, filter.

Pure: it knows no HTTP server and no store, so the webhook endpoints, ``/test`` and the commands all mean the same.
Nothing is parsed before the sender is authenticated.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hookbridge.errors import Refusal
from hookbridge.model import Event, SourceName
from hookbridge.sources.encodings import text_of
from hookbridge.sources.source import Decoded, Delivery, Source


def receive(source: Source, headers: Mapping[str, str], body: bytes, now: float) -> Decoded:
    """Give what the body says.  ``now`` is epoch seconds.

    Raises InvalidSignature, InvalidJson, InvalidSource, InvalidFields or HandshakeRefused.
    """
    source.authenticate(headers, body, now)
    return source.decode(headers, text_of(body))


def taken(source: Source, name: str, body: bytes) -> tuple[Event, ...]:
    """Give what a message says that was taken from an outbox at its source: nobody has to be authenticated.

    It is read as the webhook is that would have brought it, ``name`` in its ``webhook-id``: whatever comes under this
    name again is a duplicate.  Raises InvalidJson, InvalidSource or InvalidFields.
    """
    received = source.decode({"webhook-id": name}, text_of(body))
    events = received.events if isinstance(received, Delivery) else ()
    return tuple(msgspec.structs.replace(event, origin="pull") for event in events)


def refusals_of(
    sources: Mapping[SourceName, Source], headers: Mapping[str, str], body: bytes, now: float
) -> dict[SourceName, Refusal]:
    """Give the refusal of each source that does not take the sender for its own, without a look into the body.

    For a body whose address does not say whose it is.  ``now`` is epoch seconds.
    """
    refused: dict[SourceName, Refusal] = {}
    for name, source in sources.items():
        try:
            source.authenticate(headers, body, now)
        except Refusal as refusal:
            refused[name] = refusal
    return refused
