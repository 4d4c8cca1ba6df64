"""Destinations: whoever is told of each change by a signed POST, at least once and in order.

Each is a durable reader of the feed with a task and a place of its own; none waits for another one.
"""

from __future__ import annotations

from hookbridge.destinations.delivering import Destinations
from hookbridge.destinations.places import Places

__all__ = ["Destinations", "Places"]
