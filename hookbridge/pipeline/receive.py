"""From a request to events: authenticate the raw bytes, decode, filter.

Pure: it knows no HTTP server and no store, so the webhook endpoints, ``/test`` and the commands all mean the same.
Nothing is parsed before the sender is authenticated.
"""

from __future__ import annotations

from collections.abc import Mapping

from hookbridge.sources.bodies import whole_characters
from hookbridge.sources.source import Decoded, Source


def receive(source: Source, headers: Mapping[str, str], body: bytes, now: float) -> Decoded:
    """Give what the body says.  ``now`` is epoch seconds.

    Raises InvalidSignature, InvalidJson, InvalidSource, InvalidFields or HandshakeRefused.
    """
    source.authenticate(headers, body, now)
    return source.decode(headers, whole_characters(body))
